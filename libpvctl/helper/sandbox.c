/* SPDX-License-Identifier: MIT */
/*
 * Out of everything, before the first byte of the disk: no privileges to gain, no
 * network, no files, no processes, little memory and time. Namespaces and another
 * uid are taken where the host permits; the system call filter always, or the
 * program ends.
 */
#include "helper.h"
#include "util/refused.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void limit(int what, rlim_t n)
{
	struct rlimit r = { n, n };

	if (setrlimit(what, &r) < 0)
		_exit(125);
}

/* A root directory without anything in it. */
static void empty_root(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k") < 0)
		return;
	if (chdir("/proc") == 0 && chroot(".") == 0 && chdir("/") == 0)
		return;
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	syscall(SYS_capset, &h, d);
}

static void leave_namespaces(uid_t uid, gid_t gid)
{
	const int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	bool root = geteuid() == 0;

	if (unshare(root ? flags : flags | CLONE_NEWUSER) == 0)
		empty_root();
	if (!root)
		return drop_capabilities();
	/* Root must not stay root, whether or not the namespaces could be had. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		_exit(125);
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		drop_capabilities();
}

static void filter(void)
{
	static const int allowed[] = {
		SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(write), SCMP_SYS(pwrite64), SCMP_SYS(sendto),
		SCMP_SYS(fstat), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(futex), SCMP_SYS(exit),
		SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
		SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
		/* libext2fs asks whether it may trust the environment, which is empty. */
		SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	};
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_TRAP);
	unsigned int i;

	if (!c)
		_exit(125);
	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0))
			_exit(125);
	/* Memory, but never code. Asking for an identity (libext2fs does) gets no answer. */
	if (seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0)) ||
	    seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 0) ||
	    seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_GET_DUMPABLE)) ||
	    seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 0) ||
	    seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(newfstatat), 0) || seccomp_load(c))
		_exit(125);
	seccomp_release(c);
}

/* A library's new version may want a call that the filter does not know. */
static void tell_refused(void)
{
	struct { struct helper_msg h; char text[56]; } m = { { HELPER_ERROR, EIO }, "its sandbox forbids system call " };

	refused_calls_tell(HELPER_SOCKET_FD, &m, sizeof(m.h) + strlen(m.text));
}

void sandbox_enter(uid_t uid, gid_t gid)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(125);
	leave_namespaces(uid, gid);
	/* After the change of the uid, which resets both. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, HELPER_CPU_SECONDS);
	limit(RLIMIT_FSIZE, HELPER_MAX_FILE);
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_MSGQUEUE, 0);
	limit(RLIMIT_AS, HELPER_MEMORY);
	limit(RLIMIT_STACK, 8u << 20);
	/* No more files than are open: libseccomp needs none of its own. */
	limit(RLIMIT_NOFILE, 0);
	tell_refused();
	filter();
}
