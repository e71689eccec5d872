/* SPDX-License-Identifier: MIT */
/* Connections and framing: one request of a connection at a time, and no reading while an answer waits to be sent. */
#include "pvctld/client/control.h"
#include "libpvctl/src/util/cleanup.h"
#include "pvctld/backend/xenbus.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNS 512u
#define FEW_CONNS 16u
#define ROUND 16u           /* requests of one connection before others are looked at, */
#define ROUND_NS 100000u    /* or so much time, */
#define ROUND_BYTES 65536u  /* or answers */
#define SMALL_ANSWER 1024u /* is never wanting for memory: what was done can be told */
#define NO_MEMORY "pvctld is out of memory"

static void drop_body(struct ctl_conn *c)
{
	if (c->body != c->small)
		free(c->body);
	c->body = NULL;
}

static void conn_free(struct ctl_conn *c)
{
	int fd = c->lf.fd;

	c->gone = true; /* what follows may wait, and new ones come meanwhile */
	loop_fd_del(&c->d->loop, &c->lf);
	loop_task_cancel(&c->resume);
	if (fd >= 0)
		close(fd);
	request_conn_closed(c);
	if (c->out_fd >= 0)
		close(c->out_fd);
	fifo_free(&c->out);
	drop_body(c);
	list_del(&c->link);
	c->d->control->nr--;
	free(c);
}

static bool builds_domain(const struct ctl_conn *c)
{
	list_for(p, &c->d->domains)
		if (list_entry(p, struct dom, link)->creator == c)
			return true;
	return false;
}

/* It, or a device, would go on, and who holds it believes that it does not; or its log would end while he saves it. */
static bool holds_something(const struct ctl_conn *c)
{
	list_for(p, &c->d->domains) {
		const struct dom *dom = list_entry(p, struct dom, link);

		if (dom->suspender == c || dom->logger == c || dom->pauser == c)
			return true;
	}
	list_for(p, &c->d->devices)
		if (list_entry(p, struct xenbus_dev, link)->holder == c)
			return true;
	return false;
}

/* To let go of it takes hypercalls, or the store, and somebody waits for one, or is in the midst of the other. */
static bool must_wait(const struct ctl_conn *c)
{
	return c->d->mbox.waiting && (c->store || builds_domain(c));
}

/* While a hypercall of its is under way its effects must be learned of: the connection then waits for it. */
static void conn_end(struct ctl_conn *c)
{
	int fd = c->lf.fd;

	if (!c->busy && !must_wait(c)) {
		conn_free(c);
		return;
	}
	c->gone = true;
	loop_fd_del(&c->d->loop, &c->lf);
	close(fd);
	if (!c->busy)
		loop_task_post(&c->d->loop, &c->resume);
}

static void conn_want(struct ctl_conn *c)
{
	uint32_t events = c->out.len ? EPOLLOUT : c->busy ? 0 : EPOLLIN;

	loop_fd_want(&c->d->loop, &c->lf, events);
}

/* 0 or -errno; -EAGAIN: later. */
static int send_out(struct ctl_conn *c)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control;

	while (c->out.len) {
		/* Answers before the one that a descriptor goes with are sent alone. */
		size_t before = c->out_fd >= 0 ? c->out_fd_at : 0;
		bool with_fd = c->out_fd >= 0 && !before;
		struct iovec iov = { (void *)(uintptr_t)fifo_data(&c->out), before ? before : c->out.len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (with_fd) {
			memset(&control, 0, sizeof(control));
			msg.msg_control = &control;
			msg.msg_controllen = sizeof(control);
			control.h.cmsg_level = SOL_SOCKET;
			control.h.cmsg_type = SCM_RIGHTS;
			control.h.cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(&control.h), &c->out_fd, sizeof(int));
		}
		n = sendmsg(c->lf.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (with_fd) {
			close(c->out_fd);
			c->out_fd = -1;
		} else if (before) {
			c->out_fd_at -= (size_t)n;
		}
		fifo_consume(&c->out, (size_t)n);
	}
	return 0;
}

void ctl_flush(struct ctl_conn *c)
{
	if (!c->gone)
		(void)send_out(c);
}

static void resume(void *data)
{
	struct ctl_conn *c = data;
	int rc;

	if (c->gone) {
		conn_free(c);
		return;
	}
	rc = send_out(c);
	if (rc && rc != -EAGAIN)
		conn_end(c);
	else
		conn_want(c);
}

/*
 * A flood of connections must not keep out those who ask for something: the
 * oldest that never did goes, or the one that did so longest ago.
 */
static bool make_room(struct control *ctl)
{
	struct ctl_conn *idle = NULL;

	list_for_safe(p, &ctl->conns) {
		struct ctl_conn *c = list_entry(p, struct ctl_conn, link);

		if (c->busy || c->out.len || c->gone || must_wait(c))
			continue;
		if (!c->served) {
			conn_free(c);
			return true;
		}
		if (!idle && !builds_domain(c) && !holds_something(c))
			idle = c;
	}
	if (idle)
		conn_free(idle);
	return idle != NULL;
}

/* Few connections are not what the descriptors went for. */
static bool make_room_for_fds(void *data)
{
	struct control *ctl = data;

	return ctl->nr > FEW_CONNS && make_room(ctl);
}

/* As if it had begun as clients do: with a HELLO. */
static void refuse_conn(int fd, int code, const char *text)
{
	struct { struct proto_header h; char text[64]; } m = {
		.h = { .type = PROTO_HELLO | PROTO_REPLY, .len = (uint32_t)strlen(text), .id = 1, .code = code },
	};

	memcpy(m.text, text, m.h.len);
	(void)send(fd, &m, sizeof(m.h) + m.h.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse(int fd)
{
	refuse_conn(fd, -ENOSPC, "too many open files in pvctld");
}

static void reply(struct ctl_conn *c, int code, const void *body, size_t len, int fd)
{
	struct proto_header h = { .type = c->head.type | PROTO_REPLY, .len = (uint32_t)len, .id = c->head.id,
				  .code = code };

	if (!c->gone && !fifo_reserve(&c->out, sizeof(h) + len)) {
		h.code = -ENOMEM;
		h.len = (uint32_t)strlen(NO_MEMORY);
		body = NO_MEMORY;
	}
	c->out_fd_at = c->out.len;
	if (c->gone || !fifo_append(&c->out, &h, sizeof(h)) || !fifo_append(&c->out, body, h.len))
		c->gone = true; /* half an answer is none */
	else if (!h.code)
		c->out_fd = TAKE_FD(fd);
	if (fd >= 0)
		close(fd);
	c->busy = false;
	c->served = true;
	list_del(&c->link);
	list_add_tail(&c->d->control->conns, &c->link);
	drop_body(c);
	c->starved = false;
	c->head_have = c->body_have = 0;
	/* Not from inside: the caller may still hold c. */
	loop_task_post(&c->d->loop, &c->resume);
}

void ctl_reply(struct ctl_conn *c, const void *body, size_t len, int fd)
{
	reply(c, 0, body, len, fd);
}

bool ctl_room(struct ctl_conn *c, size_t len)
{
	if (fifo_reserve(&c->out, sizeof(struct proto_header) + len))
		return true;
	ctl_refuse(c, -ENOMEM, NO_MEMORY);
	return false;
}

void ctl_refuse(struct ctl_conn *c, int code, const char *text)
{
	reply(c, code, text, strlen(text), -1);
}

void ctl_answer(void *conn, int rc, const char *why)
{
	struct ctl_conn *c = conn;

	if (rc)
		ctl_refuse(c, rc, why);
	else
		ctl_reply(c, NULL, 0, -1);
}

/* Its request goes on, as if the client had left: whatever it does is seen to by those who see to that. */
static void answer_early(struct ctl_conn *c, const char *text)
{
	struct proto_header h = { .type = c->head.type | PROTO_REPLY, .len = (uint32_t)strlen(text), .id = c->head.id,
				  .code = -ETIMEDOUT };

	if (fifo_append(&c->out, &h, sizeof(h)) && fifo_append(&c->out, text, h.len))
		(void)send_out(c);
	conn_end(c);
}

/* Nothing of it was done, and nothing will be. */
static bool take_back(struct ctl_conn *c)
{
	if (!c->held)
		return !c->begun && mbox_take_back(&c->d->mbox, &c->call);
	mbox_cancel(&c->d->mbox, &c->call);
	c->held = false;
	return true;
}

void control_answer_all(struct daemon *d)
{
	char why[200], text[300];

	if (!d->control)
		return;
	mbox_say_slow(&d->mbox, why, sizeof(why));
	list_for_safe(p, &d->control->conns) {
		struct ctl_conn *c = list_entry(p, struct ctl_conn, link);

		if (!c->busy || c->head.type == PROTO_NODE_STOP)
			continue;
		if (take_back(c)) {
			ctl_refuse(c, -ETIMEDOUT, why);
			ctl_flush(c);
			conn_want(c);
			continue;
		}
		if (c->gone)
			continue;
		snprintf(text, sizeof(text), "%s; what was asked for may yet be done", why);
		answer_early(c, text);
	}
}

/* 1 all there, 0 not yet, -1 the connection is over. */
static int fill(struct ctl_conn *c, void *dst, size_t *have, size_t want)
{
	while (*have < want) {
		ssize_t n = recv(c->lf.fd, (uint8_t *)dst + *have, want - *have, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return -1;
		*have += (size_t)n;
	}
	return 1;
}

/* What there is no memory for goes by. */
static int skip(struct ctl_conn *c)
{
	uint8_t rest[4096];
	int rc = 1;

	while (rc > 0 && c->body_have < c->head.len) {
		size_t want = c->head.len - c->body_have, have = 0;

		rc = fill(c, rest, &have, want < sizeof(rest) ? want : sizeof(rest));
		c->body_have += have;
	}
	return rc;
}

static int read_request(struct ctl_conn *c)
{
	int rc = fill(c, &c->head, &c->head_have, sizeof(c->head));

	if (rc <= 0)
		return rc;
	if (!c->body && !c->starved) {
		if (c->head.len > PROTO_MAX_BODY || (c->head.type & PROTO_REPLY))
			return -1;
		/* A NUL behind texts. */
		c->body = c->head.len < sizeof(c->small) ? c->small : malloc((size_t)c->head.len + 1);
		c->starved = !c->body;
		if (c->body)
			c->body[c->head.len] = 0;
	}
	return c->starved ? skip(c) : fill(c, c->body, &c->body_have, c->head.len);
}

static void handle(struct ctl_conn *c)
{
	c->busy = true;
	/* What is small has its room now; an answer that is as small cannot fail any more. */
	if (!ctl_room(c, SMALL_ANSWER))
		return;
	if (c->starved)
		ctl_refuse(c, -ENOMEM, NO_MEMORY);
	else
		request_handle(c);
}

/*
 * What is there, within bounds: clients send what belongs together in one piece, and each turn of the loop costs system calls.
 * While a request is carried out its client mostly waits: that no more is wanted of it is told to epoll when more comes. False: the
 * connection is over.
 */
static bool serve(struct ctl_conn *c)
{
	uint64_t until = now_ns() + ROUND_NS;

	for (unsigned int i = 0; i < ROUND; i++) {
		int rc = read_request(c);

		if (rc < 0)
			return false;
		if (!rc)
			return true;
		handle(c);
		/* No task will run that does it. */
		if (c->d->mbox.waiting)
			ctl_flush(c);
		if (c->busy || c->gone || c->out_fd >= 0 || c->out.len > ROUND_BYTES || now_ns() > until)
			return true;
	}
	return true;
}

static void on_event(void *data, uint32_t events)
{
	struct ctl_conn *c = data;

	if (events & EPOLLIN && !c->busy && !c->out.len) {
		if (!serve(c))
			conn_end(c);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		conn_end(c);
	} else if (events & EPOLLOUT) {
		resume(c);
	} else {
		conn_want(c);
	}
}

static void accepted(void *data, int fd)
{
	struct control *ctl = data;
	struct daemon *d = ctl->d;
	struct ctl_conn *c;

	if (!rundir_peer_is_us(fd) || (ctl->nr >= MAX_CONNS && !make_room(ctl))) {
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c || !fifo_reserve(&c->out, SMALL_ANSWER)) {
		refuse_conn(fd, -ENOMEM, NO_MEMORY);
		close(fd);
		free(c);
		return;
	}
	c->d = d;
	c->out_fd = -1;
	list_init(&c->call.link);
	loop_task_init(&c->resume, resume, c);
	if (loop_fd_add_urgent(&d->loop, &c->lf, fd, EPOLLIN, on_event, c)) {
		close(fd);
		fifo_free(&c->out);
		free(c);
		return;
	}
	list_add_tail(&ctl->conns, &c->link);
	ctl->nr++;
}

int control_open(struct daemon *d, struct pvctl_error *err)
{
	struct control *ctl = calloc(1, sizeof(*ctl));

	if (!ctl)
		return fail(err, -ENOMEM, "no memory");
	ctl->d = d;
	list_init(&ctl->conns);
	d->control = ctl;
	ctl->listener = (struct listener){ .data = ctl, .accepted = accepted, .make_room = make_room_for_fds, .refuse = refuse,
					   .urgent = true };
	return listener_open(&ctl->listener, d, d->control_fd, d->control_path, err);
}

void control_detach(struct daemon *d)
{
	struct control *ctl = d->control;

	if (!ctl)
		return;
	listener_close(&ctl->listener);
	list_for(p, &ctl->conns)
		request_conn_closed(list_entry(p, struct ctl_conn, link));
}

void control_close(struct daemon *d)
{
	struct control *ctl = d->control;

	if (!ctl)
		return;
	control_detach(d);
	list_for_safe(p, &ctl->conns)
		conn_free(list_entry(p, struct ctl_conn, link));
	free(ctl);
	d->control = NULL;
}
