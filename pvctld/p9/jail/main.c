/* SPDX-License-Identifier: MIT */
/*
 * pvctl-p9 [--check] [--readonly] DIRECTORY: a 9P server (diod) for DIRECTORY and
 * nothing else, on the connection that is open as JAIL_SOCKET_FD. --check: only
 * tries what the host must permit. What fails is said on stderr, in one line.
 */
#include "jail.h"
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HINT ": unprivileged user namespaces are needed (user.max_user_namespaces, kernel.unprivileged_userns_clone)"

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, e ? ": %s\n" : "\n", strerror(e));
	exit(1);
}

static const char *find_diod(void)
{
	static const char *const places[] = { "/usr/sbin/diod", "/usr/local/sbin/diod", "/usr/bin/diod", "/usr/local/bin/diod" };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (!access(places[i], X_OK))
			return places[i];
	errno = 0;
	die("the program diod is not there: install package diod");
}

static void find_library(char *buf, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buf, size - sizeof(JAIL_LIBRARY));

	if (n <= 0)
		die("its own directory");
	buf[n] = '\0';
	strcpy(strrchr(buf, '/') + 1, JAIL_LIBRARY);
	if (access(buf, R_OK))
		die("%s", buf);
}

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("%s" HINT, path);
	close(fd);
}

/* The caller, alone. */
static void take_namespaces(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	/* What the caller may do by other groups a guest may not. Not permitted: then it stays, as the caller's. */
	if (!uid && setgroups(0, NULL) && errno != EPERM)
		die("setgroups");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
		die("a sandbox for diod cannot be made" HINT);
	put_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", JAIL_UID(uid), uid);
	put_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", JAIL_UID(gid), gid);
	put_file("/proc/self/gid_map", map);
}

static int take_tree(const char *path, bool readonly)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
					    (readonly ? MOUNT_ATTR_RDONLY : 0) };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (fd < 0)
		die("%s", path);
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)))
		die("%s: mount_setattr (Linux 5.12 is needed)", path);
	return fd;
}

static void make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		die("%s", path);
}

/* diod asks who it is. */
static void put_user(void)
{
	char line[80];

	if (mkdir(JAIL_MOUNT "/etc", 0755))
		die("the new root");
	snprintf(line, sizeof(line), "share:x:%u:%u::/:\n", geteuid(), getegid());
	make_file(JAIL_MOUNT "/etc/passwd", line);
	snprintf(line, sizeof(line), "share:x:%u:\n", getegid());
	make_file(JAIL_MOUNT "/etc/group", line);
}

/* An almost empty root with the share in it, not in force yet: diod's libraries are still to be found. */
static void build_root(const char *path, bool readonly)
{
	int tree = take_tree(path, readonly);

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("private mounts");
	if (mount("tmpfs", JAIL_MOUNT, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755"))
		die("tmpfs");
	make_file(JAIL_MOUNT JAIL_CONFIG, "");
	put_user();
	if (mkdir(JAIL_MOUNT JAIL_SHARE, 0755))
		die("the new root");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, JAIL_MOUNT JAIL_SHARE, MOVE_MOUNT_F_EMPTY_PATH))
		die("move_mount");
	close(tree);
	if (mount("none", JAIL_MOUNT, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755"))
		die("a read-only root");
}

/* What the second step needs goes over the exec: pivot_root and umount. */
static void keep_capability(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	d[0].effective = d[0].permitted = d[0].inheritable = 1u << CAP_SYS_ADMIN;
	if (syscall(SYS_capset, &h, d) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0))
		die("capabilities");
}

static void limit(int what, rlim_t n)
{
	struct rlimit r = { n, n };

	if (setrlimit(what, &r))
		die("limits");
}

static void set_limits(void)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, JAIL_MAX_FILES);
	limit(RLIMIT_AS, JAIL_MAX_MEMORY);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_MSGQUEUE, 0);
}

int main(int argc, char **argv)
{
	bool check = false, readonly = false;
	char library[600], preload[640], socket_fd[8];
	const char *diod;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		check |= !strcmp(argv[i], "--check");
		readonly |= !strcmp(argv[i], "--readonly");
	}
	errno = 0;
	if (i + 1 != argc || argv[i][0] != '/')
		die("usage: pvctl-p9 [--check] [--readonly] DIRECTORY");
	diod = find_diod();
	find_library(library, sizeof(library));
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
	snprintf(socket_fd, sizeof(socket_fd), "%d", JAIL_SOCKET_FD);
	take_namespaces();
	build_root(argv[i], readonly);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("no_new_privs");
	keep_capability();
	if (check)
		return 0;
	set_limits();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	const char *args[] = { "diod", "--foreground", "--rfdno", socket_fd, "--wfdno", socket_fd, "--config-file", JAIL_CONFIG,
			       "--no-auth", "--allsquash", "--squashuser", "share", "--nwthreads", JAIL_THREADS, "--export", JAIL_SHARE,
			       "--logdest", "stderr", readonly ? "--export-opts" : NULL, "ro", NULL };
	char *env[] = { preload, NULL };

	execve(diod, (char *const *)(uintptr_t)args, env);
	die("%s", diod);
}
