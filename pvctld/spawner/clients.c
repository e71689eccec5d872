/* SPDX-License-Identifier: MIT */
/* The owner's own connections: RUNDIR/spawner.sock. The daemon cannot make one: its filter has no connect(). */
#include "libpvctl/src/transport/proto.h"
#include "pvctld/base/log.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct request { struct proto_allow a; char text[ALLOWED_TEXT + 1]; };

int clients_open(struct spawner *s, struct pvctl_error *err)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/spawner.sock", s->d->run_dir);
	fd = rundir_listen(path, SOCK_SEQPACKET, err);
	if (fd < 0)
		return fd;
	s->client[0] = fd;
	s->nr_clients = 1;
	return 0;
}

void clients_close(struct spawner *s)
{
	while (s->nr_clients)
		close(s->client[--s->nr_clients]);
}

static void drop(struct spawner *s, unsigned int i)
{
	close(s->client[i]);
	memmove(&s->client[i], &s->client[i + 1], (--s->nr_clients - i) * sizeof(s->client[0]));
}

static void take(struct spawner *s)
{
	int fd = accept4(s->client[0], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && !rundir_peer_is_us(fd)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		return;
	/* The oldest has had its time. */
	if (s->nr_clients == SPAWNER_CLIENTS)
		drop(s, 1);
	s->client[s->nr_clients++] = fd;
}

static int judge(const struct request *q, size_t n)
{
	size_t len = n - sizeof(q->a);

	if (q->a.h.type != PROTO_ALLOW || q->a.h.len != n - sizeof(q->a.h) || !memchr(q->a.key, 0, sizeof(q->a.key)))
		return -EPROTO;
	if (strlen(q->text) != len)
		return -EINVAL;
	return q->a.key[0] == PROTO_ALLOW_ASK[0] ? allowed_asked(q->a.key + 1, q->text) : allowed_add(q->a.key, q->text);
}

static void serve(struct spawner *s, unsigned int i)
{
	static struct request q;
	ssize_t n = recv(s->client[i], &q, sizeof(q) - 1, MSG_DONTWAIT | MSG_TRUNC);
	struct proto_header h = { .type = PROTO_ALLOW | PROTO_REPLY };

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(q.a)) {
		drop(s, i);
		return;
	}
	h.id = q.a.h.id;
	if (n >= (ssize_t)sizeof(q)) {
		h.code = -E2BIG;
	} else {
		((char *)&q)[n] = '\0';
		h.code = judge(&q, (size_t)n);
	}
	if (send(s->client[i], &h, sizeof(h), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(h))
		drop(s, i);
}

void clients_event(struct spawner *s, int fd)
{
	for (unsigned int i = 0; i < s->nr_clients; i++)
		if (s->client[i] == fd) {
			if (i)
				serve(s, i);
			else
				take(s);
			return;
		}
}
