/* SPDX-License-Identifier: MIT */
#include "image/cache.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ENTRY_MAGIC 0x314b43545650ull /* "PVTCK1" */
#define STAT_MAGIC 0x315443545650ull
#define DATA_OFFSET 4096u             /* so that the data is page aligned */
#define MAX_RECORDS 256
#define SETTLED_NS 2000000000ll

struct entry_header {
	uint64_t magic, len, crc;
	uint8_t key[CACHE_KEY_BYTES];
	uint64_t header_crc;
};

struct stat_record {
	uint64_t magic;
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
	uint8_t key[CACHE_KEY_BYTES];
	uint64_t crc;
};

void cache_key(const uint8_t *p, size_t len, uint8_t key[CACHE_KEY_BYTES])
{
	struct sha256_ctx h;

	sha256_init(&h);
	sha256_update(&h, len, p);
	sha256_digest(&h, CACHE_KEY_BYTES, key);
}

static void entry_name(const uint8_t *key, char name[80])
{
	unsigned int i;

	strcpy(name, "kernel-");
	for (i = 0; i < CACHE_KEY_BYTES; i++)
		sprintf(name + 7 + 2 * i, "%02x", key[i]);
}

static int64_t ns(const struct timespec *t)
{
	return t->tv_sec * 1000000000ll + t->tv_nsec;
}

static void fill_record(struct stat_record *r, const struct stat *st, const uint8_t *key)
{
	memset(r, 0, sizeof(*r));
	r->magic = STAT_MAGIC;
	r->dev = st->st_dev;
	r->ino = st->st_ino;
	r->size = (uint64_t)st->st_size;
	r->mtime_ns = ns(&st->st_mtim);
	r->ctime_ns = ns(&st->st_ctim);
	memcpy(r->key, key, CACHE_KEY_BYTES);
	r->crc = lzma_crc64((const uint8_t *)r, offsetof(struct stat_record, crc), 0);
}

bool cache_recall_key(const char *dir, const struct stat *st, uint8_t key[CACHE_KEY_BYTES])
{
	struct stat_record r, want;
	char path[512];
	int fd, rc;

	if (snprintf(path, sizeof(path), "%s/file-%llx-%llx", dir, (unsigned long long)st->st_dev,
	             (unsigned long long)st->st_ino) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	rc = fd_pread_all(fd, &r, sizeof(r), 0);
	close(fd);
	if (rc)
		return false;
	fill_record(&want, st, r.key);
	if (memcmp(&r, &want, sizeof(r)) != 0)
		return false;
	memcpy(key, r.key, CACHE_KEY_BYTES);
	return true;
}

void cache_remember_key(const char *dir, const struct stat *st, const uint8_t key[CACHE_KEY_BYTES])
{
	struct stat_record r;
	struct iovec v = { &r, sizeof(r) };
	struct timespec now;
	char name[64];

	clock_gettime(CLOCK_REALTIME, &now);
	if (ns(&now) - ns(&st->st_ctim) < SETTLED_NS || ns(&now) - ns(&st->st_mtim) < SETTLED_NS)
		return;
	fill_record(&r, st, key);
	snprintf(name, sizeof(name), "file-%llx-%llx", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
	fd_write_atomic(dir, name, &v, 1); /* a cache: failing is harmless */
}

/* The data's checksum is skipped while the entry's inode is as it was when it was last found right. */
static bool good_entry(const char *dir, const struct stat *st, const uint8_t *key, const uint8_t *map)
{
	const struct entry_header *h = (const struct entry_header *)(const void *)map;
	uint8_t seen[CACHE_KEY_BYTES];

	if (h->magic != ENTRY_MAGIC || h->len != (uint64_t)st->st_size - DATA_OFFSET ||
	    h->header_crc != lzma_crc64(map, offsetof(struct entry_header, header_crc), 0) ||
	    memcmp(h->key, key, CACHE_KEY_BYTES) != 0)
		return false;
	if (cache_recall_key(dir, st, seen) && memcmp(seen, key, CACHE_KEY_BYTES) == 0)
		return true;
	if (lzma_crc64(map + DATA_OFFSET, h->len, 0) != h->crc)
		return false;
	cache_remember_key(dir, st, key);
	return true;
}

int cache_get(const char *dir, const uint8_t key[CACHE_KEY_BYTES], void **ret_map, size_t *ret_map_len,
              const uint8_t **ret_data, size_t *ret_len)
{
	CLEANUP_CLOSE int fd = -1;
	char name[80], path[512];
	struct stat st;
	uint8_t *map;

	entry_name(key, name);
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size <= DATA_OFFSET)
		return -ENOENT;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -ENOENT;
	if (!good_entry(dir, &st, key, map)) {
		munmap(map, (size_t)st.st_size);
		unlink(path);
		return -ENOENT;
	}
	*ret_map = map;
	*ret_map_len = (size_t)st.st_size;
	*ret_data = map + DATA_OFFSET;
	*ret_len = (size_t)st.st_size - DATA_OFFSET;
	return 0;
}

/* Remembered keys are small, but one stays behind for every kernel ever seen: at times all go, those in use come back. */
static void drop_records(DIR *d)
{
	struct dirent *e;
	unsigned int n = 0;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		rewinddir(d);
		while ((e = readdir(d))) {
			if (strncmp(e->d_name, "file-", 5) != 0)
				continue;
			if (pass == 0)
				n++;
			else
				unlinkat(dirfd(d), e->d_name, 0);
		}
		if (n < MAX_RECORDS)
			return;
	}
}

/* Removes the oldest entries until `need` more bytes fit. */
static void make_room(const char *dir, uint64_t need)
{
	char oldest[256];
	uint64_t total;
	struct dirent *e;
	struct timespec when = { 0 };
	struct stat st;
	DIR *d = opendir(dir);
	int rounds;

	if (!d)
		return;
	drop_records(d);
	for (rounds = 0; rounds < 64; rounds++) {
		total = need;
		oldest[0] = '\0';
		rewinddir(d);
		while ((e = readdir(d))) {
			if (strncmp(e->d_name, "kernel-", 7) != 0 || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			total += (uint64_t)st.st_size;
			if (!oldest[0] || ns(&st.st_mtim) < ns(&when)) {
				snprintf(oldest, sizeof(oldest), "%s", e->d_name);
				when = st.st_mtim;
			}
		}
		if (total <= CACHE_MAX_BYTES || !oldest[0] || unlinkat(dirfd(d), oldest, 0) < 0)
			break;
	}
	closedir(d);
}

int cache_put(const char *dir, const uint8_t key[CACHE_KEY_BYTES], const uint8_t *p, size_t len)
{
	static const uint8_t zero[DATA_OFFSET];
	struct entry_header h;
	struct iovec v[3] = { { &h, sizeof(h) }, { (void *)(uintptr_t)zero, DATA_OFFSET - sizeof(h) },
	                      { (void *)(uintptr_t)p, len } };
	char name[80];

	if (len > CACHE_MAX_BYTES / 2)
		return -E2BIG;
	memset(&h, 0, sizeof(h));
	h.magic = ENTRY_MAGIC;
	h.len = len;
	h.crc = lzma_crc64(p, len, 0);
	memcpy(h.key, key, CACHE_KEY_BYTES);
	h.header_crc = lzma_crc64((const uint8_t *)&h, offsetof(struct entry_header, header_crc), 0);
	make_room(dir, len);
	entry_name(key, name);
	return fd_write_atomic(dir, name, v, 3);
}
