/* SPDX-License-Identifier: MIT */
/*
 * Starting the daemon so that it is nobody's child: a short-lived process in
 * between, a session of its own, no inherited fds but the pipe on which it
 * says "ok" or "error TEXT". Only async-signal-safe calls after fork: the
 * caller may have threads.
 */
#include "node/node.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 32
#define READY_FD 3

static void say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n;
}

/* Never returns. */
static void run_daemon(char *const *argv, int ready, int log)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	pid_t pid = getpid();
	sigset_t none;
	int null;

	/* Out of the way of the numbers that are given below. */
	ready = fcntl(ready, F_DUPFD_CLOEXEC, 10);
	null = open("/dev/null", O_RDWR);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	log = log >= 0 ? fcntl(log, F_DUPFD_CLOEXEC, 10) : null;

	if (write(ready, &pid, sizeof(pid)) != sizeof(pid))
		_exit(127);
	sigaction(SIGPIPE, &dfl, NULL);
	sigaction(SIGCHLD, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(ready, READY_FD) < 0)
		_exit(127);
	close_range(READY_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execv(argv[0], argv);
	say(READY_FD, "error the daemon's program could not be executed\n");
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* Bytes from the pipe until len are there, a newline came (text), or the end: how many, or -ETIMEDOUT. */
static int read_until(int fd, char *buf, size_t len, bool text, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t at = 0;
	int64_t left;
	ssize_t n;

	while (at < len && !(text && memchr(buf, '\n', at))) {
		left = deadline - now_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ETIMEDOUT;
		n = read(fd, buf + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return (int)at;
}

static int await_ready(int fd, uint32_t timeout_ms, const char *log_dir, struct pvctl_error *err)
{
	int64_t deadline = now_ms() + timeout_ms;
	char line[sizeof(err->msg) + 16];
	pid_t pid = 0;
	int n;

	n = read_until(fd, (char *)&pid, sizeof(pid), false, deadline);
	if (n == (int)sizeof(pid))
		n = read_until(fd, line, sizeof(line) - 1, true, deadline);
	if (n == -ETIMEDOUT) {
		if (pid > 0)
			kill(pid, SIGTERM);
		return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_DAEMON, "the node was not ready within %u ms; see %s/daemon.log",
		               timeout_ms, log_dir);
	}
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "ok") == 0)
		return 0;
	if (strncmp(line, "error ", 6) == 0)
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "%s", line + 6);
	return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "pvctld ended before the node was ready; see %s/daemon.log", log_dir);
}

int spawn_daemon(const char *const *argv, const char *log_dir, uint32_t timeout_ms, struct pvctl_error *err)
{
	CLEANUP_CLOSE int log = -1, rd = -1, wr = -1;
	const char *full[MAX_ARGS + 3];
	char path[300], number[12];
	int pipe_fd[2], n;
	pid_t pid;

	for (n = 0; argv[n] && n < MAX_ARGS; n++)
		full[n] = argv[n];
	snprintf(number, sizeof(number), "%d", READY_FD);
	full[n++] = "--ready-fd";
	full[n++] = number;
	full[n] = NULL;
	snprintf(path, sizeof(path), "%s/daemon.log", log_dir);
	log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (pipe2(pipe_fd, O_CLOEXEC) < 0)
		return err_os(err, errno, "pipe");
	rd = pipe_fd[0];
	wr = pipe_fd[1];
	pid = fork();
	if (pid < 0)
		return err_os(err, errno, "fork");
	if (pid == 0) {
		setsid();
		pid = fork();
		if (pid == 0)
			run_daemon((char *const *)(uintptr_t)full, wr, log);
		_exit(pid < 0);
	}
	/* The caller may reap all its children itself: then there is nothing to learn here. */
	while (waitpid(pid, &n, 0) < 0 && errno == EINTR)
		;
	close(TAKE_FD(wr));
	return await_ready(rd, timeout_ms, log_dir, err);
}
