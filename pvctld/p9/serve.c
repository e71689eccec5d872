/* SPDX-License-Identifier: MIT */
/*
 * Whole messages from the rings to the server and back. One request and one reply
 * are under way here at a time; the others wait in the rings and in the server's
 * socket. Without a server every request is answered with EIO, until the guest opens
 * a new session and gets a new one.
 */
#include "pvctld/base/log.h"
#include "pvctld/p9/jail/jail.h"
#include "pvctld/p9/share.h"
#include <errno.h>
#include <unistd.h>

#define ROUND 32u                       /* messages before others have their turn */
#define RESTART_NS 1000000000ull        /* at most one server in that time */

enum turn { IDLE, MOVED, BROKEN };

static void ring_bell(struct share *s, unsigned int ring)
{
	evtchn_send(s->x.d, s->ring[ring].port);
}

static void lose_server(struct share *s)
{
	log_guest(s->x.domid, "p9 share %s: its server is lost; the guest can mount it again", s->x.name);
	p9_server_stop(s->server);
	s->server = NULL;
	s->tx_at = s->tx_len = s->rx_len = 0;
}

/* EIO for a request; false: no room now. */
static bool refuse(struct share *s, unsigned int ring, uint16_t tag)
{
	uint8_t msg[P9_RLERROR_SIZE];

	if (p9_ring_space(&s->ring[ring].ring) < sizeof(msg))
		return false;
	p9_make_error(msg, tag, EIO);
	p9_ring_put(&s->ring[ring].ring, msg, sizeof(msg));
	ring_bell(s, ring);
	return true;
}

/* All of it or nothing. A reply that was put and not noted is put once more as an error, to nobody. */
static void note(struct share *s)
{
	struct share_kept *k = s->kept;
	unsigned int next = !k->current;

	k->v[next].inflight = s->inflight;
	for (unsigned int i = 0; i < s->nr_rings; i++)
		k->v[next].out_cons[i] = s->ring[i].ring.out_cons;
	__atomic_store_n(&k->current, next, __ATOMIC_RELEASE);
}

/* What the lost server was asked. */
static enum turn refuse_inflight(struct share *s)
{
	unsigned int before = s->inflight.n;

	for (unsigned int i = before; i-- > 0;)
		if (refuse(s, s->inflight.r[i].ring, s->inflight.r[i].tag))
			s->inflight.r[i] = s->inflight.r[--s->inflight.n];
	if (s->inflight.n == before)
		return IDLE;
	note(s);
	return MOVED;
}

/* A whole reply, into the ring that its request came from. False: no room now. */
static bool deliver(struct share *s)
{
	struct p9_inflight after = s->inflight;
	int ring = p9_inflight_end(&after, s->rx);

	if (ring >= 0 && p9_ring_space(&s->ring[ring].ring) < s->rx_len)
		return false;
	s->inflight = after;
	if (ring >= 0) {
		p9_ring_put(&s->ring[ring].ring, s->rx, s->rx_len);
		ring_bell(s, (unsigned int)ring);
	}
	note(s);
	s->rx_len = 0;
	return true;
}

/* 0: its length is not known yet. More than fits anywhere: the server makes no sense. */
static uint32_t reply_size(const struct share *s)
{
	return s->rx_len < 4 ? 0 : p9_get32(s->rx);
}

static bool reply_whole(const struct share *s)
{
	return s->rx_len >= P9_HEADER && s->rx_len == reply_size(s);
}

static enum turn from_server(struct share *s)
{
	uint32_t size = reply_size(s);
	ssize_t n;

	if (reply_whole(s))
		return deliver(s) ? MOVED : IDLE;
	n = p9_server_read(s->server, s->rx + s->rx_len, (size ? size : 4) - s->rx_len);
	if (n > 0) {
		s->rx_len += (uint32_t)n;
		size = reply_size(s);
	}
	if (n < 0 || (size && (size < P9_HEADER || size > P9_MSG_MAX)))
		lose_server(s);
	return n ? MOVED : IDLE;
}

static enum turn to_server(struct share *s)
{
	ssize_t n = p9_server_write(s->server, s->tx + s->tx_at, s->tx_len - s->tx_at);

	if (n < 0) {
		lose_server(s);
		return MOVED;
	}
	s->tx_at += (uint32_t)n;
	if (s->tx_at == s->tx_len)
		s->tx_at = s->tx_len = 0;
	return n ? MOVED : IDLE;
}

/* For a guest that opens a session. False: later, a timer carries on. */
static bool want_server(struct share *s)
{
	uint64_t now = now_ns();

	if (s->server)
		return true;
	if (s->started_ns && now - s->started_ns < RESTART_NS) {
		if (!loop_timer_armed(&s->again))
			loop_timer_set(&s->x.d->loop, &s->again, RESTART_NS - (now - s->started_ns));
		return false;
	}
	s->started_ns = now;
	s->server = p9_server_start(s); /* NULL: the guest is refused */
	return true;
}

/* The message is in tx, of len bytes. */
static enum turn accept_request(struct share *s, unsigned int ring, uint32_t len)
{
	int rc;

	if (p9_type(s->tx) == P9_TATTACH) {
		rc = p9_attach_rewrite(s->tx, len, sizeof(s->tx), JAIL_SHARE, JAIL_UID(rundir_owner()));
		if (rc < 0)
			return BROKEN;
		len = (uint32_t)rc;
	}
	if (p9_inflight_add(&s->inflight, s->tx, len, (uint8_t)ring))
		return BROKEN;
	/* Without one, what is in flight is refused. */
	if (s->server)
		s->tx_len = len;
	return MOVED;
}

static enum turn take_from(struct share *s, unsigned int ring)
{
	struct p9_ring *r = &s->ring[ring].ring;
	uint8_t header[P9_HEADER];
	int size = p9_ring_next(r, header);
	enum turn t;

	if (size <= 0)
		return size ? BROKEN : IDLE;
	if (p9_type(header) == P9_TVERSION && !want_server(s))
		return IDLE;
	p9_ring_take(r, header, s->tx, (uint32_t)size);
	t = accept_request(s, ring, (uint32_t)size);
	note(s);
	p9_ring_took(r);
	ring_bell(s, ring);
	return t;
}

/* The next request of the rings in turn. */
static enum turn take_request(struct share *s)
{
	enum turn t = IDLE;

	if (s->tx_len || s->inflight.n >= P9_MAX_INFLIGHT)
		return IDLE;
	for (unsigned int i = 0; i < s->nr_rings && t == IDLE; i++) {
		unsigned int ring = s->next;

		s->next = (s->next + 1) % s->nr_rings;
		t = take_from(s, ring);
	}
	return t;
}

static enum turn one_turn(struct share *s)
{
	enum turn all = IDLE, t;

	if (s->server)
		all |= from_server(s);
	if (s->server && s->tx_len)
		all |= to_server(s);
	if (!s->server && s->inflight.n)
		all |= refuse_inflight(s);
	t = take_request(s);
	return t == BROKEN ? t : all | t;
}

void share_serve(void *data)
{
	struct share *s = data;
	enum turn t = MOVED;
	bool served = false;

	if (!xenbus_dev_serves(&s->x))
		return;
	for (unsigned int i = 0; i < ROUND && t == MOVED; i++) {
		t = one_turn(s);
		served |= t == MOVED;
	}
	for (unsigned int i = 0; i < s->nr_rings && served; i++)
		evtchn_expect(s->x.d, s->ring[i].port);
	if (t == BROKEN) {
		xenbus_dev_fail(&s->x, "impossible ring indices or messages");
		return;
	}
	if (s->server)
		p9_server_want(s->server, !reply_whole(s), s->tx_len && s->server->ready);
	if (t == MOVED)
		loop_task_post_last(&s->x.d->loop, &s->task);
}
