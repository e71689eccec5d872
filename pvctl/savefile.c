/* SPDX-License-Identifier: MIT */
#include "pvctl/savefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A guest's memory is in it: nobody else's to read. */
#define MODE 0600
/* Behind the file's own name, before a process and a number: what is to take its place, which its process has locked. */
#define TEMPORARY ".pvctl-"

static int failed(struct pvctl_error *err, const char *path, int why)
{
	err->code = -why;
	err->origin = PVCTL_ORIGIN_OS;
	snprintf(err->msg, sizeof(err->msg), "%.600s: %s", path, strerror(why));
	return -why;
}

static void directory_of(const char *path, char *buf, size_t size)
{
	char copy[4100];

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(buf, size, "%s", dirname(copy));
}

/* A name of ours is followed by digits and a dot alone. */
static bool is_temporary(const char *name, const char *of)
{
	size_t n = strlen(of), t = strlen(TEMPORARY);

	return !strncmp(name, of, n) && !strncmp(name + n, TEMPORARY, t) && name[n + t] &&
	       strspn(name + n + t, "0123456789.") == strlen(name + n + t);
}

static void sweep(const char *path)
{
	const char *own = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char dir[4100];
	struct dirent *e;
	DIR *d;
	int fd;

	directory_of(path, dir, sizeof(dir));
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (!is_temporary(e->d_name, own))
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
			unlinkat(dirfd(d), e->d_name, 0);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
}

static int name_temporary(struct savefile *f)
{
	static unsigned int n;

	return snprintf(f->temporary, sizeof(f->temporary), "%s" TEMPORARY "%ld.%u", f->path, (long)getpid(), n++) < (int)sizeof(f->temporary) ?
	       0 : ENAMETOOLONG;
}

/* Without a name it goes with the process, however that ends. Some file systems cannot have that. */
static int open_new(struct savefile *f, struct pvctl_error *err)
{
	char dir[4100];
	int rc;

	directory_of(f->path, dir, sizeof(dir));
	f->fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
	if (f->fd >= 0) {
		/* Before it has a name; where a file system has no locks, nobody sweeps either. */
		(void)flock(f->fd, LOCK_EX | LOCK_NB);
		return 0;
	}
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return failed(err, dir, errno);
	do {
		rc = name_temporary(f);
		if (rc)
			return failed(err, f->path, rc);
		f->fd = open(f->temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, MODE);
	} while (f->fd < 0 && errno == EEXIST);
	if (f->fd >= 0) {
		(void)flock(f->fd, LOCK_EX | LOCK_NB);
		return 0;
	}
	f->temporary[0] = '\0';
	return failed(err, f->path, errno);
}

int savefile_open(struct savefile *f, const char *path, struct pvctl_error *err)
{
	struct stat st;

	*f = (struct savefile){ .path = path, .fd = -1 };
	if (strlen(path) > 4000)
		return failed(err, path, ENAMETOOLONG);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return failed(err, path, EISDIR);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		f->direct = true;
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
		return f->fd < 0 ? failed(err, path, errno) : 0;
	}
	sweep(path);
	return open_new(f, err);
}

/* The file's own, where nothing has it; else one that is to take its place. */
static int give_name(struct savefile *f)
{
	char own[40];
	int rc;

	snprintf(own, sizeof(own), "/proc/self/fd/%d", f->fd);
	if (!linkat(AT_FDCWD, own, AT_FDCWD, f->path, AT_SYMLINK_FOLLOW))
		return 0;
	do {
		rc = name_temporary(f);
		if (rc)
			return rc;
		if (!linkat(AT_FDCWD, own, AT_FDCWD, f->temporary, AT_SYMLINK_FOLLOW))
			return 0;
	} while (errno == EEXIST);
	f->temporary[0] = '\0';
	return errno;
}

static int sync_directory(const char *path)
{
	char dir[4100];
	int fd, rc;

	directory_of(path, dir, sizeof(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	rc = fsync(fd) && errno != EINVAL ? errno : 0;
	close(fd);
	return rc;
}

int savefile_sync(struct savefile *f, struct pvctl_error *err)
{
	return f->direct || !fsync(f->fd) ? 0 : failed(err, f->path, errno);
}

int savefile_commit(struct savefile *f, struct pvctl_error *err)
{
	int rc = 0;

	if (f->direct)
		return 0;
	if (!f->temporary[0])
		rc = give_name(f);
	if (!rc && f->temporary[0] && rename(f->temporary, f->path))
		rc = errno;
	if (rc)
		return failed(err, f->path, rc);
	f->temporary[0] = '\0';
	rc = sync_directory(f->path);
	/* The domain goes on: a file of it would be a second one. */
	if (rc)
		unlink(f->path);
	return rc ? failed(err, f->path, rc) : 0;
}

void savefile_name_in(const struct savefile *f, int rc, struct pvctl_error *err)
{
	struct pvctl_error inner = *err;

	if ((rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG) && !strstr(inner.msg, f->path))
		snprintf(err->msg, sizeof(err->msg), "%.200s: %.780s", f->path, inner.msg);
}

void savefile_close(struct savefile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temporary[0])
		unlink(f->temporary);
	*f = (struct savefile){ .fd = -1 };
}
