/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are left. What is not named fails with EPERM, so that a library of another release that
 * tries something else goes on without. QEMU adds its own -sandbox to this.
 */
#include "calls.h"
#include "preload.h"
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

static const int allowed[] = {
	/* What is open. */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(close), SCMP_SYS(close_range),
	SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe), SCMP_SYS(pipe2),
	SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(copy_file_range), SCMP_SYS(flock),
	/* Names, in a root with next to nothing in it: looked up, not changed. */
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
	SCMP_SYS(getcwd), SCMP_SYS(chdir), SCMP_SYS(umask),
	/* Connections that it has. */
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(shutdown),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	/* Waiting. */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2),
	SCMP_SYS(signalfd4), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timer_create), SCMP_SYS(timer_settime), SCMP_SYS(timer_gettime), SCMP_SYS(timer_delete),
	/* Memory. */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(mincore), SCMP_SYS(msync),
	SCMP_SYS(mbind), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(membarrier),
	/* Threads and signals of its own. */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq),
	SCMP_SYS(arch_prctl), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_get_priority_max), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend), SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getpgrp),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups),
	SCMP_SYS(getresuid), SCMP_SYS(getresgid),
	/* Time, and facts. */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo),
	SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(getcpu),
	/* QEMU's own -sandbox, on top. */
	SCMP_SYS(seccomp),
};

/* prctl and ioctl, by what they ask. */
static const unsigned long prctls[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP,
	PR_SET_TIMERSLACK, PR_GET_DUMPABLE };
static const unsigned long ioctls[] = { FIONREAD, FIONBIO, TCGETS };
static const unsigned long disk_ioctls[] = { BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, BLKDISCARD, BLKZEROOUT, BLKFLSBUF,
	BLKROGET, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, 0x8020581e /* XFS_IOC_DIOINFO */, FS_IOC_FIEMAP };

/* Opening is for reading. */
static int allow_open(scmp_filter_ctx c)
{
	const scmp_datum_t mask = (O_ACCMODE | O_CREAT | O_TRUNC | __O_TMPFILE) & ~O_DIRECTORY;
	int bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, mask, O_RDONLY));

	return bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, mask, O_RDONLY));
}

/* Translated code is made at run time; a server of disks has no use for more code. */
static int allow_memory(scmp_filter_ctx c, enum profile p)
{
	const scmp_datum_t exec = p == PROFILE_NBD ? PROT_EXEC : 0;
	int bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0));

	return bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0));
}

/* Threads, but no processes and no namespaces; clone3's flags cannot be seen from here. */
static int allow_threads(scmp_filter_ctx c)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, self = (scmp_datum_t)getpid();
	int bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));

	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
	/* Limits are read, not set. */
	return bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
					    SCMP_A2(SCMP_CMP_EQ, 0));
}

static int allow_of_profile(scmp_filter_ctx c, enum profile p)
{
	int bad = 0;

	if (p == PROFILE_KVM)
		return seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 0);
	bad = ALLOW_BY(c, SCMP_SYS(ioctl), 1, ioctls);
	if (p == PROFILE_NBD) {
		bad = bad ? bad : ALLOW_BY(c, SCMP_SYS(ioctl), 1, disk_ioctls);
		bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(accept), 0);
		bad = bad ? bad : seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 0);
	}
	return bad;
}

void filter_load(enum profile p)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int bad = !c;

	for (unsigned int i = 0; !bad && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	bad = bad || allow_open(c) || allow_memory(c, p) || allow_threads(c) || allow_of_profile(c, p);
	bad = bad || ALLOW_BY(c, SCMP_SYS(prctl), 0, prctls);
	if (bad || seccomp_load(c))
		jail_failed("the system call filter cannot be loaded\n");
	seccomp_release(c);
}
