/* SPDX-License-Identifier: MIT */
#include "util/fresh.h"
#include "util/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* -errno, or a descriptor that has the lock. */
static int lock(const char *dir, int how)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), e;

	while (fd >= 0 && flock(fd, how)) {
		e = errno;
		if (e == EINTR)
			continue;
		close(fd);
		return -e;
	}
	return fd < 0 ? -errno : fd;
}

static int make_locked(const char *parent, char *pattern, const char *dir, int *ret_lock)
{
	/* Between its making and its lock nobody sweeps. */
	int above = lock(parent, LOCK_SH), own;

	if (above < 0)
		return above;
	if (pattern ? !mkdtemp(pattern) : mkdir(dir, 0700))
		own = -errno;
	else if ((own = lock(dir, LOCK_EX | LOCK_NB)) < 0)
		(void)rmdir(dir);
	fd_unlock_close(above);
	if (own >= 0)
		*ret_lock = own;
	return own < 0 ? own : 0;
}

int fresh_make(const char *parent, const char *prefix, char *dir, size_t size, int *ret_lock)
{
	if (snprintf(dir, size, "%s/%sXXXXXX", parent, prefix) >= (int)size)
		return -ENAMETOOLONG;
	return make_locked(parent, dir, dir, ret_lock);
}

int fresh_make_named(const char *parent, const char *dir, int *ret_lock)
{
	return make_locked(parent, NULL, dir, ret_lock);
}

static void sweep_one(const char *dir, const char *name, void (*one)(void *data, const char *dir, const char *name), void *data)
{
	int own = lock(dir, LOCK_EX | LOCK_NB);

	if (own >= 0)
		one(data, dir, name);
	fd_unlock_close(own);
}

void fresh_sweep(const char *parent, const char *prefix, void (*one)(void *data, const char *dir, const char *name), void *data)
{
	/* Somebody who begins just now: the next one sweeps. */
	int above = lock(parent, LOCK_EX | LOCK_NB);
	DIR *d = above < 0 ? NULL : opendir(parent);
	char dir[4096];
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && !strncmp(e->d_name, prefix, strlen(prefix)) &&
		    snprintf(dir, sizeof(dir), "%s/%s", parent, e->d_name) < (int)sizeof(dir))
			sweep_one(dir, e->d_name, one, data);
	if (d)
		closedir(d);
	fd_unlock_close(above);
}
