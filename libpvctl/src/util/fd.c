/* SPDX-License-Identifier: MIT */
#include "util/fd.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int fd_pread_all(int fd, void *p, size_t len, uint64_t off)
{
	uint8_t *at = p;

	while (len) {
		ssize_t n = pread(fd, at, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_write_all(int fd, const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_open_file(const char *what, const char *path, uint64_t max_bytes, int *ret_fd, uint64_t *ret_size,
                 struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = -1;
	struct stat st;

	/* O_NONBLOCK: opening a fifo must not hang before its type is known. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_os(err, errno, "%s %s", what, path);
	if (fstat(fd, &st) < 0)
		return err_os(err, errno, "%s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s %s: not a regular file", what, path);
	if (st.st_size == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s %s: the file is empty", what, path);
	if ((uint64_t)st.st_size > max_bytes)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "%s %s: %llu MiB; at most %llu MiB are accepted",
		               what, path, (unsigned long long)st.st_size >> 20, (unsigned long long)max_bytes >> 20);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int fd_read_rest(int fd, size_t max, char **ret)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;

	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;
	while (len < max) {
		ssize_t n = read(fd, text + len, max - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

int fd_read_text(const char *path, size_t max, char **ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? -errno : fd_read_rest(fd, max, ret);
}

int fd_sync_path(const char *path)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

int fd_sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];

	if (snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	return fd_sync_path(dir);
}

static int write_new(const char *dir, const char *name, const struct iovec *iov, int n, bool durable)
{
	CLEANUP_CLOSE int fd = -1;
	char tmp[512], path[512];
	int rc = 0, i;

	if (snprintf(tmp, sizeof(tmp), "%s/.tmp-XXXXXX", dir) >= (int)sizeof(tmp) ||
	    snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (i = 0; i < n && !rc; i++)
		rc = fd_write_all(fd, iov[i].iov_base, iov[i].iov_len);
	if (!rc && durable && fsync(fd))
		rc = -errno;
	if (!rc && rename(tmp, path) < 0)
		rc = -errno;
	if (rc)
		unlink(tmp);
	return rc || !durable ? rc : fd_sync_path(dir);
}

int fd_write_atomic(const char *dir, const char *name, const struct iovec *iov, int n)
{
	return write_new(dir, name, iov, n, false);
}

int fd_write_durable(const char *dir, const char *name, const struct iovec *iov, int n)
{
	return write_new(dir, name, iov, n, true);
}

bool fd_write_failed(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG;
}

void fd_unlock_close(int fd)
{
	struct flock l = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (fd < 0)
		return;
	(void)flock(fd, LOCK_UN);
	(void)fcntl(fd, F_OFD_SETLK, &l);
	close(fd);
}
