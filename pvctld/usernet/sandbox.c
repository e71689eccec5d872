/* SPDX-License-Identifier: MIT */
/* Before the first frame of the guest: Internet sockets and time are all that is left. */
#include "libpvctl/src/util/refused.h"
#include "pvctld/jail/jail.h"
#include "pvctld/usernet/usernet.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534u
#define MEMORY_MAX (1ul << 30)
#define FAILED 125

static void limit(int what, rlim_t n)
{
	struct rlimit r = { n, n };

	if (setrlimit(what, &r) < 0)
		_exit(FAILED);
}

/* Where the host permits: a root directory without anything in it. The network stays the host's, as its sockets are. */
static void leave_files(bool root)
{
	const int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

	if (unshare(root ? flags : flags | CLONE_NEWUSER) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k") < 0)
		return;
	/* Not only chroot: what is mounted below goes, too. */
	if (chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		_exit(FAILED);
}

/* Whether it is root no more. */
static bool become(uid_t uid)
{
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) {
		if (errno != EINVAL && errno != EPERM)
			_exit(FAILED);
		return false;
	}
	return true;
}

static void drop_privileges(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];
	bool root = geteuid() == 0;

	memset(none, 0, sizeof(none));
	leave_files(root);
	if (root && setgroups(0, NULL) < 0 && errno != EPERM)
		_exit(FAILED);
	/* In a user namespace that has neither, root is dropped to no capabilities. */
	if (root && !become(JAIL_UID_BASE + (uid_t)getpid()))
		(void)become(NOBODY);
	if (syscall(SYS_capset, &h, none) < 0)
		_exit(FAILED);
}

static void allow(scmp_filter_ctx c, int nr)
{
	if (seccomp_rule_add(c, SCMP_ACT_ALLOW, nr, 0))
		_exit(FAILED);
}

/* Sockets for the Internet; no Unix ones, which lead to the host's services. */
static void allow_sockets(scmp_filter_ctx c)
{
	static const int calls[] = {
		SCMP_SYS(connect), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
		SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
		SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
	};

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		allow(c, calls[i]);
	if (seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET)) ||
	    seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6)) ||
	    seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD)) ||
	    seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONBIO)))
		_exit(FAILED);
}

/* What libraries try, and can live without. */
static void refuse(scmp_filter_ctx c)
{
	static const int calls[] = {
		SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(access), SCMP_SYS(readlink),
		SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(prctl),
	};

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (seccomp_rule_add(c, SCMP_ACT_ERRNO(EACCES), calls[i], 0))
			_exit(FAILED);
}

static void filter(void)
{
	static const int calls[] = {
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(fcntl),
		SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
		SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(restart_syscall),
	};
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_TRAP);

	if (!c)
		_exit(FAILED);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		allow(c, calls[i]);
	allow_sockets(c);
	refuse(c);
	/* Memory, but never code. */
	if (seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0)) ||
	    seccomp_load(c))
		_exit(FAILED);
	seccomp_release(c);
}

void usernet_sandbox(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(FAILED);
	drop_privileges();
	/* After the change of the uid, which resets both. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	limit(RLIMIT_NOFILE, USERNET_FDS);
	limit(RLIMIT_AS, MEMORY_MAX);
	refused_calls_tell(USERNET_FD, USERNET_REFUSED, strlen(USERNET_REFUSED));
	filter();
}
