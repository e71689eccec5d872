/* SPDX-License-Identifier: MIT */
/* The node's directories. Who holds the lock on RUNDIR/lock owns what is in RUNDIR; without a holder it is left over. */
#include "libpvctl/src/util/fd.h"
#include "libpvctl/src/util/json.h"
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const files[] = { "control.sock", "store.sock", "spawner.sock", "node.json" };

static void remove_file(const struct daemon *d, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", d->run_dir, name);
	(void)unlink(path);
}

/* The one who unlinks a lock file still holds it: a lock that is not on the file of that name any more is void. */
static int take_lock(struct daemon *d, struct pvctl_error *err)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/lock", d->run_dir);
	for (unsigned int tries = 0; tries < 10; tries++) {
		struct stat mine, there;
		int rc = paths_make_safe(d->run_dir, err);
		int fd;

		if (rc)
			return rc;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return fail(err, -EIO, "%s: %s", path, strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			close(fd);
			return fail(err, -EEXIST, "node \"%s\" runs already", d->opt.node);
		}
		if (!fstat(fd, &mine) && !stat(path, &there) && mine.st_ino == there.st_ino) {
			d->lock_fd = fd;
			return 0;
		}
		close(fd);
	}
	return fail(err, -EBUSY, "%s: somebody else starts and stops this node", path);
}

/* Configurations of domains that died with an earlier daemon. */
static void remove_stale_configs(const struct daemon *d)
{
	char dir[300];
	struct dirent *e;
	DIR *dp;

	snprintf(dir, sizeof(dir), "%s/domains", d->state_dir);
	dp = opendir(dir);
	while (dp && (e = readdir(dp)))
		if (strstr(e->d_name, ".json") || !strncmp(e->d_name, ".tmp-", 5))
			(void)unlinkat(dirfd(dp), e->d_name, 0);
	if (dp)
		closedir(dp);
}

static uid_t owner = (uid_t)-1;

void rundir_set_owner(void)
{
	owner = geteuid();
}

uid_t rundir_owner(void)
{
	return owner == (uid_t)-1 ? geteuid() : owner;
}

static int find(struct daemon *d, struct pvctl_error *err)
{
	int rc = paths_run_dir(d->opt.node, d->run_dir, sizeof(d->run_dir), err);

	rc = rc ? rc : paths_state_dir(d->opt.node, d->state_dir, sizeof(d->state_dir), err);
	if (rc)
		return rc;
	snprintf(d->control_path, sizeof(d->control_path), "%s/control.sock", d->run_dir);
	snprintf(d->store_path, sizeof(d->store_path), "%s/store.sock", d->run_dir);
	if (strlen(d->control_path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return fail(err, -EINVAL, "%s: too long for a socket", d->control_path);
	return 0;
}

int rundir_share(struct daemon *d, int lock_fd, struct pvctl_error *err)
{
	d->lock_fd = lock_fd;
	return find(d, err);
}

int rundir_take(struct daemon *d, struct pvctl_error *err)
{
	static const char *const sub[] = { "", "/console", "/domains", "/dump", "/defined" };
	char dir[300];
	int rc = find(d, err);

	d->lock_fd = -1;
	for (unsigned int i = 0; i < sizeof(sub) / sizeof(sub[0]) && !rc; i++) {
		snprintf(dir, sizeof(dir), "%s%s", d->state_dir, sub[i]);
		rc = paths_make(dir, err);
	}
	rc = rc ? rc : take_lock(d, err);
	if (rc)
		return rc;
	d->in_run_dir = true;
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		remove_file(d, files[i]);
	remove_stale_configs(d);
	return 0;
}

static void put_str(struct json_out *o, const char *key, const char *v)
{
	json_out_key(o, key);
	json_out_str(o, v);
}

static void put_int(struct json_out *o, const char *key, uint64_t v)
{
	json_out_key(o, key);
	json_out_int(o, (long long)v);
}

int rundir_write_info(struct daemon *d, pid_t pid, struct pvctl_error *err)
{
	struct json_out o = { .rc = 0 };
	struct iovec v;
	char *text;
	int rc;

	json_out_open(&o, '{');
	put_str(&o, "name", d->opt.node);
	put_int(&o, "pid", (uint64_t)pid);
	put_int(&o, "qemu_pid", (uint64_t)d->node.qemu_pid);
	put_int(&o, "memory_bytes", d->node.ram_bytes);
	put_int(&o, "cpus", d->node.cpus);
	put_str(&o, "accel", d->node.accel);
	put_int(&o, "icount", d->opt.icount);
	put_str(&o, "store_socket", d->store_path);
	put_str(&o, "state_dir", d->state_dir);
	put_int(&o, "started_unix_ns", d->started_unix_ns);
	json_out_close(&o, '}');
	rc = json_out_take(&o, &text);
	if (rc)
		return fail(err, rc, rc == -ENOMEM ? "no memory" : "%s/node.json: a path in it is not UTF-8", d->run_dir);
	v = (struct iovec){ text, strlen(text) };
	rc = fd_write_atomic(d->run_dir, "node.json", &v, 1);
	free(text);
	return rc ? fail(err, rc, "%s/node.json: %s", d->run_dir, strerror(-rc)) : 0;
}

bool rundir_is_ours(const struct daemon *d)
{
	struct stat mine, there;
	char path[300];

	snprintf(path, sizeof(path), "%s/lock", d->run_dir);
	return !fstat(d->lock_fd, &mine) && !stat(path, &there) && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

void rundir_release(struct daemon *d)
{
	if (!d->in_run_dir)
		return;
	/* Removed under us: what is there now is another's. */
	if (!rundir_is_ours(d)) {
		close(d->lock_fd);
		d->in_run_dir = false;
		return;
	}
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		remove_file(d, files[i]);
	/* The starters' own lock: one that is unlinked under its holder costs the next starter a refusal by ours. */
	remove_file(d, "start.lock");
	remove_file(d, "lock");
	(void)rmdir(d->run_dir);
	close(d->lock_fd);
	d->in_run_dir = false;
}

int rundir_listen(const char *path, int type, struct pvctl_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, -EIO, "socket: %s", strerror(errno));
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (rc || listen(fd, 128)) {
		rc = fail(err, -EIO, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	return fd;
}

bool rundir_peer_is_us(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) && cred.uid == rundir_owner();
}
