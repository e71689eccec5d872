/* SPDX-License-Identifier: MIT */
#include "pvctld/domain/events.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SUBSCRIBERS 256u

struct subscriber {
	struct list link;
	struct daemon *d;
	struct loop_fd lf;
	uint32_t mask;
};

static void drop(struct subscriber *s)
{
	int fd = s->lf.fd;

	loop_fd_del(&s->d->loop, &s->lf);
	close(fd);
	list_del(&s->link);
	free(s);
}

static void on_event(void *data, uint32_t events)
{
	drop(data); /* only EPOLLHUP and EPOLLERR come */
}

int events_subscribe(struct daemon *d, uint32_t mask, int *ret_fd)
{
	struct subscriber *s;
	unsigned int nr = 0;
	int sv[2];

	list_for(p, &d->subscribers)
		nr++;
	if (nr >= MAX_SUBSCRIBERS)
		return -EBUSY;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv)) {
		free(s);
		return -ENOSPC;
	}
	s->d = d;
	s->mask = mask;
	if (loop_fd_add(&d->loop, &s->lf, sv[0], 0, on_event, s)) {
		close(sv[0]);
		close(sv[1]);
		free(s);
		return -EIO;
	}
	list_add_tail(&d->subscribers, &s->link);
	*ret_fd = sv[1];
	return 0;
}

void events_emit(struct daemon *d, uint32_t type, uint32_t domid, int32_t reason, const char *name)
{
	struct pvctl_event ev = { .size = sizeof(ev), .type = type, .domid = domid, .reason = reason, .time_unix_ns = now_unix_ns() };

	snprintf(ev.name, sizeof(ev.name), "%s", name ? name : "");
	list_for_safe(p, &d->subscribers) {
		struct subscriber *s = list_entry(p, struct subscriber, link);

		if (!(s->mask & type))
			continue;
		/* End of file tells a subscriber that does not read that it missed something. */
		if (send(s->lf.fd, &ev, sizeof(ev), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(ev))
			drop(s);
	}
}

void events_close(struct daemon *d)
{
	list_for_safe(p, &d->subscribers)
		drop(list_entry(p, struct subscriber, link));
}
