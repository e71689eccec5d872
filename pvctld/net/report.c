/* SPDX-License-Identifier: MIT */
/* What links with a program behind them share. */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/net/links.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CHILD_FD 3

void net_report(struct daemon *d, uint32_t domid, uint32_t devid, const char *why)
{
	char path[96];

	if (why)
		log_line("vif %u of domain %u: %s", devid, domid, why);
	if (!d->store)
		return;
	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/%u/hotplug-error", domid, devid);
	if (why)
		(void)store_writef(d->store, path, "%.200s", why);
	strcpy(strrchr(path, '/'), "/hotplug-status");
	(void)store_writef(d->store, path, "%s", why ? "error" : "connected");
}

/* After fork: only what is async-signal-safe. */
static void run(const char *path, char *const *argv, char *const *env, int fd, int log, pid_t parent)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
	sigset_t none;

	log = log < 0 ? null : fcntl(log, F_DUPFD_CLOEXEC, 10);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0 || (high >= 0 && dup2(high, CHILD_FD) < 0))
		_exit(127);
	close_range(high >= 0 ? CHILD_FD + 1 : CHILD_FD, ~0u, CLOSE_RANGE_CLOEXEC);
	for (int i = 1; i < 32; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(127);
	execve(path, argv, env);
	_exit(127);
}

pid_t net_spawn(const char *path, char *const *argv, char *const *env, int fd, int log)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run(path, argv, env, fd, log, parent);
	/* Whoever is first: it is to be killed with its children. */
	(void)setpgid(pid, pid);
	return pid;
}
