/* SPDX-License-Identifier: MIT */
/*
 * qemu-nbd, confined (see jail/jail.h): it reads what guests and strangers wrote. Only
 * async-signal-safe calls after fork, as the daemon has threads.
 */
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/core/daemon.h"
#include "pvctld/core/program.h"
#include "pvctld/jail/jail.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FILTER 4096u
#define MEMORY_LIMIT (4ull << 30)

/* Where pvctl-jail is not there. */
static const int denied[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(bpf), SCMP_SYS(keyctl),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
	SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(open_by_handle_at), SCMP_SYS(io_uring_setup), SCMP_SYS(quotactl),
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid),
	SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(sethostname), SCMP_SYS(connect),
};

/* Not the program's own job; no network above all. */
static int make_filter(struct sock_filter *buf, struct sock_fprog *ret)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = memfd_create("filter", MFD_CLOEXEC), rc = ctx && fd >= 0 ? 0 : -ENOMEM;
	ssize_t n = -1;

	for (unsigned int i = 0; !rc && i < sizeof(denied) / sizeof(denied[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	rc = rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	rc = rc ? rc : seccomp_export_bpf(ctx, fd);
	if (!rc)
		n = pread(fd, buf, MAX_FILTER * sizeof(*buf), 0);
	if (n <= 0 || n == (ssize_t)(MAX_FILTER * sizeof(*buf)))
		rc = rc ? rc : -EIO;
	ret->len = (unsigned short)(n > 0 ? (size_t)n / sizeof(*buf) : 0);
	ret->filter = buf;
	seccomp_release(ctx);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void limit(int what, rlim_t value)
{
	const struct rlimit l = { value, value };

	if (setrlimit((__rlimit_resource_t)what, &l))
		_exit(125);
}

/* "LISTEN_PID=123": snprintf is not safe here. */
static void pid_text(char *buf, pid_t pid)
{
	char digits[16];
	unsigned int n = 0;

	do
		digits[n++] = (char)('0' + pid % 10);
	while (pid /= 10);
	buf += strlen(buf);
	while (n)
		*buf++ = digits[--n];
	*buf = '\0';
}

static void __attribute__((noreturn)) child(const char *file, const char *const *argv, pid_t parent, int listener, int log,
					    const struct sock_fprog *filter, const char *libraries)
{
	char pid[40] = "LISTEN_PID=";
	const char *env[] = { pid, "LISTEN_FDS=1", "LC_ALL=C", libraries, NULL };
	sigset_t none;
	int null;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	/* It ends by itself when its socket does; this is for one that is busy. SIGTERM lets it write what it has. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
		_exit(125);
	null = open("/dev/null", O_RDWR);
	log = fcntl(log, F_DUPFD, 10);
	listener = fcntl(listener, F_DUPFD, 10);
	if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(listener, 3) < 0)
		_exit(125);
	(void)close_range(4, ~0u, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	limit(RLIMIT_NOFILE, 256);
	pid_text(pid, getpid());
	/* The jail has a filter of its own. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || (filter && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter)))
		_exit(125);
	execve(file, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

#define JAIL_ARGS 10

/* Returns how many. The names in front of the program's own arguments are pvctl-jail's. */
static unsigned int put_jail(const struct disk_spec *s, const char **argv)
{
	const char *const args[JAIL_ARGS] = { JAIL_TOOL, "nbd", "--open", "0=/dev/null", "--env", "LISTEN_FDS=1",
					      s->readonly ? "--image-ro" : "--image", s->target, "--", NULL };
	unsigned int n = 0;

	for (; args[n]; n++)
		argv[n] = args[n];
	return n;
}

static pid_t start(const struct disk_spec *s, const char *program, int listener, int log, const struct sock_fprog *filter)
{
	const char *own[] = {
		program, "--format", disk_format_driver(s->format), s->direct_io_safe ? "--cache=none" : "--cache=writeback",
		"--aio=threads", s->no_discard ? "--discard=ignore" : "--discard=unmap", "--shared=1", "--export-name=",
		s->readonly ? "--read-only" : "--", s->readonly ? "--" : s->target, s->readonly ? s->target : NULL, NULL,
	};
	const char *argv[JAIL_ARGS + sizeof(own) / sizeof(own[0])], *path = getenv("LD_LIBRARY_PATH");
	char tool[600], libraries[1024] = "LD_LIBRARY_PATH=";
	bool jail = !paths_find_tool(JAIL_TOOL, tool, sizeof(tool));
	pid_t parent = getpid(), pid;

	memcpy(argv + (jail ? put_jail(s, argv) : 0), own, sizeof(own));
	if (path && strlen(path) < sizeof(libraries) - 20)
		strcat(libraries, path);
	pid = fork();
	if (!pid)
		child(jail ? tool : program, argv, parent, listener, log, jail ? NULL : filter, libraries);
	return pid;
}

/* A listening socket that nobody else can find, and our end. */
static int make_sockets(const char *run_dir, int *ret_listener, int *ret_sock, struct pvctl_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int rc, sock;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/disk.sock", run_dir) >= sizeof(sa.sun_path))
		return fail(err, -ENAMETOOLONG, "%s is too long a directory for a socket", run_dir);
	(void)unlink(sa.sun_path);
	rc = rundir_listen(sa.sun_path, SOCK_STREAM, err);
	if (rc < 0)
		return rc;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&sa, sizeof(sa))) {
		int e = errno;

		close(rc);
		if (sock >= 0)
			close(sock);
		(void)unlink(sa.sun_path);
		return fail(err, -EIO, "%s: %s", sa.sun_path, strerror(e));
	}
	(void)unlink(sa.sun_path);
	*ret_listener = rc;
	*ret_sock = sock;
	return 0;
}

static pid_t spawn(const struct disk_spec *s, int listener, int log, struct pvctl_error *err)
{
	struct sock_filter *buf = malloc(MAX_FILTER * sizeof(*buf));
	struct sock_fprog filter;
	char program[512];
	pid_t pid;
	int rc;

	if (!program_find("qemu-nbd", program, sizeof(program))) {
		free(buf);
		return fail(err, -ENOENT, "qemu-nbd is not installed (Debian: apt install qemu-utils), which format %s needs",
			    disk_format_name(s->format));
	}
	rc = buf ? make_filter(buf, &filter) : -ENOMEM;
	if (rc) {
		free(buf);
		return fail(err, rc, "disk \"%.600s\": the system call filter for qemu-nbd: %s", s->target, strerror(-rc));
	}
	pid = start(s, program, listener, log, &filter);
	rc = errno;
	free(buf);
	return pid > 0 ? pid : fail(err, -EIO, "disk \"%.600s\": fork: %s", s->target, strerror(rc));
}

pid_t nbd_spawn(const char *run_dir, const struct disk_spec *s, int log, int *ret_sock, struct pvctl_error *err)
{
	int listener = -1, rc = make_sockets(run_dir, &listener, ret_sock, err);
	pid_t pid;

	if (rc)
		return rc;
	pid = spawn(s, listener, log, err);
	close(listener);
	if (pid < 0)
		close(*ret_sock);
	return pid;
}
