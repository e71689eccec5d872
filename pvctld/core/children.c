/* SPDX-License-Identifier: MIT */
/* Helper processes: watched by pidfd, so that no SIGCHLD handler is needed. */
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	struct list link;
	struct daemon *d;
	struct loop_fd lf;
	pid_t pid;
	bool spawned;
	void (*done)(void *data, int status);
	void *data;
};

int child_status(pid_t pid, int status_fd)
{
	int status = -1;

	if (status_fd >= 0)
		return spawn_wait(status_fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void child_kill(pid_t pid, int sig, bool group)
{
	if (ask_fd() >= 0)
		(void)spawn_kill(pid, sig, group);
	else
		(void)kill(group ? -pid : pid, sig);
}

static void reap(struct child *c, int *ret_status)
{
	int fd = c->lf.fd;

	*ret_status = child_status(c->pid, c->spawned ? fd : -1);
	loop_fd_del(&c->d->loop, &c->lf);
	close(fd);
	list_del(&c->link);
}

static void on_exit_event(void *data, uint32_t events)
{
	struct child *c = data;
	int status = -1;

	reap(c, &status);
	if (c->done)
		c->done(c->data, status);
	free(c);
}

int child_start(struct daemon *d, pid_t pid, void (*done)(void *data, int status), void *data)
{
	return child_watch(d, pid, -1, done, data);
}

int child_watch(struct daemon *d, pid_t pid, int status_fd, void (*done)(void *data, int status), void *data)
{
	struct child *c = calloc(1, sizeof(*c));
	int fd = status_fd >= 0 ? status_fd : (int)syscall(SYS_pidfd_open, pid, 0);

	if (c && fd >= 0) {
		c->d = d;
		c->pid = pid;
		c->spawned = status_fd >= 0;
		c->done = done;
		c->data = data;
		if (!loop_fd_add(&d->loop, &c->lf, fd, EPOLLIN, on_exit_event, c)) {
			list_add_tail(&d->children, &c->link);
			return 0;
		}
	}
	if (status_fd >= 0)
		child_kill(pid, SIGKILL, false);
	else
		(void)kill(pid, SIGKILL);
	(void)child_status(pid, status_fd);
	if (fd >= 0)
		close(fd);
	free(c);
	return -EIO;
}

void child_kill_all(struct daemon *d)
{
	list_for_safe(p, &d->children) {
		struct child *c = list_entry(p, struct child, link);
		int status = -1;

		if (c->spawned)
			child_kill(c->pid, SIGKILL, false);
		else if (kill(c->pid, SIGKILL) && errno == EPERM)
			continue; /* it ends with us */
		reap(c, &status);
		if (c->done)
			c->done(c->data, status);
		free(c);
	}
}
