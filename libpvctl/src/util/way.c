/* SPDX-License-Identifier: MIT */
/* Is the way to a directory one that only the user and root can lay? */
#include "util/paths.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40u
#define NOBODY ((uid_t)-1)

struct way {
	const char *dir;          /* as asked for, for the message */
	char left[PATH_MAX];      /* what is yet to be walked */
	unsigned int links;
	uid_t outside;            /* in a user namespace: who is nobody there, the host's root for one; else NOBODY */
	struct pvctl_error *err;
};

static void read_some(const char *path, char *buf, size_t size)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
}

static uid_t uid_outside(void)
{
	char map[64], number[16];

	read_some("/proc/self/uid_map", map, sizeof(map));
	read_some("/proc/sys/kernel/overflowuid", number, sizeof(number));
	return !map[0] || strstr(map, "4294967295") || !number[0] ? NOBODY : (uid_t)strtoul(number, NULL, 10);
}

static int unsafe(const struct way *w, const char *at, const char *why)
{
	return err_set(w->err, -EPERM, PVCTL_ORIGIN_OS, "%s: %s %s, who could put something else there: set XDG_RUNTIME_DIR or "
	               "PVCTL_RUN_DIR to a directory of your own", w->dir, at, why);
}

static int check(const struct way *w, const char *at, const struct stat *st)
{
	mode_t others = S_IWOTH;

	if (st->st_uid != geteuid() && st->st_uid != 0 && st->st_uid != w->outside)
		return unsafe(w, at, "belongs to another user");
	if (!S_ISDIR(st->st_mode) || st->st_mode & S_ISVTX)
		return 0;
	/* A group of the user's own number is his alone, by custom. */
	if (st->st_gid != 0 && (st->st_uid == 0 || st->st_gid != st->st_uid))
		others |= S_IWGRP;
	return st->st_mode & others ? unsafe(w, at, "can be written by other users") : 0;
}

/* Puts what a symbolic link says before what is left. */
static int follow(struct way *w, int parent, const char *name)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_os(w->err, errno, "%s", w->dir);
	target[n] = '\0';
	strcpy(rest, w->left);
	if (++w->links > MAX_LINKS || snprintf(w->left, sizeof(w->left), "%s/%s", target, rest) >= (int)sizeof(w->left))
		return err_set(w->err, -EINVAL, PVCTL_ORIGIN_OS, "%s: too many symbolic links", w->dir);
	return target[0] == '/' ? 1 : 0;
}

/* Takes one name off what is left; false: there is none. */
static bool next_name(struct way *w, char name[NAME_MAX + 1])
{
	char *at = w->left + strspn(w->left, "/");
	size_t len = strcspn(at, "/");

	if (!len)
		return false;
	snprintf(name, NAME_MAX + 1, "%.*s", (int)(len > NAME_MAX ? NAME_MAX : len), at);
	memmove(w->left, at + len, strlen(at + len) + 1);
	return true;
}

static int walk(struct way *w)
{
	CLEANUP_CLOSE int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	struct stat st;
	int rc, fd;

	if (at < 0 || fstat(at, &st))
		return err_os(w->err, errno, "/");
	rc = check(w, "/", &st);
	while (!rc && next_name(w, name)) {
		if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW))
			return errno == ENOENT ? 0 : err_os(w->err, errno, "%s", w->dir);
		rc = check(w, name, &st);
		if (rc)
			return rc;
		if (S_ISLNK(st.st_mode)) {
			rc = follow(w, at, name);
			if (rc < 0)
				return rc;
			fd = rc ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : fcntl(at, F_DUPFD_CLOEXEC, 3);
			rc = 0;
		} else {
			fd = openat(at, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
		}
		if (fd < 0)
			return err_os(w->err, errno, "%s", w->dir);
		close(at);
		at = fd;
	}
	return rc;
}

int paths_check_way(const char *dir, struct pvctl_error *err)
{
	struct way *w = malloc(sizeof(*w));
	int rc;

	if (!w)
		return err_nomem(err);
	*w = (struct way){ .dir = dir, .outside = uid_outside(), .err = err };
	rc = snprintf(w->left, sizeof(w->left), "%s", dir) < (int)sizeof(w->left) && dir[0] == '/' ? walk(w) :
	     err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: an absolute path is needed", dir);
	free(w);
	return rc;
}

int paths_make_safe(const char *dir, struct pvctl_error *err)
{
	int rc = paths_check_way(dir, err);

	rc = rc ? rc : paths_make(dir, err);
	return rc ? rc : paths_check_way(dir, err);
}
