/* SPDX-License-Identifier: MIT */
/* Only async-signal-safe calls after fork: the caller may have threads. */
#include "bootloader/run.h"
#include "bootloader/proto.h"
#include "bootloader/serve.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct child { pid_t pid; int pidfd, sock; };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static int open_disk(const char *path, int *ret_fd, struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, err_fold(errno), PVCTL_ORIGIN_OS, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "neither a file nor a block device");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Never returns. */
static void run_helper(const char *path, char *const *argv, const int fds[4])
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	char *const env[] = { NULL };
	int high[4], i, null = open("/dev/null", O_RDWR);
	sigset_t none;

	/* Out of the way of the numbers that are given below. */
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	for (i = 0; i < 4; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 10);
		if (high[i] < 0)
			_exit(127);
	}
	for (i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			_exit(127);
	for (i = 0; i < 4; i++)
		if (dup2(high[i], HELPER_SOCKET_FD + i) < 0)
			_exit(127);
	for (i = 1; i < 32; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_range(HELPER_RAMDISK_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execve(path, argv, env);
	_exit(127);
}

int boot_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct pvctl_error *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	int rc = getpwnam_r(name, &pw, buf, sizeof(buf), &found);

	if (rc)
		return err_os(err, rc, "user %.60s", name);
	if (!found)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "there is no user \"%.60s\"", name);
	if (pw.pw_uid == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a guest's disk is not read as root; name another user");
	if (geteuid() != 0 && pw.pw_uid != geteuid())
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "only root can read the disk as user \"%.60s\"", name);
	*ret_uid = pw.pw_uid;
	*ret_gid = pw.pw_gid;
	return 0;
}

struct helper_args { const char *argv[16]; char offset[24], runas[32]; };

static int make_args(const struct boot_ask *ask, struct helper_args *a, struct pvctl_error *err)
{
	const char *const pairs[][2] = { { "--entry", ask->entry }, { "--kernel", ask->kernel }, { "--ramdisk", ask->ramdisk },
		{ "--offset", ask->offset_bytes ? a->offset : NULL }, { "--runas", ask->user ? a->runas : NULL } };
	unsigned int i, n = 0;
	uid_t uid;
	gid_t gid;
	int rc;

	memset(a, 0, sizeof(*a));
	a->argv[n++] = "pvctl-bootloader";
	if (ask->driver)
		a->argv[n++] = "--nbd";
	if (ask->list)
		a->argv[n++] = "--list";
	if (ask->user) {
		rc = boot_find_user(ask->user, &uid, &gid, err);
		if (rc)
			return err_wrap(err, rc, "bootloader_user");
		snprintf(a->runas, sizeof(a->runas), "%u:%u", uid, gid);
	}
	snprintf(a->offset, sizeof(a->offset), "%llu", (unsigned long long)ask->offset_bytes);
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (!pairs[i][1])
			continue;
		a->argv[n++] = pairs[i][0];
		a->argv[n++] = pairs[i][1];
	}
	return 0;
}

static int start(int disk, const struct boot_ask *ask, const struct boot_result *r, struct child *c, struct pvctl_error *err)
{
	CLEANUP_CLOSE int mine = -1, theirs = -1;
	struct helper_args args;
	char path[600];
	int pair[2], rc = make_args(ask, &args, err);

	if (rc)
		return rc;
	if (paths_find_tool("pvctl-bootloader", path, sizeof(path)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "the program pvctl-bootloader is not installed");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_os(err, errno, "socketpair");
	mine = pair[0];
	theirs = pair[1];
	c->pid = fork();
	if (c->pid < 0)
		return err_os(err, errno, "fork");
	if (c->pid == 0)
		run_helper(path, (char *const *)(uintptr_t)args.argv,
		           (const int[4]){ theirs, disk, r->kernel_fd, r->ramdisk_fd });
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	c->sock = TAKE_FD(mine);
	return 0;
}

/* Whatever it was doing: dead afterwards. The caller may reap all its children itself. */
static int finish(struct child *c)
{
	int status = 0;

	if (c->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
		close(c->pidfd);
	} else {
		kill(c->pid, SIGKILL);
	}
	while (waitpid(c->pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		status = 0;
		break;
	}
	close(c->sock);
	return status;
}

/* The helper's text goes to terminals and JSON: no control characters, and only well-formed UTF-8. */
static void clean(char *text)
{
	uint8_t *p = (uint8_t *)text;
	unsigned int more, i;

	while (*p) {
		more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe1 && *p < 0xf0 && *p != 0xed ? 2 : 9;
		for (i = 1; i <= more && more < 9; i++)
			if ((p[i] & 0xc0) != 0x80)
				more = 9;
		/* C1 controls, too. */
		if (more == 9 || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0)) {
			*p++ = '?';
			continue;
		}
		p += more + 1;
	}
}

static int add_ramdisk(char **where, const char *text)
{
	char *joined;

	if (!*where)
		return (*where = strdup(text)) ? 0 : -ENOMEM;
	if (asprintf(&joined, "%s %s", *where, text) < 0)
		return -ENOMEM;
	free(*where);
	*where = joined;
	return 0;
}

static int entry_text(struct boot_result *r, uint32_t type, const char *text)
{
	struct boot_entry *e = r->n ? &r->entry[r->n - 1] : NULL;
	char **where;

	if (!e)
		return -EPROTO;
	if (type == HELPER_INITRD)
		return add_ramdisk(&e->ramdisk, text);
	where = type == HELPER_TITLE ? &e->title : type == HELPER_ID ? &e->id : type == HELPER_KERNEL ? &e->kernel : &e->cmdline;
	if (*where)
		return -EPROTO;
	*where = strdup(text);
	return *where ? 0 : -ENOMEM;
}

/* 1: it is done. */
static int take(struct boot_result *r, const struct helper_msg *h, const char *text, struct pvctl_error *err)
{
	switch (h->type) {
	case HELPER_ERROR:
		return err_set(err, err_fold(h->value && h->value < 4096 ? (int)h->value : EIO), PVCTL_ORIGIN_IMAGE, "%s", text);
	case HELPER_SOURCE:
		free(r->source);
		r->source = strdup(text);
		r->partition = h->value;
		return r->source ? 0 : err_nomem(err);
	case HELPER_ENTRY:
		if (h->value != r->n || r->n >= BOOT_MAX_ENTRIES)
			break;
		r->n++;
		return 0;
	case HELPER_TITLE: case HELPER_ID: case HELPER_KERNEL: case HELPER_INITRD: case HELPER_CMDLINE:
		if (entry_text(r, h->type, text))
			break;
		return 0;
	case HELPER_DEFAULT:
		if (h->value >= r->n)
			break;
		r->default_entry = h->value;
		return 0;
	case HELPER_CHOSEN:
		if (h->value >= r->n)
			break;
		r->chosen = (int32_t)h->value;
		return 0;
	case HELPER_WAIT:
		if (h->value > 1000000)
			break;
		r->wait_s = (int32_t)h->value;
		return 0;
	case HELPER_DONE:
		return 1;
	}
	return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "the boot loader's helper said something that makes no sense");
}

/* 0: done. 1: the helper ended without having said so. */
static int listen_to(int sock, int64_t deadline, struct boot_result *r, struct pvctl_error *err)
{
	struct { struct helper_msg h; char text[HELPER_MAX_TEXT + 1]; } m;
	struct pollfd p = { .fd = sock, .events = POLLIN };
	unsigned int count;
	int64_t left;
	ssize_t n;
	int rc;

	for (count = 0; count < HELPER_MAX_MESSAGES; count++) {
		left = deadline - now_ms();
		rc = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc == 0)
			return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB, "the boot loader's helper took too long");
		n = rc < 0 ? -1 : recv(sock, &m, sizeof(m) - 1, MSG_DONTWAIT);
		if (n < (ssize_t)sizeof(m.h))
			return 1;
		((char *)&m)[n] = '\0';
		clean(m.text);
		rc = take(r, &m.h, m.text, err);
		if (rc)
			return rc < 0 ? rc : 0;
	}
	return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "the boot loader's helper talks too much");
}

static int died(int status, struct pvctl_error *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the boot loader's helper was stopped: it tried what its sandbox forbids");
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB, "the boot loader's helper was stopped: out of time");
	if (WIFSIGNALED(status))
		return err_set(err, -EIO, PVCTL_ORIGIN_LIB,
		               "the boot loader's helper died of signal %d: the file system is damaged", WTERMSIG(status));
	return err_set(err, -EIO, PVCTL_ORIGIN_LIB, "the boot loader's helper failed (exit %d)", WEXITSTATUS(status));
}

/* What was written stays as it is from here on, whoever has it open. */
static int seal(struct boot_result *r, struct pvctl_error *err)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat k, rd;

	if (fcntl(r->kernel_fd, F_ADD_SEALS, seals) < 0 || fcntl(r->ramdisk_fd, F_ADD_SEALS, seals) < 0 ||
	    fstat(r->kernel_fd, &k) < 0 || fstat(r->ramdisk_fd, &rd) < 0)
		return err_os(err, errno, "memory file");
	if (k.st_size == 0 || k.st_size > HELPER_MAX_FILE || rd.st_size > HELPER_MAX_FILE)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel on the disk is empty");
	r->ramdisk_bytes = (uint64_t)rd.st_size;
	if (rd.st_size == 0) {
		close(r->ramdisk_fd);
		r->ramdisk_fd = -1;
	}
	return 0;
}

static int check_entries(const struct boot_result *r, struct pvctl_error *err)
{
	unsigned int i;

	for (i = 0; i < r->n; i++)
		if (!r->entry[i].title || !r->entry[i].kernel || !r->entry[i].cmdline)
			return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "the boot loader's helper left something out");
	return 0;
}

/* What the helper reads. */
static int open_source(const struct boot_ask *ask, int64_t deadline, struct boot_server *ret, struct pvctl_error *err)
{
	return ask->driver ? boot_server_start(ask->disk, ask->driver, deadline, ret, err) : open_disk(ask->disk, &ret->sock, err);
}

int boot_run(const struct boot_ask *ask, struct boot_result *ret, struct pvctl_error *err)
{
	struct child c = { -1, -1, -1 };
	struct boot_server disk = { -1, -1, -1 };
	int64_t deadline = now_ms() + (ask->timeout_ms ? ask->timeout_ms : HELPER_TIMEOUT_MS);
	int rc, status;

	memset(ret, 0, sizeof(*ret));
	ret->chosen = ret->wait_s = ret->kernel_fd = ret->ramdisk_fd = -1;
	rc = open_source(ask, deadline, &disk, err);
	if (rc)
		return err_wrap(err, rc, "disk %s", ask->disk);
	ret->kernel_fd = memfd_create("guest-kernel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ret->ramdisk_fd = memfd_create("guest-ramdisk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (ret->kernel_fd < 0 || ret->ramdisk_fd < 0)
		rc = err_os(err, errno, "memory file");
	if (!rc)
		rc = start(disk.sock, ask, ret, &c, err);
	if (!rc) {
		rc = listen_to(c.sock, deadline, ret, err);
		/* The end of the socket comes before the end of the process. */
		if (rc == 1 && c.pidfd >= 0)
			poll(&(struct pollfd){ .fd = c.pidfd, .events = POLLIN }, 1, 1000);
		status = finish(&c);
		if (rc == 1)
			rc = died(status, err);
	}
	boot_server_stop(&disk);
	if (!rc)
		rc = check_entries(ret, err);
	if (!rc && !ask->list)
		rc = ret->chosen < 0 ? err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "the boot loader's helper chose nothing") : seal(ret, err);
	if (rc) {
		boot_result_fini(ret);
		return err_wrap(err, rc, "disk %s", ask->disk);
	}
	return 0;
}

void boot_result_fini(struct boot_result *r)
{
	unsigned int i;

	for (i = 0; i < r->n; i++) {
		free(r->entry[i].title);
		free(r->entry[i].id);
		free(r->entry[i].kernel);
		free(r->entry[i].ramdisk);
		free(r->entry[i].cmdline);
	}
	free(r->source);
	if (r->kernel_fd >= 0)
		close(r->kernel_fd);
	if (r->ramdisk_fd >= 0)
		close(r->ramdisk_fd);
	memset(r, 0, sizeof(*r));
	r->kernel_fd = r->ramdisk_fd = -1;
}
