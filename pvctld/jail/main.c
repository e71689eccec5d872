/* SPDX-License-Identifier: MIT */
/*
 * pvctl-jail PROFILE [--status FD] [--open FD=NAME] [--copy FILE] [--env NAME=VALUE] [--image[-ro] FILE] --
 *            PROGRAM ARGUMENT..., each of the options as often as needed. PROFILE: tcg, kvm or nbd.
 * The first step of jail.h. What the host does not permit is left out, and missing in the byte that pvctld gets.
 */
#include "chain.h"
#include "jail.h"
#include "userns.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534u
#define MAX_COPIES 8
#define FAILED 125

static const char *copies[MAX_COPIES];
static unsigned int nr_copies, state;
static char *env[JAIL_MAX_OPEN + 12];
static unsigned int nr_env;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	fputs("pvctl-jail: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, e ? ": %s\n" : "\n", strerror(e));
	exit(FAILED);
}

__attribute__((format(printf, 1, 2))) static void put_env(const char *fmt, ...)
{
	va_list ap;

	errno = 0;
	if (nr_env + 1 >= sizeof(env) / sizeof(env[0]))
		die("too many names");
	va_start(ap, fmt);
	if (vasprintf(&env[nr_env++], fmt, ap) < 0)
		die("no memory");
	va_end(ap);
}

void jail_open(int fd, const char *name)
{
	put_env(JAIL_ENV_OPEN "%d=%s", fd, name);
}

/* An ordinary user, alone. */
static bool take_user_namespace(void)
{
	const char *failed;

	if (userns_take(&failed))
		return true;
	if (failed)
		die("%s", failed);
	return false;
}

/* Of what kind a directory above it is does not matter: it is read only. */
static bool make_parents(const char *path)
{
	char part[4096];

	if ((size_t)snprintf(part, sizeof(part), "%s%s", JAIL_MOUNT, path) >= sizeof(part))
		return false;
	for (char *p = part + sizeof(JAIL_MOUNT); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return false;
	}
	return true;
}

static bool copy_in(const char *path)
{
	char to[4096], buf[65536];
	int in = open(path, O_RDONLY | O_CLOEXEC), out = -1;
	ssize_t n = -1;

	snprintf(to, sizeof(to), "%s%s", JAIL_MOUNT, path);
	if (in >= 0 && make_parents(path))
		out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	while (out >= 0 && (n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			break;
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return !n;
}

/* Not in force yet: the program's libraries are still to be found. */
static bool build_root(void)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV;

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	if (mount("tmpfs", JAIL_MOUNT, "tmpfs", flags, "size=64m,mode=755"))
		return false;
	for (unsigned int i = 0; i < nr_copies; i++)
		if (!copy_in(copies[i]))
			die("%s", copies[i]);
	if (mount("none", JAIL_MOUNT, NULL, MS_REMOUNT | MS_RDONLY | flags, "size=64m,mode=755"))
		die("a read-only root");
	return true;
}

static void take_namespaces(void)
{
	if (unshare(CLONE_NEWNS) && (!take_user_namespace() || unshare(CLONE_NEWNS)))
		return;
	if (!unshare(CLONE_NEWNET))
		state |= JAIL_NET;
	if (!unshare(CLONE_NEWIPC | CLONE_NEWUTS))
		state |= JAIL_IPC;
	(void)unshare(CLONE_NEWCGROUP);
	if (build_root())
		state |= JAIL_ROOT;
}

/* Without a root of its own the program opens files as who it is. */
static bool can_read_all(uid_t uid)
{
	bool ok = true;

	if (state & JAIL_ROOT)
		return true;
	if (seteuid(uid))
		return false;
	for (unsigned int i = 0; i < nr_copies; i++)
		ok &= !faccessat(AT_FDCWD, copies[i], R_OK, AT_EACCESS);
	if (seteuid(0))
		die("seteuid");
	return ok;
}

static void become(uid_t uid)
{
	if (state & JAIL_USER || !can_read_all(uid))
		return;
	/* Not the capabilities: the second step needs one still. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		die("keepcaps");
	/* In a user namespace this user may be unknown. */
	if (!setresgid(uid, uid, uid) && !setresuid(uid, uid, uid))
		state |= JAIL_USER;
}

static void leave_root(void)
{
	if (geteuid())
		return;
	if (setgroups(0, NULL) && errno != EPERM)
		die("setgroups");
	become(JAIL_UID_BASE + (uid_t)getpid());
	become(NOBODY);
}

static void set_capabilities(uint32_t now, uint32_t later)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = now;
	d[0].inheritable = later;
	if (syscall(SYS_capset, &h, d))
		die("capabilities");
}

/* What the second step needs goes over the exec: pivot_root and umount. */
static void keep_capability(void)
{
	const uint32_t keep = state & JAIL_ROOT ? 1u << CAP_SYS_ADMIN : 0;
	bool can_drop = prctl(PR_CAPBSET_READ, CAP_SETPCAP, 0, 0, 0) == 1 && (state & JAIL_ROOT || !geteuid());

	if (can_drop) {
		set_capabilities(keep | 1u << CAP_SETPCAP, keep);
		for (int cap = 0; !prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); cap++)
			;
	}
	set_capabilities(keep, keep);
	if (keep && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0))
		die("capabilities");
}

/* By descriptor: the program's own user may not reach where we are, as below a home directory of root's. */
static void put_library(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(JAIL_LIBRARY));
	int fd;

	if (n <= 0)
		die("its own directory");
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, JAIL_LIBRARY);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("%s", path);
	put_env("LD_PRELOAD=" JAIL_LIBRARY_FD "%d", fd);
	if (getenv("LD_LIBRARY_PATH"))
		put_env("LD_LIBRARY_PATH=%s", getenv("LD_LIBRARY_PATH"));
}

/* A descriptor and a name. */
static void give(char *arg)
{
	char *name = strchr(arg, '=');
	int fd = atoi(arg);

	errno = 0;
	if (!name || fcntl(fd, F_GETFD) < 0)
		die("--open %s", arg);
	(void)fcntl(fd, F_SETFD, 0);
	jail_open(fd, name + 1);
}

static int parse(int argc, char **argv)
{
	int i;

	errno = 0;
	for (i = 2; i + 1 < argc && strcmp(argv[i], "--"); i += 2) {
		char *value = argv[i + 1];

		if (!strcmp(argv[i], "--open"))
			give(value);
		else if (!strcmp(argv[i], "--copy") && nr_copies < MAX_COPIES)
			copies[nr_copies++] = value;
		else if (!strcmp(argv[i], "--status"))
			put_env(JAIL_ENV_STATUS "=%s", value);
		else if (!strcmp(argv[i], "--env"))
			put_env(JAIL_ENV_KEEP "%s", value);
		else if (!strcmp(argv[i], "--image"))
			chain_open(value, true);
		else if (!strcmp(argv[i], "--image-ro"))
			chain_open(value, false);
		else
			die("%s", argv[i]);
	}
	if (i + 1 >= argc || argv[i + 1][0] != '/')
		die("usage: pvctl-jail PROFILE [--status FD] [--open FD=NAME] [--copy FILE] -- PROGRAM ARGUMENT...");
	return i + 1;
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	int program;

	umask(022);
	program = parse(argc, argv);
	put_library();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("no_new_privs");
	take_namespaces();
	leave_root();
	keep_capability();
	put_env(JAIL_ENV_PARENT "=%d", (int)parent);
	put_env(JAIL_ENV_PROFILE "=%s", argv[1]);
	put_env(JAIL_ENV_STATE "=%u", state);
	execve(argv[program], argv + program, env);
	die("%s", argv[program]);
}
