/* SPDX-License-Identifier: MIT */
/* store.sock: local clients with the plain wire protocol, as libxenstore speaks it with XENSTORED_PATH. */
#include "pvctld/base/fifo.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/node/listen.h"
#include "pvctld/xenstore/glue.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CLIENTS 512u
#define FEW_CLIENTS 16u
#define MAX_BACKLOG (16u << 20) /* the store's own limit comes first; this is for certain */
#define READ_BYTES 8192u

struct store_sock {
	struct daemon *d;
	struct listener listener;
	struct list clients;    /* those that were heard of longest ago first */
	unsigned int nr;
};

struct client {
	struct list link;
	struct store_sock *s;
	struct loop_fd lf;
	struct store_conn *conn;
	struct fifo in, out;
	struct loop_task work;
	bool broken, served;
};

static void client_free(struct client *c)
{
	int fd = c->lf.fd;

	loop_fd_del(&c->s->d->loop, &c->lf);
	loop_task_cancel(&c->work);
	if (c->conn)
		store_conn_free(c->conn);
	close(fd);
	fifo_free(&c->in);
	fifo_free(&c->out);
	list_del(&c->link);
	c->s->nr--;
	free(c);
}

/* As for control.sock. One that waits for watches is not idle. */
static bool make_room(struct store_sock *s)
{
	struct client *idle = NULL;

	list_for_safe(p, &s->clients) {
		struct client *c = list_entry(p, struct client, link);

		if (!c->served) {
			client_free(c);
			return true;
		}
		if (!idle && !c->in.len && !c->out.len && store_conn_is_idle(c->conn))
			idle = c;
	}
	if (idle)
		client_free(idle);
	return idle != NULL;
}

static bool make_room_for_fds(void *data)
{
	struct store_sock *s = data;

	return s->nr > FEW_CLIENTS && make_room(s);
}

static void on_output(void *data, const void *bytes, size_t len)
{
	struct client *c = data;

	c->served = true;
	if (c->out.len + len > MAX_BACKLOG || !fifo_append(&c->out, bytes, len))
		c->broken = true;
	loop_task_post(&c->s->d->loop, &c->work);
}

static void on_broken(void *data, const char *why)
{
	struct client *c = data;

	log_line("store client closed: %s", why);
	c->broken = true;
	loop_task_post(&c->s->d->loop, &c->work);
}

static const struct store_conn_ops conn_ops = { .output = on_output, .broken = on_broken };

static bool flush(struct client *c)
{
	while (c->out.len) {
		ssize_t n = send(c->lf.fd, fifo_data(&c->out), c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		fifo_consume(&c->out, (size_t)n);
	}
	store_conn_backlog(c->conn, c->out.len);
	return true;
}

static void work(void *data)
{
	struct client *c = data;
	size_t taken;

	if (!flush(c)) {
		client_free(c);
		return;
	}
	while (c->in.len && !c->broken) {
		taken = store_conn_input(c->conn, fifo_data(&c->in), c->in.len);
		if (!taken)
			break;
		fifo_consume(&c->in, taken);
	}
	if (c->broken || !flush(c)) {
		client_free(c);
		return;
	}
	loop_fd_want(&c->s->d->loop, &c->lf, (c->in.len ? 0 : EPOLLIN) | (c->out.len ? EPOLLOUT : 0));
}

static void on_event(void *data, uint32_t events)
{
	struct client *c = data;
	char bytes[READ_BYTES];
	ssize_t n;

	list_del(&c->link);
	list_add_tail(&c->s->clients, &c->link);
	if (events & EPOLLIN) {
		n = recv(c->lf.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR) ||
		    (n > 0 && !fifo_append(&c->in, bytes, (size_t)n))) {
			client_free(c);
			return;
		}
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		client_free(c);
		return;
	}
	work(c);
}

static void accepted(void *data, int fd)
{
	struct store_sock *s = data;
	struct client *c;

	c = rundir_peer_is_us(fd) && (s->nr < MAX_CLIENTS || make_room(s)) ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->s = s;
	loop_task_init(&c->work, work, c);
	c->conn = store_conn_new(s->d->store, 0, &conn_ops, c);
	list_add_tail(&s->clients, &c->link);
	s->nr++;
	if (loop_fd_add(&s->d->loop, &c->lf, fd, EPOLLIN, on_event, c)) {
		c->lf.fd = fd;
		client_free(c);
	} else if (!c->conn) {
		client_free(c);
	}
}

int store_sock_open(struct daemon *d, struct pvctl_error *err)
{
	struct store_sock *s = calloc(1, sizeof(*s));

	if (!s)
		return fail(err, -ENOMEM, "no memory");
	s->d = d;
	list_init(&s->clients);
	d->store_sock = s;
	s->listener = (struct listener){ .data = s, .accepted = accepted, .make_room = make_room_for_fds };
	return listener_open(&s->listener, d, d->store_fd, d->store_path, err);
}

void store_sock_close(struct daemon *d)
{
	struct store_sock *s = d->store_sock;

	if (!s)
		return;
	list_for_safe(p, &s->clients)
		client_free(list_entry(p, struct client, link));
	listener_close(&s->listener);
	free(s);
	d->store_sock = NULL;
}
