/* SPDX-License-Identifier: MIT */
/*
 * The daemon's system calls. It opens files in its directory, has sockets that others made, and threads; it connects to
 * nothing, runs no program, and signals nobody. What is not here ends it, with the number of the call in its log.
 */
#include "pvctld/core/seal.h"
#include "pvctld/jail/calls.h"
#include <errno.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define REFUSED_EXIT 126

static const int allowed[] = {
	/* What is open. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(close), SCMP_SYS(close_range),
	SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2), SCMP_SYS(fstat),
	SCMP_SYS(fstatfs), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(copy_file_range), SCMP_SYS(sendfile), SCMP_SYS(flock), SCMP_SYS(fadvise64),
	/* Names, in its directory. */
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(statfs), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(rmdir), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(umask),
	/* Connections that it has, and pairs of them. */
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	/* Waiting. */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(pidfd_open),
	/* Disks: the ring was made and restricted before (block/uring.c). */
	SCMP_SYS(io_uring_enter),
	/* Memory. */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(mincore), SCMP_SYS(msync),
	SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(memfd_create), SCMP_SYS(membarrier),
	/* Threads, signals, and the end of the process that writes a core. */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq),
	SCMP_SYS(arch_prctl), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(wait4), SCMP_SYS(waitid), SCMP_SYS(gettid), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(getpgrp), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	/* Time, and facts. */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getcpu),
};

/* These are tried by libraries and by us, and are not missed. */
static const int refused[] = {
	SCMP_SYS(kill), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat), SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(setpriority), SCMP_SYS(mbind),
	SCMP_SYS(set_mempolicy), SCMP_SYS(get_mempolicy), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_register),
};

static const unsigned long ioctls[] = { FIONREAD, FIONBIO, TCGETS, TUNSETOFFLOAD, TUNSETCARRIER, BLKGETSIZE64, BLKSSZGET,
	BLKPBSZGET, BLKDISCARD, BLKSECDISCARD, BLKZEROOUT, BLKFLSBUF, BLKROGET };
static const unsigned long prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_SET_VMA };

static int told;

/* It may have come in the middle of anything, malloc too. */
static void on_refused(int sig, siginfo_t *info, void *context)
{
	char text[80] = "pvctld ends: its filter does not have system call ", digits[16];
	unsigned int call = (unsigned int)info->si_syscall, n = 0;
	size_t len = strlen(text);

	/* No call: a tracer has taken it out, and says what it returned (strace's injected errors). */
	if (info->si_syscall == -1)
		return;
	do
		digits[n++] = (char)('0' + call % 10);
	while (call /= 10);
	while (n)
		text[len++] = digits[--n];
	text[len++] = '\n';
	(void)!write(told, text, len);
	_exit(REFUSED_EXIT);
}

/* No new code, no namespaces, no sockets but pairs of Unix's, no other's limits, its own threads' signals. */
static int allow_some(scmp_filter_ctx c)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	int bad = ALLOW_BY(c, SCMP_SYS(ioctl), 1, ioctls);

	bad = bad ? bad : ALLOW_BY(c, SCMP_SYS(prctl), 0, prctls);
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	return bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
}

int seal_filter(int log_fd)
{
	struct sigaction a = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_TRAP);
	int bad = c ? 0 : -ENOMEM;

	told = log_fd;
	sigaction(SIGSYS, &a, NULL);
	for (unsigned int i = 0; !bad && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	for (unsigned int i = 0; !bad && i < sizeof(refused) / sizeof(refused[0]); i++)
		bad = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	bad = bad ? bad : allow_some(c);
	bad = bad ? bad : seccomp_load(c);
	seccomp_release(c);
	return bad;
}
