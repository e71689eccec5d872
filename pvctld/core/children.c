/* SPDX-License-Identifier: MIT */
/* Helper processes: watched by pidfd, so that no SIGCHLD handler is needed. */
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
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
	void (*done)(void *data, int status);
	void *data;
};

static void reap(struct child *c, int *ret_status)
{
	int fd = c->lf.fd;

	while (waitpid(c->pid, ret_status, 0) < 0 && errno == EINTR)
		;
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
	struct child *c = calloc(1, sizeof(*c));
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (c && fd >= 0) {
		c->d = d;
		c->pid = pid;
		c->done = done;
		c->data = data;
		if (!loop_fd_add(&d->loop, &c->lf, fd, EPOLLIN, on_exit_event, c)) {
			list_add_tail(&d->children, &c->link);
			return 0;
		}
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	free(c);
	return -EIO;
}

void child_kill_all(struct daemon *d)
{
	while (!list_empty(&d->children)) {
		struct child *c = list_entry(d->children.next, struct child, link);
		int status = -1;

		kill(c->pid, SIGKILL);
		reap(c, &status);
		if (c->done)
			c->done(c->data, status);
		free(c);
	}
}
