/* SPDX-License-Identifier: MIT */
/* Run by 81-confined.t in the jail of QEMU and qemu-nbd: tries what an escape would. jailed PROFILE GIVEN-NAME. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bad;

static void refused(const char *what, long rc)
{
	if (rc >= 0) {
		printf("%s: permitted\n", what);
		bad = 1;
	}
}

static void permitted(const char *what, bool ok)
{
	if (!ok) {
		printf("%s: %s\n", what, strerror(errno));
		bad = 1;
	}
}

static void *thread(void *arg)
{
	return arg;
}

static long make_process(void)
{
	long pid = syscall(SYS_fork);

	if (!pid)
		_exit(0);
	return pid;
}

static long make_process_by_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		_exit(0);
	return pid;
}

static void try_others(void)
{
	char *const none[] = { NULL };

	refused("fork", make_process());
	refused("clone", make_process_by_clone());
	refused("execve", execve("/proc/self/exe", none, none));
	refused("ptrace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	refused("kill", kill(getppid(), 0));
	refused("tgkill", syscall(SYS_tgkill, getppid(), getppid(), 0));
	refused("pidfd_open", syscall(SYS_pidfd_open, getppid(), 0));
	refused("process_vm_readv", syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
	refused("setpriority", setpriority(PRIO_PROCESS, 0, -1));
	refused("prlimit", syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, NULL));
}

static void try_kernel(void)
{
	static const struct { const char *name; int nr; } calls[] = {
		{ "bpf", SYS_bpf }, { "io_uring_setup", SYS_io_uring_setup }, { "keyctl", SYS_keyctl }, { "userfaultfd", SYS_userfaultfd },
		{ "perf_event_open", SYS_perf_event_open }, { "init_module", SYS_init_module }, { "kexec_load", SYS_kexec_load },
		{ "add_key", SYS_add_key }, { "memfd_create", SYS_memfd_create }, { "setns", SYS_setns }, { "personality", SYS_personality },
		{ "shmget", SYS_shmget }, { "mq_open", SYS_mq_open }, { "capset", SYS_capset }, { "pivot_root", SYS_pivot_root },
	};

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long rc = syscall(calls[i].nr, 0, 0, 0, 0, 0, 0);

		/* By the filter, and not by what the arguments are. */
		refused(calls[i].name, rc < 0 && errno == EPERM ? -1 : 0);
	}
	refused("unshare", unshare(CLONE_NEWUSER));
	refused("mount", mount("none", "/", "tmpfs", 0, NULL));
	refused("chroot", chroot("/"));
	refused("setuid", setuid(0));
	refused("TIOCSTI", syscall(SYS_ioctl, 0, 0x5412, "x") ? errno == EPERM ? -1 : 0 : 0);
}

static void try_files(const char *given)
{
	struct stat st;
	char byte;
	int fd;

	refused("/etc/passwd", open("/etc/passwd", O_RDONLY));
	refused("/proc", open("/proc/self/status", O_RDONLY));
	refused("a new file", open("/x", O_WRONLY | O_CREAT, 0600));
	refused("mkdir", mkdir("/x", 0700));
	refused("AF_UNIX", socket(AF_UNIX, SOCK_STREAM, 0));
	refused("AF_INET", socket(AF_INET, SOCK_STREAM, 0));
	refused("AF_NETLINK", socket(AF_NETLINK, SOCK_RAW, 0));
	refused("its environment", getenv("SECRET") || getenv("LD_PRELOAD") ? 0 : -1);
	fd = open(given, O_RDWR | O_CLOEXEC);
	permitted("what it was given", fd >= 0 && pread(fd, &byte, 1, 0) == 1 && byte == 'g');
	permitted("stat of that", !stat(given, &st) && S_ISREG(st.st_mode));
}

int main(int argc, char **argv)
{
	bool nbd = argc > 1 && !strcmp(argv[1], "nbd");
	pthread_t t;
	void *p;

	if (argc != 3)
		return 2;
	try_others();
	try_kernel();
	try_files(argv[2]);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	permitted("memory", p != MAP_FAILED);
	if (nbd)
		refused("code", mprotect(p, 4096, PROT_READ | PROT_EXEC));
	else
		permitted("code", !mprotect(p, 4096, PROT_READ | PROT_EXEC));
	permitted("a thread", !pthread_create(&t, NULL, thread, NULL) && !pthread_join(t, NULL));
	return bad;
}
