/* SPDX-License-Identifier: MIT */
/* What the program calls instead of libc's open(): for names that it was given, a copy of the descriptor. */
#include "preload.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define STATUS_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT)

static const struct opened *find(const char *name)
{
	for (unsigned int i = 0; i < nr_opened; i++)
		if (!strcmp(opened[i].name, name))
			return &opened[i];
	return NULL;
}

static int do_open(const char *name, int flags, mode_t mode)
{
	const struct opened *o = find(name);
	int fd, now;

	if (!o)
		return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
	fd = fcntl(o->fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	now = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	/* What cannot be set, as O_DIRECT on some file systems, fails as it would have. */
	if (now >= 0 && (now & STATUS_FLAGS) != (flags & STATUS_FLAGS) &&
	    fcntl(fd, F_SETFL, (now & ~STATUS_FLAGS) | (flags & STATUS_FLAGS))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(symbol) \
	EXPORT int symbol(const char *name, int flags, ...) \
	{ \
		va_list ap; \
		mode_t mode; \
		va_start(ap, flags); \
		mode = mode_of(flags, ap); \
		va_end(ap); \
		return do_open(name, flags, mode); \
	}
int own_open(const char *name, int flags, ...) __asm__("open");
int own_open64(const char *name, int flags, ...) __asm__("open64");
OPEN(own_open)
OPEN(own_open64)

EXPORT int __open_2(const char *name, int flags);
EXPORT int __open64_2(const char *name, int flags);
EXPORT int __open_2(const char *name, int flags)
{
	return do_open(name, flags, 0);
}
EXPORT int __open64_2(const char *name, int flags)
{
	return do_open(name, flags, 0);
}

static int do_stat(const char *name, struct stat *st)
{
	const struct opened *o = find(name);

	return o ? fstat(o->fd, st) : fstatat(AT_FDCWD, name, st, 0);
}

int own_stat(const char *name, struct stat *st) __asm__("stat");
int own_stat64(const char *name, struct stat *st) __asm__("stat64");
EXPORT int own_stat(const char *name, struct stat *st)
{
	return do_stat(name, st);
}
EXPORT int own_stat64(const char *name, struct stat *st)
{
	return do_stat(name, st);
}
