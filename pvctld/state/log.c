/* SPDX-License-Identifier: MIT */
#include "pvctld/state/log.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x474f4c5456504c58ull /* "XLPVTLOG" */
#define HEAD_BYTES 4096u
#define AREA_BYTES (256ull << 20) /* most of it is never touched */
#define SPARE_BYTES (1u << 20)

struct state_log_head {
	uint64_t magic;
	uint32_t version;
	uint32_t flag;
	/* The area in use in bit 63, and its committed bytes: together, as they change together. */
	uint64_t committed;
	uint32_t failed;
};
struct header { uint32_t type, domid, key_len, data_len; };

static unsigned int area(const struct state_log *l)
{
	return (unsigned int)(__atomic_load_n(&l->head->committed, __ATOMIC_ACQUIRE) >> 63);
}

static size_t length(const struct state_log *l)
{
	return (size_t)(__atomic_load_n(&l->head->committed, __ATOMIC_ACQUIRE) & ~(1ull << 63));
}

static uint8_t *start_of(const struct state_log *l, unsigned int n)
{
	return l->map + HEAD_BYTES + n * AREA_BYTES;
}

static int map(struct state_log *l, int fd)
{
	void *p = mmap(NULL, HEAD_BYTES + 2 * AREA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*l = (struct state_log){ .fd = fd, .map = p, .head = p };
	/* Guests' consoles and stores: not in core dumps. */
	(void)madvise(p, HEAD_BYTES + 2 * AREA_BYTES, MADV_DONTDUMP);
	return 0;
}

int state_log_new(struct state_log *l, const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC), rc;

	*l = (struct state_log){ .fd = -1 };
	if (fd < 0)
		return -errno;
	rc = ftruncate(fd, (off_t)(HEAD_BYTES + 2 * AREA_BYTES)) ? -errno : map(l, fd);
	if (rc) {
		close(fd);
		return rc;
	}
	l->head->version = STATE_VERSION;
	__atomic_store_n(&l->head->magic, MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int state_log_open(struct state_log *l, int fd)
{
	struct stat st;
	int rc;

	*l = (struct state_log){ .fd = -1 };
	if (fstat(fd, &st) || st.st_size != (off_t)(HEAD_BYTES + 2 * AREA_BYTES))
		return -EPROTO;
	rc = map(l, fd);
	if (rc)
		return rc;
	l->at = l->live = length(l);
	if (l->head->magic == MAGIC && l->head->version == STATE_VERSION && !l->head->failed && l->at <= AREA_BYTES)
		return 0;
	(void)munmap(l->map, HEAD_BYTES + 2 * AREA_BYTES);
	*l = (struct state_log){ .fd = -1 };
	return -EPROTO;
}

void state_log_close(struct state_log *l)
{
	if (l->fd < 0 || !l->map)
		return;
	(void)munmap(l->map, HEAD_BYTES + 2 * AREA_BYTES);
	close(l->fd);
	*l = (struct state_log){ .fd = -1 };
}

static void fail_it(struct state_log *l)
{
	log_line("there is no room for what a later daemon would have to know: if this one dies, the node ends");
	l->failed = true;
	__atomic_store_n(&l->head->failed, 1, __ATOMIC_RELEASE);
}

/* Who reads finds both parts aligned. */
static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

static void put(struct state_log *l, const void *bytes, size_t len)
{
	static const uint8_t zero[8];
	uint8_t *at = start_of(l, area(l) ^ l->rewriting) + l->at;

	if (len)
		memcpy(at, bytes, len);
	memcpy(at + len, zero, padded(len) - len);
	l->at += padded(len);
}

void state_log_add(struct state_log *l, uint32_t type, uint32_t domid, const char *key, const void *data, size_t len)
{
	size_t key_len = key ? strlen(key) + 1 : 0;
	struct header h = { type, domid, (uint32_t)padded(key_len), (uint32_t)len };

	if (!l->map || l->failed)
		return;
	if (key_len > 65536 || len > UINT32_MAX || sizeof(h) + padded(key_len) + padded(len) > AREA_BYTES - l->at) {
		fail_it(l);
		return;
	}
	put(l, &h, sizeof(h));
	put(l, key, key_len);
	put(l, data, len);
}

void state_log_commit(struct state_log *l)
{
	if (!l->map || l->failed || l->rewriting)
		return;
	__atomic_store_n(&l->head->committed, (uint64_t)area(l) << 63 | l->at, __ATOMIC_RELEASE);
}

bool state_log_is_long(const struct state_log *l)
{
	return l->map && !l->failed && !l->rewriting &&
	       (l->at > 2 * l->live + SPARE_BYTES || (l->at > AREA_BYTES / 4 * 3 && l->at > l->live + SPARE_BYTES));
}

void state_log_rewrite(struct state_log *l)
{
	l->rewriting = true;
	l->at = 0;
}

void state_log_rewritten(struct state_log *l)
{
	unsigned int old = area(l);

	l->rewriting = false;
	if (!l->map || l->failed)
		return;
	__atomic_store_n(&l->head->committed, (uint64_t)(old ^ 1u) << 63 | l->at, __ATOMIC_RELEASE);
	l->live = l->at;
	(void)madvise(start_of(l, old), AREA_BYTES, MADV_REMOVE);
}

bool state_log_next(const struct state_log *l, size_t *pos, struct state_record *ret)
{
	const uint8_t *p = l->map ? start_of(l, area(l)) + *pos : NULL;
	size_t left = l->map ? length(l) - *pos : 0;
	struct header h;

	if (left < sizeof(h))
		return false;
	memcpy(&h, p, sizeof(h));
	p += sizeof(h);
	left -= sizeof(h);
	if (h.key_len > left || padded(h.data_len) > left - h.key_len || (h.key_len && p[h.key_len - 1]))
		return false;
	*ret = (struct state_record){ h.type, h.domid, h.key_len, h.data_len, h.key_len ? (const char *)p : "", p + h.key_len };
	*pos += sizeof(h) + h.key_len + padded(h.data_len);
	return true;
}

void state_log_set_flag(struct state_log *l, uint32_t flag)
{
	if (l->map)
		__atomic_store_n(&l->head->flag, flag, __ATOMIC_RELEASE);
}

uint32_t state_log_flag(const struct state_log *l)
{
	return l->map ? __atomic_load_n(&l->head->flag, __ATOMIC_ACQUIRE) : 0;
}
