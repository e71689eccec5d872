/* SPDX-License-Identifier: MIT */
/* Starting QEMU as the machine of a node, and telling why it did not start. */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/jail/jail.h"
#include "pvctld/node/confine.h"
#include "pvctld/node/node.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU_MIN QEMU_VERSION(7, 0)
#define MAX_ARGS 96

/* /dev/kvm that opens is no proof: there are machines without vmx and svm where it does. */
static bool kvm_usable(void)
{
	char line[8192];
	bool flag = false;
	FILE *f = fopen("/proc/cpuinfo", "re");
	int fd;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "flags", 5))
			continue;
		line[strcspn(line, "\n")] = ' ';
		flag = strstr(line, " vmx ") || strstr(line, " svm ");
		break;
	}
	if (f)
		fclose(f);
	if (!flag)
		return false;
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int choose_accel(const char *want, char ret[8], struct pvctl_error *err)
{
	if (!strcmp(want, "auto"))
		want = kvm_usable() ? "kvm" : "tcg";
	if (strcmp(want, "kvm") && strcmp(want, "tcg"))
		return fail(err, -EINVAL, "accelerator \"%s\": use auto, kvm or tcg", want);
	snprintf(ret, 8, "%s", want);
	return 0;
}

static int send_word(int sock, int64_t word, int fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &word, .iov_len = sizeof(word) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == sizeof(word) ? 0 : -errno;
}

/*
 * The whole ivshmem server handshake is queued before QEMU runs: protocol
 * version, QEMU's id, the shared memory, our vectors (peer 0), its own (peer 1).
 */
int qemu_queue_handshake(struct node *n, int *ret_fd, struct pvctl_error *err)
{
	int sv[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return fail(err, -EIO, "socketpair: %s", strerror(errno));
	rc = send_word(sv[0], 0, -1);
	if (!rc)
		rc = send_word(sv[0], 1, -1);
	if (!rc)
		rc = send_word(sv[0], -1, n->shm_fd);
	for (unsigned int i = 0; i < NODE_NR_VECTORS && !rc; i++)
		rc = send_word(sv[0], 0, n->host_efd[i]);
	for (unsigned int i = 0; i < NODE_NR_VECTORS && !rc; i++)
		rc = send_word(sv[0], 1, n->hv_efd[i]);
	if (rc) {
		close(sv[0]);
		close(sv[1]);
		return fail(err, -EIO, "doorbell handshake: %s", strerror(-rc));
	}
	n->iv_sock = sv[0]; /* kept: QEMU would take the end of it for a server that went away */
	*ret_fd = sv[1];
	return 0;
}

struct args {
	const char *v[MAX_ARGS];
	unsigned int n;
	char *owned[MAX_ARGS];
	unsigned int nr_owned;
	bool oom;
};

static void arg(struct args *a, const char *s)
{
	if (a->n < MAX_ARGS - 1)
		a->v[a->n++] = s;
}

static void argf(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void argf(struct args *a, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0) {
		a->oom = true;
		s = NULL;
	} else {
		a->owned[a->nr_owned++] = s;
		arg(a, s);
	}
	va_end(ap);
}

/* Translated code: QEMU's own choice is a gigabyte, which it fills over time. */
static unsigned long long code_buffer_mib(const struct node *n)
{
	unsigned long long mib = n->ram_bytes >> 24;

	return mib < 64 ? 64 : mib > 512 ? 512 : mib;
}

/*
 * LA57: PV guests have four levels. x2APIC, which came with 9.0: its registers are MSRs, whose timer cannot be read while
 * instructions are counted ("Bad icount read").
 */
static const char *tcg_cpu(const struct daemon *d)
{
	return d->opt.icount ? "max,-la57,-x2apic" : "max,-la57";
}

/* Before 9.1 the emulation makes far transfers of ring 3 as the supervisor: the hypervisor is told, and sees to it (pv/far.c). */
static const char *far_transfers(const struct daemon *d)
{
	bool kvm = !strcmp(d->node.accel, "kvm");

	return kvm || d->node.qemu_version >= QEMU_VERSION(9, 1) ? "" : " far-as-supervisor";
}

static void build_machine(struct daemon *d, struct args *a, const struct confine *c, int iv_fd)
{
	const struct node *n = &d->node;
	bool kvm = !strcmp(n->accel, "kvm");

	arg(a, "-M");
	arg(a, "q35,memory-backend=ram,max-ram-below-4g=2G");
	arg(a, "-accel");
	if (kvm)
		arg(a, "kvm");
	else
		argf(a, "tcg,thread=%s,tb-size=%llu", d->opt.icount ? "single" : "multi", code_buffer_mib(n));
	arg(a, "-cpu");
	arg(a, kvm ? "host" : tcg_cpu(d));
	if (d->opt.icount) {
		arg(a, "-icount");
		arg(a, "shift=0,sleep=off");
	}
	/* A second possible CPU keeps TCG's atomics atomic towards other processes. */
	arg(a, "-smp");
	argf(a, "%u,maxcpus=%u", n->cpus, n->cpus > 2 ? n->cpus : 2);
	arg(a, "-m");
	argf(a, "%lluM", (unsigned long long)(n->ram_bytes >> 20));
	arg(a, "-object");
	if (c->on)
		argf(a, "memory-backend-file,id=ram,size=%llu,mem-path=" JAIL_RAM ",share=on", (unsigned long long)n->ram_bytes);
	else
		argf(a, "memory-backend-file,id=ram,size=%llu,mem-path=/proc/self/fd/%d,share=on",
		     (unsigned long long)n->ram_bytes, n->ram_fd);
	arg(a, "-chardev");
	argf(a, "socket,id=iv,fd=%d", iv_fd);
	arg(a, "-device");
	argf(a, "ivshmem-doorbell,chardev=iv,vectors=%u", NODE_NR_VECTORS);
	arg(a, "-device");
	arg(a, "isa-debug-exit,iobase=0xf4,iosize=4");
}

static void build_jail(const struct node *n, struct args *a, const struct confine *c, int serial_fd)
{
	const char *const copies[] = { c->hv, c->rom, c->option_rom, c->module };

	arg(a, JAIL_TOOL);
	arg(a, c->kvm_fd >= 0 ? "kvm" : "tcg");
	arg(a, "--status");
	argf(a, "%d", c->said[1]);
	arg(a, "--open");
	argf(a, "%d=" JAIL_RAM, n->ram_fd);
	arg(a, "--open");
	argf(a, "%d=" JAIL_SERIAL, serial_fd);
	if (c->kvm_fd >= 0) {
		arg(a, "--open");
		argf(a, "%d=/dev/kvm", c->kvm_fd);
	}
	for (unsigned int i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		if (copies[i][0]) {
			arg(a, "--copy");
			arg(a, copies[i]);
		}
	if (c->module[0]) {
		arg(a, "--env");
		argf(a, "QEMU_MODULE_DIR=%.*s", (int)(strrchr(c->module, '/') - c->module), c->module);
	}
	arg(a, "--");
}

static void build_args(struct daemon *d, struct args *a, const struct confine *c, int iv_fd, int serial_fd)
{
	const char *extra = d->opt.hv_cmdline ? d->opt.hv_cmdline : "";

	memset(a, 0, sizeof(*a));
	if (c->on)
		build_jail(&d->node, a, c, serial_fd);
	arg(a, c->program);
	arg(a, "-name");
	argf(a, "pvctl-%s", d->opt.node);
	arg(a, "-nodefaults");
	arg(a, "-no-user-config");
	arg(a, "-display");
	arg(a, "none");
	arg(a, "-no-reboot");
	build_machine(d, a, c, iv_fd);
	arg(a, "-sandbox");
	arg(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	arg(a, "-bios");
	arg(a, c->on ? c->rom : "qboot.rom");
	arg(a, "-kernel");
	arg(a, c->on ? c->hv : d->opt.hv_path);
	arg(a, "-append");
	argf(a, "epoch_ns=%llu%s%s%s", (unsigned long long)now_unix_ns(), far_transfers(d), *extra ? " " : "", extra);
	arg(a, "-chardev");
	if (c->on)
		arg(a, "file,id=serial,path=" JAIL_SERIAL ",append=on");
	else
		argf(a, "file,id=serial,path=/proc/self/fd/%d,append=on", serial_fd);
	arg(a, "-serial");
	arg(a, "chardev:serial");
	a->v[a->n] = NULL;
}

static void close_others(const int *keep, unsigned int nr)
{
	long max = sysconf(_SC_OPEN_MAX);
	int highest = 2;

	for (unsigned int i = 0; i < nr; i++)
		if (keep[i] > highest)
			highest = keep[i];
	for (int fd = 3; fd < highest; fd++) {
		bool kept = false;

		for (unsigned int i = 0; i < nr; i++)
			kept |= keep[i] == fd;
		if (!kept)
			close(fd);
	}
	if (close_range((unsigned int)highest + 1, ~0u, 0))
		for (int fd = highest + 1; fd < max && fd < 65536; fd++)
			close(fd);
}

/* Without pvctl-jail: what can be had without anything prepared. A file of the host's it may read as who it is. */
static void confine_a_little(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	if (unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
		(void)unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS);
	if (syscall(SYS_capset, &h, none))
		_exit(127);
}

/* The caller's environment is none of its business, but for where its libraries are. */
static void __attribute__((noreturn)) child(const struct confine *c, char *libraries, struct args *a, pid_t parent, int log,
					    const int *keep, unsigned int nr)
{
	const char *file = c->on ? c->tool : c->program;
	char *const env[] = { libraries, NULL };
	sigset_t none;
	int null;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(127);
	for (unsigned int i = 0; i < nr; i++)
		if (keep[i] >= 0)
			(void)fcntl(keep[i], F_SETFD, 0);
	close_others(keep, nr);
	if (!c->on)
		confine_a_little();
	execve(file, (char *const *)(uintptr_t)a->v, env);
	dprintf(2, "cannot run %s: %s\n", file, strerror(errno));
	_exit(127);
}

static int open_log(const struct daemon *d, const char *name, struct pvctl_error *err)
{
	char path[300], old[310];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", d->state_dir, name);
	snprintf(old, sizeof(old), "%s.1", path);
	(void)rename(path, old);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(err, -EIO, "%s: %s", path, strerror(errno));
	/* The daemon looks at it, and cuts it. */
	if (d->opt.uid)
		(void)fchown(fd, d->opt.uid, d->opt.uid);
	return fd;
}

static void spawned(struct daemon *d, struct args *a, struct confine *c, int iv_fd, int serial, int log)
{
	const int keep[] = { d->node.ram_fd, iv_fd, serial, c->kvm_fd, c->said[1] };
	const char *path = getenv("LD_LIBRARY_PATH");
	pid_t parent = getpid();
	char libraries[1024] = "LC_ALL=C";

	if (path && strlen(path) < sizeof(libraries) - 20)
		snprintf(libraries, sizeof(libraries), "LD_LIBRARY_PATH=%s", path);
	build_args(d, a, c, iv_fd, serial);
	d->node.qemu_pid = a->oom ? -1 : fork();
	if (!d->node.qemu_pid)
		child(c, libraries, a, parent, log, keep, sizeof(keep) / sizeof(keep[0]));
}

static int spawn(struct daemon *d, struct confine *c, int iv_fd, struct pvctl_error *err)
{
	struct node *n = &d->node;
	struct args a;
	int serial, log, rc = 0;

	serial = open_log(d, "hv.log", err);
	if (serial < 0)
		return serial;
	log = open_log(d, "qemu.log", err);
	if (log < 0) {
		close(serial);
		return log;
	}
	spawned(d, &a, c, iv_fd, serial, log);
	if (n->qemu_pid < 0) {
		rc = fail(err, -EIO, "fork: %s", strerror(errno));
		n->qemu_pid = 0;
	} else {
		n->qemu_pidfd = (int)syscall(SYS_pidfd_open, n->qemu_pid, 0);
		if (n->qemu_pidfd < 0)
			rc = fail(err, -EIO, "pidfd_open: %s", strerror(errno));
	}
	for (unsigned int i = 0; i < a.nr_owned; i++)
		free(a.owned[i]);
	close(serial);
	close(log);
	return rc;
}

int qemu_start(struct daemon *d, int iv_fd, struct pvctl_error *err)
{
	struct confine c;
	int rc = choose_accel(d->opt.icount ? "tcg" : d->opt.accel, d->node.accel, err);

	if (!rc && access(d->opt.hv_path, R_OK))
		rc = fail(err, -ENOENT, "hypervisor %s: %s", d->opt.hv_path, strerror(errno));
	rc = rc ? rc : confine_find(&c, qemu_program(d), d->opt.hv_path, !strcmp(d->node.accel, "kvm"), err);
	if (rc)
		return rc;
	d->node.qemu_version = qemu_version(d);
	rc = spawn(d, &c, iv_fd, err);
	if (!rc && c.on) {
		d->node.jail_fd = c.said[0];
		c.said[0] = -1;
	}
	confine_close(&c);
	return rc;
}

/* The last lines of a log, joined to one. */
static void tail(const struct daemon *d, const char *name, char *buf, size_t len)
{
	char path[300];
	ssize_t got = 0;
	off_t size;
	int fd;

	buf[0] = 0;
	snprintf(path, sizeof(path), "%s/%s", d->state_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	size = lseek(fd, 0, SEEK_END);
	if (size > (off_t)len - 1)
		size -= (off_t)len - 1;
	else
		size = 0;
	got = pread(fd, buf, len - 1, size);
	close(fd);
	buf[got > 0 ? got : 0] = 0;
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	for (size_t l = strlen(buf); l && buf[l - 1] == ' ';)
		buf[--l] = 0;
}

int qemu_explain(struct daemon *d, int status, struct pvctl_error *err)
{
	char own[120], hv[120];
	unsigned int version = d->node.qemu_version;

	if (version && version < QEMU_MIN)
		return fail(err, -ENOSYS, "QEMU %u is too old: version %u or later is needed", version / 100, QEMU_MIN / 100);
	tail(d, "qemu.log", own, sizeof(own));
	tail(d, "hv.log", hv, sizeof(hv));
	if (WIFSIGNALED(status))
		return fail(err, -EIO, "QEMU was killed by signal %d; it said: %s; hypervisor: %s", WTERMSIG(status), own, hv);
	return fail(err, -EIO, "QEMU ended with status %d; it said: %s; hypervisor: %s",
		    WIFEXITED(status) ? WEXITSTATUS(status) : -1, own, hv);
}
