/* SPDX-License-Identifier: MIT */
/* The second step into the jail, inside diod, before its main. Whatever fails here ends the process. */
#include "jail.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say_and_end(const char *what)
{
	(void)!write(2, what, strlen(what));
	_exit(125);
}

static void enter_root(void)
{
	umask(0);
	if (chdir(JAIL_MOUNT) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		say_and_end("the new root cannot be entered\n");
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &h, d))
		say_and_end("capabilities cannot be dropped\n");
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* What a server of files does. What is not named fails with EPERM. */
static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(close), SCMP_SYS(lseek), SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(dup),
	SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs),
	SCMP_SYS(fstatfs), SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat),
	SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchown), SCMP_SYS(fchownat),
	SCMP_SYS(truncate), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(utimensat), SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(futimesat), SCMP_SYS(getxattr), SCMP_SYS(lgetxattr),
	SCMP_SYS(fgetxattr), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), SCMP_SYS(listxattr),
	SCMP_SYS(llistxattr), SCMP_SYS(flistxattr), SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr),
	SCMP_SYS(umask), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(pipe),
	SCMP_SYS(pipe2), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(futex),
	SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall), SCMP_SYS(gettid), SCMP_SYS(getpid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrlimit), SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(getrusage),
};

#define SET_ID (S_ISUID | S_ISGID)
#define CREATES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))

static int allow_mode(scmp_filter_ctx c, int call, unsigned int arg, mode_t mask, mode_t value)
{
	return seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1, SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value));
}

/*
 * The files belong to who started the node, often root: one with a set-id bit
 * would be the guest's program with that user's rights for whoever finds it on
 * the host. Nor are there devices. What open() creates nothing for has no mode.
 */
static int allow_modes(scmp_filter_ctx c)
{
	static const struct {
		int call;
		unsigned int arg;
	} with_mode[] = {
		{ SCMP_SYS(chmod), 1 }, { SCMP_SYS(fchmod), 1 }, { SCMP_SYS(fchmodat), 2 },
		{ SCMP_SYS(mkdir), 1 }, { SCMP_SYS(mkdirat), 2 }, { SCMP_SYS(open), 2 }, { SCMP_SYS(openat), 3 },
	};
	static const mode_t kinds[] = { 0, S_IFREG, S_IFIFO, S_IFSOCK };
	int bad = 0;

	for (unsigned int i = 0; !bad && i < sizeof(with_mode) / sizeof(with_mode[0]); i++)
		bad = allow_mode(c, with_mode[i].call, with_mode[i].arg, SET_ID, 0);
	for (unsigned int i = 0; !bad && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		bad = allow_mode(c, SCMP_SYS(mknod), 1, S_IFMT | SET_ID, kinds[i]) ||
		      allow_mode(c, SCMP_SYS(mknodat), 2, S_IFMT | SET_ID, kinds[i]);
	return bad || allow_mode(c, SCMP_SYS(open), 1, CREATES, 0) || allow_mode(c, SCMP_SYS(openat), 2, CREATES, 0);
}

/*
 * A directory in one with the set-gid bit is to have it as well: the guest's
 * kernel asks for that. It goes without, where the filter would let mkdir fail.
 */
__attribute__((visibility("default"))) int mkdir(const char *path, mode_t mode)
{
	return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode & ~SET_ID);
}

static void filter(void)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int bad = !c;

	for (unsigned int i = 0; !bad && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		bad = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	bad = bad || allow_modes(c);
	/* Memory, but never code. */
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads, but no processes and no namespaces; clone3's flags cannot be seen from here. */
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* diod wants it or ends. It has no secrets. */
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE));
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* abort() and the like: of its own. */
	bad = bad || seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (bad || seccomp_load(c))
		say_and_end("the system call filter cannot be loaded\n");
	seccomp_release(c);
}

__attribute__((constructor)) static void enter(void)
{
	const char ready = JAIL_READY;

	enter_root();
	drop_capabilities();
	filter();
	if (write(JAIL_SOCKET_FD, &ready, 1) != 1)
		_exit(125);
}
