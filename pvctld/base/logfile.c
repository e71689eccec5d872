/* SPDX-License-Identifier: MIT */
#include "pvctld/base/logfile.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MAX_BYTES (4u << 20)

static void make_path(char *buf, size_t len, const char *dir, const char *name)
{
	int n = snprintf(buf, len, "%s/", dir);

	for (size_t i = 0; name[i] && i < 127 && (size_t)n < len - 5; i++) {
		char c = name[i];

		if (c == '/' || (unsigned char)c <= ' ' || c == 0x7f || (!i && c == '.'))
			c = '_';
		buf[n++] = c;
	}
	memcpy(buf + n, ".log", 5);
}

static int reopen(struct logfile *f, int flags)
{
	struct stat st;

	f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
	if (f->fd < 0)
		return -errno;
	f->size = fstat(f->fd, &st) ? 0 : (uint64_t)st.st_size;
	return 0;
}

int logfile_open(struct logfile *f, const char *dir, const char *name)
{
	make_path(f->path, sizeof(f->path), dir, name);
	return reopen(f, 0);
}

static void rotate(struct logfile *f)
{
	char old[sizeof(f->path) + 4];

	snprintf(old, sizeof(old), "%s.1", f->path);
	close(f->fd);
	/* A rename that fails must not let the file grow. */
	(void)reopen(f, rename(f->path, old) ? O_TRUNC : 0);
}

void logfile_write(struct logfile *f, const void *bytes, size_t len)
{
	ssize_t n;

	if (f->fd < 0 || !len)
		return;
	if (f->size + len > (f->max ? f->max : LOG_MAX_BYTES))
		rotate(f);
	n = f->fd < 0 ? 0 : write(f->fd, bytes, len);
	if (n > 0)
		f->size += (uint64_t)n;
}

ssize_t logfile_tail(const struct logfile *f, void *buf, size_t max)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st))
		n = pread(fd, buf, max, (size_t)st.st_size > max ? st.st_size - (off_t)max : 0);
	close(fd);
	return n;
}

void logfile_rename(struct logfile *f, const char *dir, const char *name)
{
	char path[sizeof(f->path)];

	make_path(path, sizeof(path), dir, name);
	if (f->fd < 0 || !strcmp(path, f->path))
		return;
	if (access(path, F_OK)) {
		if (rename(f->path, path))
			return;
		memcpy(f->path, path, sizeof(path));
		return;
	}
	close(f->fd);
	memcpy(f->path, path, sizeof(path));
	(void)reopen(f, 0);
}

void logfile_close(struct logfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
