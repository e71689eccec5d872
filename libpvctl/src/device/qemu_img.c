/* SPDX-License-Identifier: MIT */
#include "device/qemu_img.h"
#include "util/err.h"
#include "util/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_LIMIT (2ull << 30)
#define TICK_MS 100
#define FIRST_FD 5 /* as in QEMU_IMG_OPENED */
#define SAFE_FD 64 /* above all that it gets */

/* A process that is prepared: after fork() nothing but system calls is done. */
struct command {
	char jail[400];    /* pvctl-jail, or "": not installed, and qemu-img runs as the caller */
	char program[400];
	const char *argv[2 * QEMU_IMG_MAX_FILES + QEMU_IMG_MAX_ARGS + 8];
	unsigned int own;  /* where in argv qemu-img's own begin */
	char *name[QEMU_IMG_MAX_FILES];
	int fd[QEMU_IMG_MAX_FILES];
	unsigned int n;
	bool writes;
	uint32_t limit_ms;
};

static int bad(const char *about, struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "disk \"%.600s\": %s", about, what);
}

static void release(struct command *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		free(c->name[i]);
		if (c->fd[i] >= 0)
			close(c->fd[i]);
	}
}

static int open_file(struct command *c, const struct qemu_img_file *f, struct pvctl_error *err)
{
	unsigned int i = c->n;

	/* O_NONBLOCK: a FIFO must not hold it up. */
	c->fd[i] = f->opened ? fcntl(f->fd, F_DUPFD_CLOEXEC, 0) : open(f->path, (f->write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (c->fd[i] < 0)
		return err_os(err, errno, "disk \"%.600s\"", f->path);
	c->n++;
	c->writes |= f->write;
	if (asprintf(&c->name[i], "%u=%s", FIRST_FD + i, f->path) < 0) {
		c->name[i] = NULL;
		return err_nomem(err);
	}
	return 0;
}

static int prepare(struct command *c, const struct qemu_img *q, struct pvctl_error *err)
{
	unsigned int n = 0, i;
	int rc = 0;

	if (paths_find_program("qemu-img", c->program, sizeof(c->program)))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "qemu-img is not installed (Debian: apt install qemu-utils): %s", q->need);
	if (paths_find_tool("pvctl-jail", c->jail, sizeof(c->jail)))
		c->jail[0] = '\0';
	c->limit_ms = q->limit_ms;
	c->argv[n++] = "pvctl-jail";
	c->argv[n++] = "nbd";
	c->argv[n++] = "--open";
	c->argv[n++] = "0=/dev/null";
	for (i = 0; i < q->n_files && !rc; i++) {
		if (i == QEMU_IMG_MAX_FILES)
			return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "qemu-img: too many files");
		c->argv[n++] = q->file[i].image ? "--image-ro" : "--open";
		if (!q->file[i].image)
			rc = open_file(c, &q->file[i], err);
		c->argv[n++] = q->file[i].image ? q->file[i].path : rc ? NULL : c->name[c->n - 1];
	}
	if (rc)
		return rc;
	c->argv[n++] = "--";
	c->own = n;
	c->argv[n++] = c->program;
	for (i = 0; q->args[i]; i++) {
		if (i == QEMU_IMG_MAX_ARGS)
			return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "qemu-img: too many arguments");
		c->argv[n++] = q->args[i];
	}
	c->argv[n] = NULL;
	return 0;
}

static void limit(int what, rlim_t value)
{
	const struct rlimit l = { value, value };

	(void)setrlimit((__rlimit_resource_t)what, &l);
}

/* Only async-signal-safe calls: the caller may have threads. */
static void __attribute__((noreturn)) run(const struct command *c, int out, int errors)
{
	const char *const *argv = c->jail[0] ? c->argv : c->argv + c->own;
	int null = open("/dev/null", O_RDWR), fd[QEMU_IMG_MAX_FILES];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	out = fcntl(out, F_DUPFD, SAFE_FD);
	errors = fcntl(errors, F_DUPFD, SAFE_FD);
	for (unsigned int i = 0; i < c->n; i++)
		fd[i] = fcntl(c->fd[i], F_DUPFD, SAFE_FD);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(errors, 2) < 0)
		_exit(127);
	for (unsigned int i = 0; i < c->n; i++)
		if (dup2(fd[i], FIRST_FD + (int)i) < 0)
			_exit(127);
	(void)close_range(3, FIRST_FD - 1, 0);
	(void)close_range(FIRST_FD + c->n, ~0u, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_AS, MEMORY_LIMIT);
	if (c->limit_ms)
		limit(RLIMIT_CPU, c->limit_ms / 1000);
	if (!c->writes)
		limit(RLIMIT_FSIZE, 0);
	execv(c->jail[0] ? c->jail : c->program, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* 0, or why it is ended: -ETIMEDOUT, -ECANCELED. */
static int wait_some(const struct qemu_img *q, struct pollfd p[2], long long until)
{
	long long left = until ? until - now_ms() : TICK_MS;
	int n;

	if (left <= 0)
		return -ETIMEDOUT;
	n = poll(p, 2, q->tick && left > TICK_MS ? TICK_MS : (int)left);
	if (n < 0 && errno != EINTR)
		return -ETIMEDOUT;
	if (n <= 0)
		p[0].revents = p[1].revents = 0;
	return q->tick && q->tick(q->tick_data) ? -ECANCELED : 0;
}

/* Both ends of its output, until it ends. -E2BIG: it says too much. */
static int collect(const struct qemu_img *q, const int fd[2], char *const text[2], const size_t max[2])
{
	struct pollfd p[2] = { { .fd = fd[0], .events = POLLIN }, { .fd = fd[1], .events = POLLIN } };
	long long until = q->limit_ms ? now_ms() + q->limit_ms : 0;
	size_t len[2] = { 0, 0 };
	int rc;

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		rc = wait_some(q, p, until);
		if (rc)
			return rc;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, text[i] + len[i], max[i] - len[i]);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				p[i].fd = -1;
				continue;
			}
			len[i] += (size_t)n;
			text[i][len[i]] = '\0';
			if (len[i] == max[i] && !i)
				return -E2BIG;
			/* Of complaints the first are enough. */
			if (len[i] == max[i])
				p[i].fd = -1;
		}
	}
	return 0;
}

static void clean(char *said)
{
	size_t n = strlen(said);

	for (char *p = said; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = ' ';
	while (n && said[n - 1] == ' ')
		said[--n] = '\0';
}

static int start(const struct command *c, int ret_out[2], pid_t *ret_pid, struct pvctl_error *err)
{
	int out[2], errors[2];

	if (pipe2(out, O_CLOEXEC))
		return err_os(err, errno, "pipe");
	if (pipe2(errors, O_CLOEXEC)) {
		int e = errno;

		close(out[0]);
		close(out[1]);
		return err_os(err, e, "pipe");
	}
	*ret_pid = fork();
	if (!*ret_pid)
		run(c, out[1], errors[1]);
	close(out[1]);
	close(errors[1]);
	ret_out[0] = out[0];
	ret_out[1] = errors[0];
	if (*ret_pid > 0)
		return 0;
	close(out[0]);
	close(errors[0]);
	return err_os(err, EAGAIN, "fork");
}

/* A complaint about what we opened for it, by the name that people know. What about it came last is why. */
static const char *by_name(const struct qemu_img *q, const char *about, char *said)
{
	char *p, *last = NULL;
	const char *name = NULL;

	for (unsigned int i = 0; i < q->n_files && !name; i++)
		name = q->file[i].opened ? q->file[i].name : NULL;
	for (p = said; (p = strstr(p, QEMU_IMG_OPENED ": ")); p += strlen(QEMU_IMG_OPENED))
		last = p + strlen(QEMU_IMG_OPENED ": ");
	if (!name || (!last && !strstr(said, "No space left")))
		return about;
	if (last)
		memmove(said, last, strlen(last) + 1);
	return name;
}

int qemu_img_run(const struct qemu_img *q, const char *about, char *text, size_t max, struct pvctl_error *err)
{
	char said[200] = "", *texts[2] = { text, said };
	const size_t sizes[2] = { max, sizeof(said) - 1 };
	struct command c = { .n = 0 };
	int status = 0, out[2] = { -1, -1 }, rc;
	pid_t pid = -1;

	text[0] = '\0';
	rc = prepare(&c, q, err);
	if (!rc)
		rc = start(&c, out, &pid, err);
	release(&c);
	if (rc)
		return rc;
	rc = collect(q, out, texts, sizes);
	if (rc)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(out[0]);
	close(out[1]);
	if (rc == -ECANCELED)
		return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	if (rc || WIFSIGNALED(status))
		return bad(about, err, "qemu-img did not come to an end with it within its limits");
	clean(said);
	about = by_name(q, about, said);
	return WEXITSTATUS(status) ? bad(about, err, said[0] ? said : "qemu-img refused it") : 0;
}
