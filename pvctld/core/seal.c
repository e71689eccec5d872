/* SPDX-License-Identifier: MIT */
#include "pvctld/core/seal.h"
#include "pvctld/base/log.h"
#include "pvctld/jail/jail.h"
#include "pvctld/jail/userns.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { OWN_USER = 1, OWN_ROOT = 2, OWN_NET = 4, OWN_IPC = 8, NO_CAPS = 16, CALLS = 32 };
static unsigned int in_force;

/* They are root's, and whom the daemon becomes passes through them. */
static bool make_parents(char *path)
{
	mode_t mask = umask(022);
	bool ok = true;

	for (char *p = path + sizeof(JAIL_MOUNT); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		ok &= !mkdir(path, 0755) || errno == EEXIST;
	}
	ok &= !mkdir(path, 0755) || errno == EEXIST;
	umask(mask);
	return ok;
}

/* A root with the one directory, under the name that it has outside. */
static bool build_root(const char *state_dir)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	char path[600], defined[620];

	snprintf(path, sizeof(path), "%s%s", JAIL_MOUNT, state_dir);
	/* What the owner defined names files and scripts: it is neither read nor written here. */
	snprintf(defined, sizeof(defined), "%s/defined", path);
	return !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", JAIL_MOUNT, "tmpfs", flags, "size=64k,mode=755") && make_parents(path) &&
	       !mount(state_dir, path, NULL, MS_BIND, NULL) &&
	       !mount("none", path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) &&
	       !mount("tmpfs", defined, "tmpfs", flags | MS_RDONLY, "size=4k,mode=0") &&
	       !mount("none", JAIL_MOUNT, NULL, MS_REMOUNT | MS_RDONLY | flags, "size=64k,mode=755");
}

static bool enter_root(void)
{
	return !chdir(JAIL_MOUNT) && !syscall(SYS_pivot_root, ".", ".") && !umount2(".", MNT_DETACH) && !chdir("/");
}

static int take_namespaces(const char *state_dir, struct pvctl_error *err)
{
	const char *failed;

	if (unshare(CLONE_NEWNS) && (!userns_take(&failed) || unshare(CLONE_NEWNS)))
		return 0;
	if (!unshare(CLONE_NEWNET))
		in_force |= OWN_NET;
	if (!unshare(CLONE_NEWIPC | CLONE_NEWUTS))
		in_force |= OWN_IPC;
	(void)unshare(CLONE_NEWCGROUP);
	if (!build_root(state_dir))
		return 0;
	if (!enter_root())
		return fail(err, -EIO, "a root of the daemon's own: %s", strerror(errno));
	in_force |= OWN_ROOT;
	return 0;
}

static int become(uid_t uid, struct pvctl_error *err)
{
	if (!uid)
		return 0;
	/* The capabilities are what goes next; the bounding set takes one of them. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || (setgroups(0, NULL) && errno != EPERM) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		return fail(err, -EPERM, "a user of the daemon's own: %s", strerror(errno));
	in_force |= OWN_USER;
	return 0;
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = 1u << CAP_SETPCAP;
	if (!syscall(SYS_capset, &h, d))
		for (int cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
			;
	memset(d, 0, sizeof(d));
	if (!syscall(SYS_capset, &h, d))
		in_force |= NO_CAPS;
}

int seal(uid_t uid, const char *state_dir, struct pvctl_error *err)
{
	time_t now = time(NULL);
	struct tm tm;
	int rc;

	/* What the C library reads once, from files that will not be there. */
	tzset();
	localtime_r(&now, &tm);
	rc = take_namespaces(state_dir, err);
	rc = rc ? rc : become(uid, err);
	if (rc)
		return rc;
	drop_capabilities();
	rc = seal_filter(log_fd());
	if (rc)
		return fail(err, rc, "the daemon's system call filter: %s", strerror(-rc));
	in_force |= CALLS;
	return 0;
}

void seal_describe(char *buf, size_t size)
{
	static const struct { unsigned int flag; const char *text; } parts[] = {
		{ OWN_USER, "own user" }, { OWN_ROOT, "own root" }, { OWN_NET, "no network" }, { OWN_IPC, "own ipc" },
		{ NO_CAPS, "no capabilities" }, { CALLS, "system call list" },
	};
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]) && at < size; i++)
		if (in_force & parts[i].flag)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? ", " : "", parts[i].text);
}
