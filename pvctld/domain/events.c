/* SPDX-License-Identifier: MIT */
#include "pvctld/domain/events.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/sizes.h"
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
	bool lost;   /* it does not keep up: nothing is sent until it does */
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

static int send_one(const struct subscriber *s, const struct pvctl_event *ev)
{
	return send(s->lf.fd, ev, sizeof(*ev), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*ev) ? 0 : -errno;
}

static struct pvctl_event new_event(uint32_t type)
{
	return (struct pvctl_event){ .size = sizeof(struct pvctl_event), .type = type, .reason = PVCTL_REASON_NONE,
				     .time_unix_ns = now_unix_ns() };
}

/* It reads again: it is told that it has missed some. */
static void on_event(void *data, uint32_t events)
{
	struct pvctl_event ev = new_event(PVCTL_EVENT_LOST);
	struct subscriber *s = data;

	if (events & (EPOLLHUP | EPOLLERR) || (s->lost && send_one(s, &ev))) {
		drop(s);
		return;
	}
	s->lost = false;
	loop_fd_want(&s->d->loop, &s->lf, 0);
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
	sizes_watch(d);
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
	if (!list_empty(&d->subscribers))
		sizes_watch(d);
}

bool events_wanted(const struct daemon *d, uint32_t types)
{
	list_for(p, &d->subscribers)
		if (list_entry(p, struct subscriber, link)->mask & types)
			return true;
	return false;
}

void events_send(struct daemon *d, struct pvctl_event *ev)
{
	ev->size = sizeof(*ev);
	ev->time_unix_ns = now_unix_ns();
	list_for_safe(p, &d->subscribers) {
		struct subscriber *s = list_entry(p, struct subscriber, link);
		int rc;

		if (!(s->mask & ev->type) || s->lost)
			continue;
		rc = send_one(s, ev);
		if (rc == -EAGAIN && s->mask & PVCTL_EVENT_LOST) {
			s->lost = true;
			loop_fd_want(&d->loop, &s->lf, EPOLLOUT);
		} else if (rc) {
			/* End of file tells one that knows no such event. */
			drop(s);
		}
	}
}

void events_emit(struct daemon *d, uint32_t type, uint32_t domid, int32_t reason, const char *name)
{
	const struct dom *dom = domid ? dom_find(d, domid) : NULL;
	struct pvctl_event ev = { .type = type, .domid = domid, .reason = reason, .unique_id = dom ? dom->unique_id : 0 };

	snprintf(ev.name, sizeof(ev.name), "%s", name ? name : "");
	events_send(d, &ev);
}

void events_close(struct daemon *d)
{
	list_for_safe(p, &d->subscribers)
		drop(list_entry(p, struct subscriber, link));
}
