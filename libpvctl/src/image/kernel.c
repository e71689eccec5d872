/* SPDX-License-Identifier: MIT */
#include "image/kernel.h"
#include "image/bzimage.h"
#include "image/cache.h"
#include "image/decompress.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <string.h>
#include <sys/mman.h>

void kernel_close(struct kernel_image *k)
{
	free(k->heap);
	if (k->map)
		munmap(k->map, k->map_len);
	memset(k, 0, sizeof(*k));
}

static int unpack_any(const uint8_t *p, size_t len, struct buf *out, struct pvctl_error *err)
{
	enum compression c = decompress_detect(p, len);
	size_t off, n;
	int rc;

	if (bzimage_probe(p, len)) {
		rc = bzimage_payload(p, len, &off, &n, err);
		return rc ? rc : decompress_payload(p + off, n, out, err);
	}
	if (c == COMPRESSION_NONE)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "not a kernel: neither a bzImage nor an ELF file");
	return decompress(c, p, len, 0, out, err);
}

int kernel_unpack(const uint8_t *p, size_t len, struct kernel_image *ret, struct pvctl_error *err)
{
	CLEANUP_BUF struct buf out = { 0 };
	struct kernel_image k = { .data = p, .len = len };
	int rc;

	if (!elf_probe(p, len)) {
		rc = unpack_any(p, len, &out, err);
		if (rc)
			return rc;
		k.data = out.data;
		k.len = out.len;
	}
	rc = elf_parse(k.data, k.len, &k.elf, err);
	if (!rc)
		rc = elf_check_any(&k.elf, err);
	if (rc)
		return rc;
	k.heap = TAKE_PTR(out.data);
	*ret = k;
	return 0;
}

/* -ENOENT: not there, or no longer a kernel for us (an entry of another version of this library). */
static int from_cache(const char *dir, const uint8_t *key, struct kernel_image *ret)
{
	struct kernel_image k = { .from_cache = true };

	if (cache_get(dir, key, &k.map, &k.map_len, &k.data, &k.len))
		return -ENOENT;
	if (elf_parse(k.data, k.len, &k.elf, NULL) || elf_check_any(&k.elf, NULL)) {
		kernel_close(&k);
		return -ENOENT;
	}
	*ret = k;
	return 0;
}

/* The file is read, not mapped: another process may cut it off meanwhile. */
static int read_file(int fd, uint64_t size, uint8_t **ret, struct pvctl_error *err)
{
	CLEANUP_FREE uint8_t *p = malloc(size);
	int rc;

	if (!p)
		return err_nomem(err);
	rc = fd_pread_all(fd, p, size, 0);
	if (rc)
		return err_os(err, -rc, "reading it");
	*ret = TAKE_PTR(p);
	return 0;
}

static int open_with_cache(int fd, uint64_t size, const char *dir, const struct log *log, struct kernel_image *ret,
                           struct pvctl_error *err)
{
	CLEANUP_FREE uint8_t *p = NULL;
	uint8_t key[CACHE_KEY_BYTES];
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_os(err, errno, "stat");
	if (dir && cache_recall_key(dir, &st, key) && !from_cache(dir, key, ret))
		return 0;
	rc = read_file(fd, size, &p, err);
	if (rc)
		return rc;
	if (dir && !elf_probe(p, size)) {
		cache_key(p, size, key);
		cache_remember_key(dir, &st, key);
		if (!from_cache(dir, key, ret))
			return 0;
	}
	rc = kernel_unpack(p, size, ret, err);
	if (rc)
		return rc;
	if (!ret->heap) {
		ret->heap = TAKE_PTR(p); /* a plain ELF file */
	} else if (dir) {
		rc = cache_put(dir, key, ret->data, ret->len);
		if (rc)
			log_msg(log, LOG_WARN, "%s: cannot keep the unpacked kernel: %s", dir, strerrordesc_np(-rc));
	}
	return 0;
}

static int open_any(int fd, uint64_t size, const char *name, const struct log *log, struct kernel_image *ret,
                    struct pvctl_error *err)
{
	struct pvctl_error why;
	char dir[300];
	bool cached;
	int rc;

	cached = !paths_cache_dir(dir, sizeof(dir), &why) && !paths_make(dir, &why);
	if (!cached)
		log_msg(log, LOG_WARN, "no kernel cache: %s", why.msg);
	rc = open_with_cache(fd, size, cached ? dir : NULL, log, ret, err);
	return rc ? err_wrap(err, rc, "kernel %s", name) : 0;
}

int kernel_open(const char *path, const struct log *log, struct kernel_image *ret, struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	uint64_t size = 0;
	int rc;

	rc = fd_open_file("kernel", path, KERNEL_MAX_FILE, &fd, &size, err);
	return rc ? rc : open_any(fd, size, path, log, ret, err);
}

int kernel_open_fd(int fd, const char *name, const struct log *log, struct kernel_image *ret, struct pvctl_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_os(err, errno, "kernel %s", name);
	if (st.st_size <= 0 || (uint64_t)st.st_size > KERNEL_MAX_FILE)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "kernel %s: its size cannot be", name);
	return open_any(fd, (uint64_t)st.st_size, name, log, ret, err);
}
