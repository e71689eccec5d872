/* SPDX-License-Identifier: MIT */
#include "snapshot/private.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/paths.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int below(const char *node, const char *sub, char buf[SNAPSHOT_PATH], struct pvctl_error *err)
{
	char state[300];
	int rc = paths_state_dir(node, state, sizeof(state), err);

	if (rc)
		return rc;
	snprintf(buf, SNAPSHOT_PATH, "%s/%s", state, sub);
	return paths_make(buf, err);
}

int snapshot_base(const char *node, char buf[SNAPSHOT_PATH], struct pvctl_error *err)
{
	return below(node, "snapshots", buf, err);
}

int snapshot_clones_dir(const char *node, char buf[SNAPSHOT_PATH], struct pvctl_error *err)
{
	return below(node, "clones", buf, err);
}

int snapshot_domain_dir(const char *node, const char *domain, char buf[SNAPSHOT_PATH], struct pvctl_error *err)
{
	char base[SNAPSHOT_PATH];
	int rc = key_check_name("name", domain, err);

	rc = rc ? rc : snapshot_base(node, base, err);
	if (rc)
		return rc;
	return snprintf(buf, SNAPSHOT_PATH, "%s/%s", base, domain) >= SNAPSHOT_PATH ?
	       err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", base) : 0;
}

int snapshot_check_name(const char *name, struct pvctl_error *err)
{
	if (!paths_check_node(name, NULL))
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
	               "snapshot \"%.64s\": 1 to 63 letters, digits, dots, dashes and underscores are allowed", name);
}

void snapshot_path(const char *dir, const char *file, char buf[SNAPSHOT_FILE_PATH])
{
	snprintf(buf, SNAPSHOT_FILE_PATH, "%s/%s", dir, file);
}

static int lock(const char *dir, int how, int *ret_fd, struct pvctl_error *err)
{
	struct stat held, there;
	int fd, e;

	for (;;) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_os(err, errno, "%s", dir);
		if (flock(fd, how)) {
			e = errno;
			close(fd);
			if (e == EINTR)
				return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
			return e == EWOULDBLOCK ? err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "%s: somebody else does something with the domain's "
			                                  "snapshots: try again when that has ended", dir) : err_os(err, e, "%s", dir);
		}
		if (!fstat(fd, &held) && !lstat(dir, &there) && held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
			*ret_fd = fd;
			return 0;
		}
		/* Its last snapshot went with it. */
		close(fd);
		if (mkdir(dir, 0700) && errno != EEXIST)
			return err_os(err, errno, "%s", dir);
	}
}

int snapshot_hold(const char *node, const char *domain, bool all, struct snapshot_hold *ret, struct pvctl_error *err)
{
	char base[SNAPSHOT_PATH];
	int rc = snapshot_base(node, base, err);

	ret->base = ret->own = -1;
	rc = rc ? rc : snapshot_domain_dir(node, domain, ret->dir, err);
	rc = rc ? rc : lock(base, all ? LOCK_EX : LOCK_SH, &ret->base, err);
	if (!rc && mkdir(ret->dir, 0700) && errno != EEXIST)
		rc = err_os(err, errno, "%s", ret->dir);
	rc = rc ? rc : lock(ret->dir, LOCK_EX | LOCK_NB, &ret->own, err);
	if (rc) {
		snapshot_release(ret);
		return rc;
	}
	snapshot_recover(node, ret->dir);
	snapshot_recover_clones(node);
	return 0;
}

void snapshot_release(struct snapshot_hold *h)
{
	if (h->own >= 0) {
		/* With the last one it goes, also where there was none. */
		(void)rmdir(h->dir);
		fd_unlock_close(h->own);
	}
	fd_unlock_close(h->base);
	h->base = h->own = -1;
}

int snapshot_load_dir(const char *dir, struct snapshot *ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[SNAPSHOT_FILE_PATH];
	int rc;

	snapshot_path(dir, SNAPSHOT_MANIFEST, path);
	rc = fd_read_text(path, JSON_MAX_TEXT, &text);
	if (rc)
		return err_os(err, -rc, "%s", path);
	rc = snapshot_parse(text, ret, err);
	return rc ? err_wrap(err, rc, "%s", path) : 0;
}

int snapshot_load(const char *node, const char *domain, const char *name, struct snapshot *ret, struct pvctl_error *err)
{
	char dir[SNAPSHOT_PATH], full[SNAPSHOT_PATH];
	int rc = snapshot_domain_dir(node, domain, dir, err);

	rc = rc ? rc : snapshot_check_name(name, err);
	if (rc)
		return rc;
	if (snprintf(full, sizeof(full), "%s/%s", dir, name) >= (int)sizeof(full))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", dir);
	if (access(full, F_OK))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "domain \"%s\" has no snapshot \"%s\" (pvctl snapshot list shows them)", domain, name);
	return snapshot_load_dir(full, ret, err);
}

int snapshot_write(const struct snapshot *s, const char *dir, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[SNAPSHOT_FILE_PATH];
	struct iovec v;
	int rc = snapshot_format(s, &text, err);

	if (rc)
		return rc;
	v = (struct iovec){ text, strlen(text) };
	snapshot_path(dir, SNAPSHOT_MANIFEST, path);
	rc = fd_write_durable(dir, SNAPSHOT_MANIFEST, &v, 1);
	return rc ? err_os(err, -rc, "%s", path) : 0;
}

static int each_of(const char *base, const char *domain, int (*one)(void *data, const char *dir, struct snapshot *s), void *data)
{
	char dir[SNAPSHOT_PATH], full[SNAPSHOT_PATH];
	struct dirent *e;
	struct snapshot s;
	int rc = 0;
	DIR *d;

	if (snprintf(dir, sizeof(dir), "%s/%s", base, domain) >= (int)sizeof(dir))
		return 0;
	d = opendir(dir);
	while (d && !rc && (e = readdir(d))) {
		if (e->d_name[0] == '.' || snprintf(full, sizeof(full), "%s/%s", dir, e->d_name) >= (int)sizeof(full) ||
		    snapshot_load_dir(full, &s, NULL))
			continue;
		rc = one(data, full, &s);
		snapshot_free(&s);
	}
	if (d)
		closedir(d);
	return rc;
}

int snapshot_each(const char *node, const char *domain, int (*one)(void *data, const char *dir, struct snapshot *s), void *data,
                  struct pvctl_error *err)
{
	char base[SNAPSHOT_PATH];
	struct dirent *e;
	DIR *d;
	int rc = snapshot_base(node, base, err);

	if (rc)
		return rc;
	if (domain)
		return each_of(base, domain, one, data);
	d = opendir(base);
	if (!d)
		return err_os(err, errno, "%s", base);
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = each_of(base, e->d_name, one, data);
	closedir(d);
	return rc;
}
