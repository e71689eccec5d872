/* SPDX-License-Identifier: MIT */
#include "pvctld/xenstore/glue.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/state/die.h"
#include "pvctld/xenstore/ring.h"
#include <errno.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/io/xs_wire.h>

/* What one guest may ask for before the others are looked at. */
#define ROUND_BYTES 2048u
/* What all guests together may have done in a while, in the store's units: about a third of the loop's time. */
#define WINDOW_NS 10000000u
#define WINDOW_UNITS 60000u

/*
 * Linux sends its event only if its look at our index finds that we had nothing
 * left to do, and nothing keeps its CPU from making that look before its own
 * index is seen by us: it may send none although our last look was too early.
 * Then it waits for its answer, for good. So we look once more, when the store
 * has long left the CPU's store buffer.
 */
#define LOOK_AGAIN_NS 1000000u

static void service(void *data);

static int host_introduce(void *data, uint32_t domid, uint64_t gfn, uint32_t port)
{
	struct dom *dom = dom_find(data, domid);

	if (!dom)
		return -ENOENT;
	return dom_introduce(dom, port, 0, NULL);
}

static int host_release(void *data, uint32_t domid)
{
	struct dom *dom = dom_find(data, domid);

	if (!dom)
		return -ENOENT;
	dom_forget(dom);
	return 0;
}

/* What the hypervisor has not resumed has ended, and was dealt with. */
static int host_resume(void *data, uint32_t domid)
{
	struct xen_domctl_getdomaininfo info;
	struct dom *dom = dom_find(data, domid);

	if (!dom || dom->forgotten || dom->dying || hvc_get(data, domid, &info))
		return -ENOENT;
	if (!(info.flags & XEN_DOMINF_shutdown))
		dom_resumed(dom);
	return 0;
}

static void host_quota(void *data, uint32_t domid, const char *name)
{
	log_guest(domid, "store: its limit of %s is reached", name);
}

static void host_busy(void *data)
{
	struct daemon *d = data;

	loop_task_post_last(&d->loop, &d->store_work);
}

static void go_on(void *data)
{
	struct daemon *d = data;

	store_go_on(d->store);
	if (store_is_busy(d->store))
		host_busy(d);
}

static const struct store_host_ops host_ops = {
	.introduce = host_introduce, .release = host_release, .resume = host_resume,
	.quota = host_quota, .busy = host_busy,
};

int store_glue_init(struct daemon *d, struct pvctl_error *err)
{
	int rc;

	loop_task_init(&d->store_work, go_on, d);
	d->store = store_new(state_is_kept(&d->state) ? &d->state.store : NULL, &host_ops, d);
	if (!d->store)
		return fail(err, -ENOMEM, "no memory for the store, or its journal is damaged");
	rc = store_mkdir(d->store, "/tool/xenstored");
	rc = rc ? rc : store_mkdir(d->store, "/vm");
	rc = rc ? rc : store_mkdir(d->store, "/local/domain");
	rc = rc ? rc : store_write(d->store, "/local/domain/0/name", "Domain-0", 8);
	rc = rc ? rc : store_write(d->store, "/local/domain/0/domid", "0", 1);
	if (rc)
		return fail(err, rc, "cannot fill the store");
	return 0;
}

void store_glue_fini(struct daemon *d)
{
	store_sock_close(d);
	loop_task_cancel(&d->store_work);
	if (d->store)
		store_free(d->store);
	d->store = NULL;
}

static void on_output(void *data, const void *bytes, size_t len)
{
	struct store_link *l = data;

	if (!fifo_append(&l->out, bytes, len))
		l->broken = "no memory";
	loop_task_post_last(&l->d->loop, &l->more);
}

static void on_broken(void *data, const char *why)
{
	struct store_link *l = data;

	l->broken = why;
	loop_task_post_last(&l->d->loop, &l->more);
}

static const void *unsent(void *data, size_t *ret_len)
{
	const struct store_link *l = data;

	*ret_len = l->out.len;
	return l->out.len ? fifo_data(&l->out) : NULL;
}

static const struct store_conn_ops conn_ops = { .output = on_output, .broken = on_broken, .unsent = unsent };

void store_link_init(struct store_link *l, struct daemon *d, uint32_t domid)
{
	*l = (struct store_link){ .d = d, .domid = domid };
	loop_task_init(&l->more, service, l);
	loop_timer_init(&l->again, service, l);
}

int store_link_start(struct store_link *l, struct xenstore_domain_interface *ring, uint32_t port)
{
	l->conn = store_conn_new(l->d->store, l->domid, &conn_ops, l);
	if (!l->conn)
		return -ENOMEM;
	l->ring = ring;
	l->port = port;
	store_conn_keep(l->conn, &(struct store_position){ ring->req_cons, ring->rsp_prod });
	store_domain_introduced(l->d->store, l->domid);
	store_link_event(l);
	return 0;
}

int store_link_resume(struct store_link *l, struct xenstore_domain_interface *ring, uint32_t port)
{
	struct store_position pos;
	uint32_t behind;

	l->conn = store_conn_resume(l->d->store, l->domid, &conn_ops, l, &pos, &l->out);
	if (!l->conn)
		return store_link_start(l, ring, port);
	l->ring = ring;
	l->port = port;
	/* A request that was done and not taken yet is taken; an answer that had gone out partly goes on. */
	__atomic_store_n(&ring->req_cons, pos.in, __ATOMIC_SEQ_CST);
	behind = pos.out - __atomic_load_n(&ring->rsp_prod, __ATOMIC_RELAXED);
	if (behind > l->out.len)
		l->broken = "impossible ring indices";
	else
		fifo_consume(&l->out, l->out.len - behind);
	evtchn_send(l->d, port);
	store_link_event(l);
	return 0;
}

/* False: the ring is not one. */
static bool flush(struct store_link *l, bool *ret_moved)
{
	while (l->out.len) {
		ssize_t n = store_ring_put(l->ring, fifo_data(&l->out), l->out.len);

		if (n < 0)
			return false;
		if (!n)
			break;
		die_point("store-out");
		fifo_consume(&l->out, (size_t)n);
		*ret_moved = true;
	}
	store_conn_backlog(l->conn, l->out.len);
	return true;
}

/* False: the others' turn comes first, and ours by the timer. */
static bool may_work(struct store_link *l)
{
	struct window *w = &l->d->store_window;
	uint64_t now = now_ns();

	if (now >= w->start_ns + WINDOW_NS)
		*w = (struct window){ .start_ns = now };
	if (w->used < WINDOW_UNITS)
		return true;
	loop_timer_set(&l->d->loop, &l->again, w->start_ns + WINDOW_NS - now);
	return false;
}

static bool take(struct store_link *l, bool *ret_moved, bool *ret_more)
{
	char bytes[XENSTORE_RING_SIZE];
	size_t credit = ROUND_BYTES, taken;

	while (credit && !l->broken) {
		ssize_t n = store_ring_peek(l->ring, bytes, credit < sizeof(bytes) ? credit : sizeof(bytes));

		if (n < 0)
			return false;
		if (!n)
			return true;
		*ret_more = store_is_busy(l->d->store);
		taken = store_conn_input(l->conn, bytes, (size_t)n);
		if (!taken)
			return true; /* it waits for its answers to be taken; the guest's event carries on */
		die_point("store-take");
		store_ring_consume(l->ring, taken);
		die_point("store-taken");
		*ret_moved = true;
		credit -= taken;
		if (taken < (size_t)n)
			break;
	}
	*ret_more = true;
	return true;
}

static bool take_turn(struct store_link *l, bool *ret_moved, bool *ret_more)
{
	uint64_t before = store_units();
	bool ok = !may_work(l) || take(l, ret_moved, ret_more);

	l->d->store_window.used += store_units() - before;
	return ok;
}

static void give_up(struct store_link *l, uint32_t error)
{
	log_guest(l->domid, "store connection closed: %s", l->broken);
	/* The guest may look here; no feature was announced, so it need not. */
	l->ring->error = error;
	store_conn_free(l->conn);
	l->conn = NULL;
	l->ring = NULL;
	fifo_free(&l->out);
	evtchn_send(l->d, l->port);
}

static void service(void *data)
{
	struct store_link *l = data;
	bool moved = false, more = false, ok;

	if (!l->ring || l->frozen)
		return;
	ok = flush(l, &moved) && take_turn(l, &moved, &more) && flush(l, &moved);
	if (!ok && !l->broken) {
		l->broken = "impossible ring indices";
		give_up(l, XENSTORE_ERROR_RINGIDX);
		return;
	}
	if (l->broken) {
		give_up(l, XENSTORE_ERROR_PROTO);
		return;
	}
	if (moved) {
		evtchn_useful(l->d, l->port);
		evtchn_send(l->d, l->port);
		loop_timer_set(&l->d->loop, &l->again, LOOK_AGAIN_NS);
	}
	if (more)
		loop_task_post_last(&l->d->loop, &l->more);
}

void store_link_event(struct store_link *l)
{
	/* Not at once: a guest that rings all the time gets one turn per round. */
	if (l->ring)
		loop_task_post_last(&l->d->loop, &l->more);
}

void store_link_freeze(struct store_link *l, bool on)
{
	l->frozen = on;
	if (!on)
		store_link_event(l);
}

void store_link_stop(struct store_link *l)
{
	loop_task_cancel(&l->more);
	loop_timer_cancel(&l->again);
	if (l->conn)
		store_conn_free(l->conn);
	l->conn = NULL;
	l->ring = NULL;
	fifo_free(&l->out);
}
