/* SPDX-License-Identifier: MIT */
/* The bytes of a channel between its ring and the host's side. */
#include "pvctld/base/log.h"
#include "pvctld/channel/channel.h"
#include "pvctld/console/ring.h"
#include <errno.h>
#include <stdio.h>

#define ROUND 8u /* ringfuls before others have their turn */
#define PATIENCE_NS 1000000000ull

static uint32_t waiting(const struct channel *c)
{
	return (uint32_t)c->kept->taken - c->kept->at;
}

/* Ours, and then the guest's room. */
static void take(struct channel *c, struct xencons_interface *ring, bool *ret_bad)
{
	uint32_t cons = __atomic_load_n(&ring->out_cons, __ATOMIC_RELAXED);
	size_t n = console_ring_peek(ring, c->kept->out, sizeof(c->kept->out), ret_bad);

	if (!n)
		return;
	c->kept->at = 0;
	__atomic_store_n(&c->kept->taken, (uint64_t)(cons + (uint32_t)n) << 32 | n, __ATOMIC_RELEASE);
	console_ring_consume(ring, n);
}

/* Bytes moved. A ring that makes no sense: *ret_bad. */
static size_t to_host(struct channel *c, struct xencons_interface *ring, bool *ret_bad)
{
	struct channel_kept *k = c->kept;
	size_t n;

	*ret_bad = false;
	if (!waiting(c))
		take(c, ring, ret_bad);
	if (!waiting(c))
		return 0;
	n = channel_host_write(&c->host, k->out + k->at, waiting(c));
	if (n)
		loop_timer_cancel(&c->patience);
	else if (c->host.peer.fd < 0 || c->stalled)
		n = waiting(c); /* dropped */
	else if (!loop_timer_armed(&c->patience))
		loop_timer_set(&c->x.d->loop, &c->patience, PATIENCE_NS);
	k->at += (uint32_t)n;
	return n;
}

static size_t to_guest(struct channel *c, struct xencons_interface *ring)
{
	char bytes[sizeof(ring->in)];
	size_t space = console_ring_space(ring);
	size_t n = channel_host_read(&c->host, bytes, space < sizeof(bytes) ? space : sizeof(bytes));

	/* The guest may have changed its indices since: then what does not fit is its loss. */
	return n ? console_ring_put(ring, bytes, n) : 0;
}

void channel_serve(void *data)
{
	struct channel *c = data;
	struct xencons_interface *ring = c->window.at;
	bool bad = false, more = true, moved = false;

	if (!xenbus_dev_serves(&c->x))
		return;
	for (unsigned int i = 0; i < ROUND && more && !bad; i++) {
		size_t had = waiting(c), n = to_host(c, ring, &bad);

		/* Taken from the ring, too, is progress that the guest waits for. */
		more = n || waiting(c) != had;
		if (to_guest(c, ring))
			more = true;
		moved |= more;
	}
	if (bad) {
		xenbus_dev_fail(&c->x, "impossible ring indices");
		return;
	}
	if (moved) {
		evtchn_useful(c->x.d, c->port);
		evtchn_send(c->x.d, c->port);
	}
	channel_host_want(&c->host, console_ring_space(ring) > 0, waiting(c) || c->stalled);
	if (more)
		loop_task_post_last(&c->x.d->loop, &c->task);
}

void channel_impatient(void *data)
{
	struct channel *c = data;

	c->stalled = true;
	log_guest(c->x.domid, "channel %s: nobody reads; what is written is dropped until somebody does", c->x.name);
	loop_task_post(&c->x.d->loop, &c->task);
}

void channel_host_ready(void *data, unsigned int what)
{
	struct channel *c = data;

	if (what & CHANNEL_NEW_CLIENT && c->kept)
		c->kept->at = (uint32_t)c->kept->taken;
	if (what) {
		c->stalled = false;
		loop_timer_cancel(&c->patience);
	}
	/* Nobody is in the domain yet, or it is suspended: the descriptor must not ring until somebody is. */
	if (!xenbus_dev_serves(&c->x))
		channel_host_want(&c->host, false, false);
	loop_task_post(&c->x.d->loop, &c->task);
}

static void on_event(void *data)
{
	struct channel *c = data;

	loop_task_post(&c->x.d->loop, &c->task);
}

static int keep(struct channel *c)
{
	struct xencons_interface *ring = c->window.at;
	char key[STATE_SLOT_KEY];
	bool is_new;

	snprintf(key, sizeof(key), "channel/%u/%u", c->x.domid, c->x.devid);
	c->kept = state_slot(&c->x.d->state, key, &is_new);
	if (!c->kept)
		return -ENOMEM;
	if (!c->x.resuming || is_new || !c->kept->is_used)
		*c->kept = (struct channel_kept){ .is_used = 1 };
	else if (c->kept->taken)
		__atomic_store_n(&ring->out_cons, (uint32_t)(c->kept->taken >> 32), __ATOMIC_SEQ_CST);
	return 0;
}

static void keep_not(struct channel *c)
{
	state_slot_free(&c->x.d->state, c->kept);
	c->kept = NULL;
}

int channel_connect(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);
	uint32_t remote;
	int rc = xenbus_read_u32(x, "ring-ref", &c->ref);

	rc = rc ? rc : xenbus_read_u32(x, "port", &remote);
	rc = rc ? rc : gnt_window_map(x->d, x->domid, &c->ref, 1, &c->window);
	if (rc)
		return rc;
	if (keep(c)) {
		gnt_window_unmap(x->d, &c->window);
		return -ENOMEM;
	}
	rc = evtchn_bind_interdomain(x->d, x->domid, remote, on_event, c, &c->port);
	if (rc) {
		gnt_window_unmap(x->d, &c->window);
		keep_not(c);
	} else if (x->resuming) {
		evtchn_send(x->d, c->port);
	}
	return rc;
}

/* What was taken from its ring and not written yet stays here, for when it goes on. */
bool channel_quiesce(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);

	channel_host_want(&c->host, false, false);
	loop_timer_cancel(&c->patience);
	return true;
}

void channel_thaw(struct xenbus_dev *x)
{
	on_event(channel_of(x));
}

bool channel_disconnect(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);

	channel_host_want(&c->host, false, false);
	evtchn_close(x->d, c->port);
	c->port = 0;
	loop_task_cancel(&c->task);
	loop_timer_cancel(&c->patience);
	c->stalled = false;
	gnt_window_unmap(x->d, &c->window);
	keep_not(c);
	return true;
}
