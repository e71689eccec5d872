/* SPDX-License-Identifier: MIT */
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (1u << 20)

int template_hash(struct pvctl *ctx, const char *path, struct template_file *f, struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP_FREE uint8_t *piece = malloc(PIECE);
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx h;
	struct stat st;
	ssize_t n;

	if (!piece)
		return err_nomem(err);
	if (fd < 0 || fstat(fd, &st))
		return err_os(err, errno, "%s", path);
	sha256_init(&h);
	for (f->bytes = 0; (n = read(fd, piece, PIECE)) > 0; f->bytes += (uint64_t)n) {
		sha256_update(&h, (size_t)n, piece);
		if (ctx && ctx_progress(ctx, "checksums", f->bytes, (uint64_t)st.st_size))
			return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	}
	if (n < 0)
		return err_os(err, errno, "%s", path);
	sha256_digest(&h, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(f->sha256 + 2 * i, "%02x", digest[i]);
	return 0;
}

int template_copy(const char *from, const char *to, uint64_t max, struct pvctl_error *err)
{
	CLEANUP_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CLEANUP_FREE uint8_t *piece = malloc(PIECE);
	struct stat st;
	ssize_t n = 0;
	int rc = 0;

	if (!piece)
		return err_nomem(err);
	if (in < 0)
		return err_os(err, errno, "%s", from);
	if (out < 0)
		return err_os(err, errno, "%s", to);
	if (fstat(in, &st) || !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is no regular file", from);
	if ((uint64_t)st.st_size > max)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "%s is larger than it may be, %llu bytes", from, (unsigned long long)max);
	if (!ioctl(out, FICLONE, in))
		return 0;
	while (!rc && (n = read(in, piece, PIECE)) > 0)
		rc = fd_write_all(out, piece, (size_t)n);
	if (rc)
		return err_os(err, -rc, "%s", to);
	return n < 0 ? err_os(err, errno, "%s", from) : 0;
}
