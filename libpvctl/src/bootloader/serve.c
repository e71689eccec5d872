/* SPDX-License-Identifier: MIT */
/* Only async-signal-safe calls after fork: the caller may have threads. */
#include "bootloader/serve.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define MEMORY_LIMIT (2ull << 30)
#define CPU_SECONDS 60u
#define LISTEN_FD 3
/* A domain that is started again may follow close on its own last server. */
#define LOCKED_MS 3000
#define LOCKED_POLL_MS 100

struct command {
	char jail[600], program[600], options[8192], libraries[1024];
	const char *path;
	bool device;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* QEMU's option syntax: a comma is doubled. */
static int put_options(struct command *c, const char *driver, bool shared)
{
	int n = snprintf(c->options, sizeof(c->options), "driver=%s,%sfile.driver=%s,file.filename=", driver,
	                 shared ? "force-share=on," : "", c->device ? "host_device" : "file");
	const char *p = c->path;

	for (; *p && n + 3 < (int)sizeof(c->options); p++) {
		if (*p == ',')
			c->options[n++] = ',';
		c->options[n++] = *p;
	}
	c->options[n] = '\0';
	return *p ? -ENAMETOOLONG : 0;
}

static int prepare(struct command *c, const char *path, const char *driver, struct pvctl_error *err)
{
	const char *libraries = getenv("LD_LIBRARY_PATH");
	struct stat st;

	c->path = path;
	c->device = !stat(path, &st) && S_ISBLK(st.st_mode);
	if (paths_find_program("qemu-nbd", c->program, sizeof(c->program)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "qemu-nbd is not installed (Debian: apt install qemu-utils), which "
		               "disks of format %s need", driver);
	if (paths_find_tool("pvctl-jail", c->jail, sizeof(c->jail)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "the program pvctl-jail is not installed");
	if (snprintf(c->libraries, sizeof(c->libraries), "LD_LIBRARY_PATH=%s", libraries ? libraries : "") >=
	    (int)sizeof(c->libraries))
		strcpy(c->libraries, "LD_LIBRARY_PATH=");
	return 0;
}

static void limit(int what, rlim_t value)
{
	const struct rlimit l = { value, value };

	(void)setrlimit((__rlimit_resource_t)what, &l);
}

static void __attribute__((noreturn)) run(const struct command *c, pid_t parent, int listener, int errors)
{
	const char *argv[] = { "pvctl-jail", "nbd", "--open", "0=/dev/null", "--env", "LISTEN_FDS=1", "--image-ro", c->path, "--",
			       c->program, "--image-opts", "--read-only", "--shared=1", "--export-name=", "--", c->options, NULL };
	const char *env[] = { "LC_ALL=C", c->libraries, NULL };
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	errors = fcntl(errors, F_DUPFD, 10);
	listener = fcntl(listener, F_DUPFD, 10);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(errors, 2) < 0 || dup2(listener, LISTEN_FD) < 0)
		_exit(127);
	(void)close_range(LISTEN_FD + 1, ~0u, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CPU_SECONDS);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	limit(RLIMIT_FSIZE, 0);
	execve(c->jail, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

/* A listening socket that nobody else can reach, and our end of its one connection. */
static int make_sockets(int *ret_listener, int *ret_sock, struct pvctl_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/pvctl-boot-XXXXXX";
	CLEANUP_CLOSE int listener = -1, sock = -1;
	int e = 0;

	if (!mkdtemp(dir))
		return err_os(err, errno, "%s", dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/disk", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || sock < 0 || bind(listener, (struct sockaddr *)&sa, sizeof(sa)) || listen(listener, 1) ||
	    connect(sock, (struct sockaddr *)&sa, sizeof(sa)))
		e = errno;
	(void)unlink(sa.sun_path);
	(void)rmdir(dir);
	if (e)
		return err_os(err, e, "%s", sa.sun_path);
	*ret_listener = TAKE_FD(listener);
	*ret_sock = TAKE_FD(sock);
	return 0;
}

/* Its complaint, as one clean line. */
static void read_errors(int fd, char *said, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && ((got = read(fd, said + n, size - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	while (n && (uint8_t)said[n - 1] <= ' ')
		n--;
	said[n] = '\0';
	for (char *p = said; *p; p++)
		if ((uint8_t)*p < ' ' || (uint8_t)*p > 0x7e)
			*p = ' ';
}

/* The first byte of its greeting: it has opened the image. 0, -EIO: it ended, -ETIMEDOUT. */
static int wait_greeting(int sock, int64_t until_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int64_t left;
	char c;
	int rc;

	do {
		left = until_ms - now_ms();
		rc = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return -ETIMEDOUT;
	return recv(sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ? 0 : -EIO;
}

static int try_start(const struct command *c, int64_t until_ms, struct boot_server *ret, bool *ret_locked, struct pvctl_error *err)
{
	CLEANUP_CLOSE int listener = -1, errors = -1, out = -1;
	struct boot_server s = { -1, -1, -1 };
	pid_t parent = getpid();
	char said[400] = "";
	int pair[2], rc;

	rc = make_sockets(&listener, &s.sock, err);
	if (rc)
		return rc;
	if (pipe2(pair, O_CLOEXEC)) {
		rc = errno;
		boot_server_stop(&s);
		return err_os(err, rc, "pipe");
	}
	errors = pair[0];
	out = pair[1];
	s.pid = fork();
	if (!s.pid)
		run(c, parent, listener, out);
	if (s.pid < 0) {
		rc = errno;
		boot_server_stop(&s);
		return err_os(err, rc, "fork");
	}
	s.pidfd = (int)syscall(SYS_pidfd_open, s.pid, 0);
	/* So that its end is seen at the other ends. */
	close(TAKE_FD(listener));
	close(TAKE_FD(out));
	rc = wait_greeting(s.sock, until_ms);
	if (!rc) {
		*ret = s;
		return 0;
	}
	boot_server_stop(&s);
	if (rc == -ETIMEDOUT)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "qemu-nbd, which reads it, took too long");
	read_errors(errors, said, sizeof(said));
	*ret_locked = err_qemu_locked(said);
	return err_set(err, -EIO, PVCTL_ORIGIN_IMAGE, "qemu-nbd cannot read it%s%s", said[0] ? ": " : "", said);
}

int boot_server_start(const char *path, const char *driver, int64_t until_ms, struct boot_server *ret, struct pvctl_error *err)
{
	const struct timespec pause = { 0, LOCKED_POLL_MS * 1000000l };
	CLEANUP_FREE struct command *c = malloc(sizeof(*c));
	int64_t patience = now_ms() + LOCKED_MS;
	bool shared = false, locked;
	int rc;

	if (!c)
		return err_nomem(err);
	rc = prepare(c, path, driver, err);
	while (!rc) {
		if (put_options(c, driver, shared))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the path is too long");
		locked = false;
		rc = try_start(c, until_ms, ret, &locked, err);
		if (!rc || !locked || shared)
			break;
		shared = now_ms() >= patience;
		nanosleep(&pause, NULL);
		rc = 0;
	}
	return rc;
}

/* What it has open is read only: nothing is lost with it. */
void boot_server_stop(struct boot_server *s)
{
	if (s->pid > 0) {
		if (s->pidfd < 0)
			kill(s->pid, SIGKILL);
		else
			syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
		/* The caller may reap all its children itself. */
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->sock >= 0)
		close(s->sock);
	*s = (struct boot_server){ -1, -1, -1 };
}
