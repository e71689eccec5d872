/* SPDX-License-Identifier: MIT */
#include "pvctld/node/listen.h"
#include "pvctld/core/daemon.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_NS 200000000u
#define SAY_EVERY_NS 60000000000ull
#define ROOM 4u    /* a connection that is served needs more than its own descriptor */
#define DRAIN 64u
#define MARGIN 16u

static int accept_one(struct listener *l)
{
	return accept4(l->lf.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void pause_over(void *data)
{
	struct listener *l = data;

	if (l->spare < 0)
		l->spare = eventfd(0, EFD_CLOEXEC);
	loop_fd_want(&l->d->loop, &l->lf, EPOLLIN);
}

static void refuse_all(struct listener *l)
{
	for (unsigned int i = 0; i < DRAIN && l->spare >= 0; i++) {
		int fd;

		close(l->spare);
		fd = accept_one(l);
		if (fd >= 0 && l->refuse)
			l->refuse(fd);
		if (fd >= 0)
			close(fd);
		l->spare = eventfd(0, EFD_CLOEXEC);
		if (fd < 0)
			break;
	}
	loop_fd_want(&l->d->loop, &l->lf, 0);
	loop_timer_set(&l->d->loop, &l->again, PAUSE_NS);
}

/* A descriptor after all, or -1. */
static int without_descriptors(struct listener *l, int why)
{
	unsigned int room = 0;
	int fd;

	if (!l->said_ns || now_ns() - l->said_ns > SAY_EVERY_NS)
		log_line("a client cannot be served: %s (see `ulimit -n')", strerror(why));
	l->said_ns = now_ns();
	while (room < ROOM && l->make_room(l->data))
		room++;
	fd = room ? accept_one(l) : -1;
	if (fd < 0)
		refuse_all(l);
	return fd;
}

/* The lowest free number is what a descriptor gets. */
static bool is_near_limit(int fd)
{
	struct rlimit rl;

	return !getrlimit(RLIMIT_NOFILE, &rl) && (rlim_t)fd + MARGIN > rl.rlim_cur;
}

static void on_accept(void *data, uint32_t events)
{
	struct listener *l = data;
	int fd = accept_one(l);

	/* Before it is tight: what clients ask for takes descriptors, too. One comes, two go. */
	if (fd >= 0 && is_near_limit(fd) && l->make_room(l->data))
		(void)l->make_room(l->data);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
		fd = without_descriptors(l, errno);
	if (fd >= 0)
		l->accepted(l->data, fd);
}

int listener_open(struct listener *l, struct daemon *d, int given, const char *path, struct pvctl_error *err)
{
	int fd = given > 0 ? given : rundir_listen(path, SOCK_STREAM, err);

	if (fd < 0)
		return fd;
	l->d = d;
	loop_timer_init(&l->again, pause_over, l);
	if ((l->urgent ? loop_fd_add_urgent : loop_fd_add)(&d->loop, &l->lf, fd, EPOLLIN, on_accept, l)) {
		close(fd);
		l->d = NULL;
		return fail(err, -EIO, "epoll");
	}
	l->spare = eventfd(0, EFD_CLOEXEC);
	return 0;
}

void listener_close(struct listener *l)
{
	int fd = l->lf.fd;

	if (!l->d)
		return;
	loop_timer_cancel(&l->again);
	loop_fd_del(&l->d->loop, &l->lf);
	close(fd);
	if (l->spare >= 0)
		close(l->spare);
	l->d = NULL;
}
