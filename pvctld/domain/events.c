/* SPDX-License-Identifier: MIT */
#include "pvctld/domain/events.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/keep.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SUBSCRIBERS 256u

struct subscriber {
	struct list link;
	struct daemon *d;
	struct loop_fd lf;
	uint32_t mask;
	char key[32];            /* of what is kept for a later daemon */
};

static void drop(struct subscriber *s)
{
	int fd = s->lf.fd;

	if (state_is_kept(&s->d->state)) {
		state_drop(&s->d->state, s->key);
		(void)keep_drop(s->key);
	}
	loop_fd_del(&s->d->loop, &s->lf);
	close(fd);
	list_del(&s->link);
	free(s);
}

static void on_event(void *data, uint32_t events)
{
	drop(data); /* only EPOLLHUP and EPOLLERR come */
}

static int add(struct subscriber *s, int fd)
{
	if (loop_fd_add(&s->d->loop, &s->lf, fd, 0, on_event, s))
		return -EIO;
	list_add_tail(&s->d->subscribers, &s->link);
	return 0;
}

/* One that cannot be kept hears the end of this daemon. */
static void keep(struct subscriber *s)
{
	static uint64_t last;

	if (!state_is_kept(&s->d->state))
		return;
	snprintf(s->key, sizeof(s->key), "events/%llx.%llx", (unsigned long long)s->d->begun_ns, (unsigned long long)++last);
	if (!keep_put(s->key, s->lf.fd))
		state_set(&s->d->state, s->key, &s->mask, sizeof(s->mask));
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
	if (add(s, sv[0])) {
		close(sv[0]);
		close(sv[1]);
		free(s);
		return -EIO;
	}
	keep(s);
	*ret_fd = sv[1];
	return 0;
}

static void adopt(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;
	struct subscriber *s = len == sizeof(s->mask) ? calloc(1, sizeof(*s)) : NULL;
	int fd = s ? keep_take(key) : -1;

	if (s) {
		s->d = d;
		memcpy(&s->mask, value, sizeof(s->mask));
		snprintf(s->key, sizeof(s->key), "%s", key);
	}
	if (fd >= 0 && !add(s, fd))
		return;
	if (fd >= 0)
		close(fd);
	free(s);
}

void events_adopt(struct daemon *d)
{
	state_each(&d->state, "events/", adopt, d);
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
