/* SPDX-License-Identifier: MIT */
/* The second step into the jail, inside the program, before its main. Whatever fails here ends the process. */
#include "preload.h"
#include "jail.h"
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct opened opened[JAIL_MAX_OPEN];
unsigned int nr_opened;

void jail_failed(const char *what)
{
	(void)!write(2, what, strlen(what));
	_exit(125);
}

static unsigned int number(const char *name)
{
	const char *v = getenv(name);

	return v ? (unsigned int)atoi(v) : 0;
}

static void enter_root(void)
{
	if (chdir(JAIL_MOUNT) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		jail_failed("the new root cannot be entered\n");
}

/* linux/landlock.h of the oldest headers that this is built with knows the first word only. */
struct ruleset {
	uint64_t fs, net, scoped;
};
#define FS_ALL_V1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)
#define FS_READ (1ull << 2 | 1ull << 3)
#define NET_ALL_V4 3u
#define SCOPED_ALL_V6 3u /* abstract Unix sockets, signals: to itself only */

/* Beside the root and the filter, which may be missing or mistaken: nothing is opened, or only read. */
static unsigned int close_file_systems(enum profile p)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
	struct ruleset r = { .fs = FS_ALL_V1 };
	long fd;

	if (abi < 1)
		return 0;
	if (abi >= 2)
		r.fs |= FS_REFER;
	/* QEMU reads its firmware after this. */
	if (p != PROFILE_NBD)
		r.fs &= ~FS_READ;
	if (abi >= 4)
		r.net = NET_ALL_V4;
	if (abi >= 6)
		r.scoped = SCOPED_ALL_V6;
	fd = syscall(SYS_landlock_create_ruleset, &r, abi >= 6 ? sizeof(r) : abi >= 4 ? 16 : 8, 0);
	if (fd < 0)
		return 0;
	abi = syscall(SYS_landlock_restrict_self, fd, 0);
	close((int)fd);
	return abi ? 0 : JAIL_LANDLOCK;
}

static void drop_capabilities(int signal)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &h, d))
		jail_failed("capabilities cannot be dropped\n");
	/* The change of the user reset it; in between pvctld may have ended. */
	prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (getppid() != (pid_t)number(JAIL_ENV_PARENT))
		_exit(125);
}

static void learn_names(char *const *env)
{
	const size_t prefix = sizeof(JAIL_ENV_OPEN) - 1;

	for (; *env; env++) {
		const char *name = strchr(*env, '=');

		if (strncmp(*env, JAIL_ENV_OPEN, prefix) || !name)
			continue;
		if (nr_opened == JAIL_MAX_OPEN)
			jail_failed("too many names\n");
		opened[nr_opened].fd = atoi(*env + prefix);
		opened[nr_opened].name = strdup(name + 1);
		if (!opened[nr_opened++].name)
			jail_failed("no memory\n");
	}
}

/* Nor does /proc show it. What goes on is where the program's own memory is. */
static void forget_environment(char **env)
{
	const size_t prefix = sizeof(JAIL_ENV_KEEP) - 1;
	char *kept[JAIL_MAX_KEPT];
	unsigned int n = 0;

	for (; *env; env++) {
		if (!strncmp(*env, JAIL_ENV_KEEP, prefix) && (n == JAIL_MAX_KEPT || !(kept[n++] = strdup(*env + prefix))))
			jail_failed("too much environment\n");
		memset(*env, 0, strlen(*env));
		*env = NULL;
	}
	for (unsigned int i = 0; i < n; i++)
		if (putenv(kept[i]))
			jail_failed("no memory\n");
}

/* It is loaded. */
static void close_library(void)
{
	const char *path = getenv("LD_PRELOAD");

	if (path && !strncmp(path, JAIL_LIBRARY_FD, sizeof(JAIL_LIBRARY_FD) - 1))
		close(atoi(path + sizeof(JAIL_LIBRARY_FD) - 1));
}

__attribute__((constructor)) static void enter(int argc, char **argv, char **env)
{
	const char *p = getenv(JAIL_ENV_PROFILE);
	enum profile profile = p && !strcmp(p, "nbd") ? PROFILE_NBD : p && !strcmp(p, "kvm") ? PROFILE_KVM : PROFILE_TCG;
	unsigned int state = number(JAIL_ENV_STATE), status = number(JAIL_ENV_STATUS);
	unsigned char byte;

	(void)argc;
	(void)argv;
	close_library();
	learn_names(env);
	if (state & JAIL_ROOT)
		enter_root();
	drop_capabilities(profile == PROFILE_NBD ? SIGTERM : SIGKILL);
	forget_environment(env);
	if (profile == PROFILE_NBD) {
		char pid[16];

		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		if (setenv("LISTEN_PID", pid, 1))
			jail_failed("no memory\n");
	}
	state |= close_file_systems(profile);
	filter_load(profile);
	byte = (unsigned char)(state | JAIL_FILTER | JAIL_READY);
	if (status) {
		if (write((int)status, &byte, 1) != 1)
			_exit(125);
		close((int)status);
	}
}
