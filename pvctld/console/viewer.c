/* SPDX-License-Identifier: MIT */
/* Those who look at a console: a socket each and a position in the replay buffer. */
#include "pvctld/console/console.h"
#include "pvctld/console/ring.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/keep.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MARKER_MAX 64

struct viewer {
	struct list link;
	struct console *c;
	struct loop_fd lf;
	uint64_t pos;
	unsigned int slot; /* CONSOLE_MAX_VIEWERS: not kept */
	bool blocked;      /* the socket is full: EPOLLOUT carries on */
	bool input_ended;
	char marker[MARKER_MAX];
	size_t marker_pos, marker_len;
	struct loop_task end; /* closes it outside the walk over all viewers */
	bool ending;
};

static void name_of(const struct viewer *v, char buf[48])
{
	snprintf(buf, 48, "viewer/%u/%u", v->c->domid, v->slot);
}

static void keep(struct viewer *v)
{
	struct console_kept *k = v->c->kept;
	char name[48];

	while (k && v->slot < CONSOLE_MAX_VIEWERS && k->viewer[v->slot].used)
		v->slot++;
	if (!k || v->slot == CONSOLE_MAX_VIEWERS)
		return;
	name_of(v, name);
	if (keep_put(name, v->lf.fd)) {
		v->slot = CONSOLE_MAX_VIEWERS;
		return;
	}
	k->viewer[v->slot].pos = v->pos;
	k->viewer[v->slot].used = 1;
}

/* The spawner's copy would keep the other end from seeing that this one is closed. */
static void keep_not(struct viewer *v)
{
	char name[48];

	if (v->slot == CONSOLE_MAX_VIEWERS)
		return;
	if (v->c->kept)
		v->c->kept->viewer[v->slot].used = 0;
	name_of(v, name);
	(void)keep_drop(name);
}

void viewers_keep_not(struct console *c)
{
	list_for(p, &c->viewers) {
		struct viewer *v = list_entry(p, struct viewer, link);

		keep_not(v);
		v->slot = CONSOLE_MAX_VIEWERS;
	}
}

static void viewer_free(struct viewer *v)
{
	int fd = v->lf.fd;

	keep_not(v);
	loop_fd_del(&v->c->d->loop, &v->lf);
	loop_task_cancel(&v->end);
	close(fd);
	list_del(&v->link);
	v->c->nr_viewers--;
	free(v);
}

static void end_task(void *data)
{
	viewer_free(data);
}

static void viewer_end(struct viewer *v)
{
	v->ending = true;
	loop_task_post(&v->c->d->loop, &v->end);
}

static void want(struct viewer *v)
{
	uint32_t events = v->blocked ? EPOLLOUT : 0;

	if (!v->input_ended && v->c->ring && console_ring_space(v->c->ring))
		events |= EPOLLIN;
	loop_fd_want(&v->c->d->loop, &v->lf, events);
}

/* 1 sent, 0 later, -1 the viewer is gone. */
static int send_some(struct viewer *v, const void *bytes, size_t len, size_t *ret_sent)
{
	ssize_t n = send(v->lf.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	*ret_sent = n > 0 ? (size_t)n : 0;
	if (n >= 0)
		return 1;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int pump_once(struct viewer *v)
{
	struct replay *r = &v->c->replay;
	const uint8_t *piece;
	size_t len, sent;
	int rc;

	if (v->marker_pos < v->marker_len) {
		rc = send_some(v, v->marker + v->marker_pos, v->marker_len - v->marker_pos, &sent);
		v->marker_pos += sent;
		return rc;
	}
	if (v->pos < r->start) {
		v->marker_len = (size_t)snprintf(v->marker, sizeof(v->marker), "\r\n[%llu bytes lost]\r\n",
						 (unsigned long long)(r->start - v->pos));
		v->marker_pos = 0;
		v->pos = r->start;
		return 1;
	}
	piece = replay_at(r, v->pos, &len);
	rc = send_some(v, piece, len, &sent);
	v->pos += sent;
	if (v->slot < CONSOLE_MAX_VIEWERS && v->c->kept)
		v->c->kept->viewer[v->slot].pos = v->pos;
	return rc;
}

static void pump(struct viewer *v)
{
	int rc = 1;

	if (v->ending)
		return;
	while (rc > 0 && (v->pos < v->c->replay.end || v->marker_pos < v->marker_len))
		rc = pump_once(v);
	v->blocked = !rc;
	if (rc < 0 || (rc > 0 && v->c->retired))
		viewer_end(v);
	else
		want(v);
}

void viewers_output(struct console *c)
{
	list_for(p, &c->viewers) {
		struct viewer *v = list_entry(p, struct viewer, link);

		if (!v->blocked)
			pump(v);
	}
}

static void viewer_read(struct viewer *v)
{
	char bytes[1024];
	size_t space = v->c->ring ? console_ring_space(v->c->ring) : 0;
	ssize_t n;

	if (!space || v->input_ended)
		return;
	n = recv(v->lf.fd, bytes, space < sizeof(bytes) ? space : sizeof(bytes), MSG_DONTWAIT);
	if (n > 0) {
		console_ring_put(v->c->ring, bytes, (size_t)n);
		console_notify(v->c);
	} else if (!n) {
		v->input_ended = true; /* it may go on listening */
	} else if (errno != EAGAIN && errno != EINTR) {
		viewer_end(v);
	}
}

void viewers_input(struct console *c)
{
	list_for(p, &c->viewers)
		want(list_entry(p, struct viewer, link));
}

static void on_event(void *data, uint32_t events)
{
	struct viewer *v = data;

	if (events & (EPOLLERR | EPOLLHUP)) {
		/* Both directions are shut: typed ahead bytes still count. */
		viewer_read(v);
		loop_fd_want(&v->c->d->loop, &v->lf, 0);
		viewer_free(v);
		return;
	}
	if (events & EPOLLIN)
		viewer_read(v);
	if (events & EPOLLOUT) {
		v->blocked = false;
		pump(v);
	}
	if (!v->ending)
		want(v);
}

int console_attach(struct console *c, uint64_t replay_bytes, int *ret_fd)
{
	struct viewer *v;
	int sv[2], rc;

	if (c->nr_viewers >= CONSOLE_MAX_VIEWERS)
		return -EBUSY;
	v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv)) {
		free(v);
		return -EIO;
	}
	v->c = c;
	v->pos = c->replay.end - c->replay.start > replay_bytes ? c->replay.end - replay_bytes : c->replay.start;
	loop_task_init(&v->end, end_task, v);
	rc = loop_fd_add(&c->d->loop, &v->lf, sv[0], 0, on_event, v);
	if (rc) {
		close(sv[0]);
		close(sv[1]);
		free(v);
		return -EIO;
	}
	list_add_tail(&c->viewers, &v->link);
	c->nr_viewers++;
	if (c->kept)
		keep(v);
	else
		v->slot = CONSOLE_MAX_VIEWERS;
	pump(v);
	*ret_fd = sv[1];
	return 0;
}

static void recall(struct console *c, unsigned int slot)
{
	struct viewer *v = calloc(1, sizeof(*v));
	char name[48];
	int fd;

	if (!v)
		return;
	v->c = c;
	v->slot = slot;
	v->pos = c->kept->viewer[slot].pos;
	if (v->pos > c->replay.end)
		v->pos = c->replay.end;
	loop_task_init(&v->end, end_task, v);
	name_of(v, name);
	fd = keep_take(name);
	if (fd < 0 || loop_fd_add(&c->d->loop, &v->lf, fd, 0, on_event, v)) {
		c->kept->viewer[slot].used = 0;
		(void)keep_drop(name);
		if (fd >= 0)
			close(fd);
		free(v);
		return;
	}
	list_add_tail(&c->viewers, &v->link);
	c->nr_viewers++;
	pump(v);
}

void viewers_recall(struct console *c)
{
	for (unsigned int i = 0; i < CONSOLE_MAX_VIEWERS; i++)
		if (c->kept->viewer[i].used)
			recall(c, i);
}

void viewers_close(struct console *c)
{
	list_for_safe(p, &c->viewers)
		viewer_free(list_entry(p, struct viewer, link));
}
