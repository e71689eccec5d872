/* SPDX-License-Identifier: MIT */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/event_channel.h>

#define WORD_BITS 64u
#define VAIN_EVENTS 16u /* a look in time makes one or two vain */
#define MUTED_NS 2000000u

/* The eventfd is edge-triggered: each write of the other side is news, and nobody reads the count. */
static void on_doorbell(void *data, uint32_t events)
{
	struct daemon *d = data;

	if (evtchn_scan(d))
		watch_begin(d);
}

/* A mailbox spin tells the hypervisor not to ring, and so does a watch; whoever may sleep afterwards looks first. */
static int before_sleep(void *data)
{
	struct daemon *d = data;

	if (!loop_has_tasks(&d->loop))
		d->evtchn.watch.idle_since = now_ns();
	if (mbox_look(&d->mbox))
		return 1;
	if (!d->mbox.events_unseen || d->node.down)
		return 0;
	/* The next slice of a watch looks. */
	d->mbox.events_unseen = d->loop.watch != NULL;
	return evtchn_scan(d);
}

static void set_mask(struct daemon *d, uint32_t port, bool masked)
{
	xen_ulong_t *word = &d->evtchn.shared_info->evtchn_mask[port / WORD_BITS], bit = 1ull << (port % WORD_BITS);

	if (masked)
		__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
}

static void mute(struct daemon *d, struct evtchn_port *p, uint32_t port)
{
	set_mask(d, port, true);
	list_del(&p->muted);
	list_add_tail(&d->evtchn.muted, &p->muted);
	if (!loop_timer_armed(&d->evtchn.unmute))
		loop_timer_set(&d->loop, &d->evtchn.unmute, MUTED_NS);
}

/* Its handler reports what it finds after this, at the latest in its task. */
static void deliver(struct daemon *d, uint32_t port)
{
	struct evtchn_port *p = &d->evtchn.ports[port];

	die_point("event");
	if (!p->fn)
		return;
	if (p->guest && p->vain++ >= VAIN_EVENTS)
		mute(d, p, port);
	loop_before(&d->loop, true);
	p->fn(p->data);
}

/* What came while it was masked is pending; what comes after the mask is gone rings. */
static void unmute(struct daemon *d, struct evtchn_port *p)
{
	uint32_t port = (uint32_t)(p - d->evtchn.ports);
	xen_ulong_t *word = &d->evtchn.shared_info->evtchn_pending[port / WORD_BITS], bit = 1ull << (port % WORD_BITS);

	list_del(&p->muted);
	set_mask(d, port, false);
	if (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit)
		deliver(d, port);
}

static void unmute_all(void *data)
{
	struct daemon *d = data;
	struct list now;

	list_init(&now);
	while (!list_empty(&d->evtchn.muted)) {
		struct list *first = d->evtchn.muted.next;

		list_del(first);
		list_add_tail(&now, first);
	}
	/* A handler may close others of these. */
	while (!list_empty(&now))
		unmute(d, list_entry(now.next, struct evtchn_port, muted));
}

int evtchn_init(struct daemon *d, struct pvctl_error *err)
{
	struct evtchn *e = &d->evtchn;

	memset(e, 0, sizeof(*e));
	list_init(&e->muted);
	loop_timer_init(&e->unmute, unmute_all, d);
	watch_init(d);
	e->doorbell.fd = -1;
	e->shared_info = node_map(&d->node, d->node.shared->shared_info_paddr, 4096);
	if (!e->shared_info)
		return fail(err, -EPROTO, "the hypervisor announced no usable shared_info");
	__atomic_store_n(&e->shared_info->vcpu_info[0].evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
	d->loop.before_sleep = before_sleep;
	d->loop.before_sleep_data = d;
	d->mbox.events_unseen = true;
	if (loop_fd_add(&d->loop, &e->doorbell, d->node.host_efd[NODE_VEC_EVENTS], EPOLLIN | EPOLLET, on_doorbell, d))
		return fail(err, -EIO, "epoll: %s", strerror(errno));
	e->doorbell.brief = true;
	return 0;
}

void evtchn_fini(struct daemon *d)
{
	if (d->evtchn.shared_info)
		loop_fd_del(&d->loop, &d->evtchn.doorbell);
	d->evtchn.shared_info = NULL;
	loop_timer_cancel(&d->evtchn.unmute);
	d->loop.before_sleep = NULL;
	watch_fini(d);
}

static void dispatch_word(struct daemon *d, unsigned int w)
{
	struct shared_info *s = d->evtchn.shared_info;
	uint64_t mask = __atomic_load_n(&s->evtchn_mask[w], __ATOMIC_RELAXED);
	uint64_t bits = __atomic_fetch_and(&s->evtchn_pending[w], mask, __ATOMIC_SEQ_CST) & ~mask;

	while (bits) {
		unsigned int b = (unsigned int)__builtin_ctzll(bits);

		bits &= bits - 1;
		deliver(d, w * WORD_BITS + b);
	}
}

void evtchn_useful(struct daemon *d, uint32_t port)
{
	if (port < EVTCHN_MAX_PORTS)
		d->evtchn.ports[port].vain = 0;
}

void evtchn_rest(struct daemon *d, uint32_t port)
{
	if (d->evtchn.shared_info && port && port < EVTCHN_MAX_PORTS && d->evtchn.ports[port].fn)
		mute(d, &d->evtchn.ports[port], port);
}

void evtchn_expect(struct daemon *d, uint32_t port)
{
	evtchn_useful(d, port);
	d->evtchn.watch.served = true;
}

bool evtchn_scan(struct daemon *d)
{
	struct shared_info *s = d->evtchn.shared_info;
	bool any = false;
	uint64_t sel;

	if (!s)
		return false;
	/* The flag first, then the selector, then the words: the hypervisor sets them the other way. */
	__atomic_store_n(&s->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	sel = __atomic_exchange_n(&s->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	while (sel) {
		unsigned int w = (unsigned int)__builtin_ctzll(sel);

		sel &= sel - 1;
		any = true;
		dispatch_word(d, w);
	}
	return any;
}

void evtchn_send(struct daemon *d, uint32_t port)
{
	volatile struct node_shared *s = d->node.shared;

	if (!port || port >= EVTCHN_MAX_PORTS || d->node.down)
		return;
	__atomic_fetch_or(&s->host_send[port / WORD_BITS], 1ull << (port % WORD_BITS), __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&s->host_send_sel, 1ull << (port / WORD_BITS), __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->hv_sleeps, __ATOMIC_SEQ_CST) && !watch_owes(d))
		watch_ring(d);
}

static int attach(struct daemon *d, uint32_t port, bool guest, void (*fn)(void *data), void *data)
{
	struct evtchn_port *p;

	if (!port || port >= EVTCHN_MAX_PORTS)
		return -EPROTO;
	p = &d->evtchn.ports[port];
	*p = (struct evtchn_port){ .fn = fn, .data = data, .guest = guest };
	list_init(&p->muted);
	set_mask(d, port, false);
	return 0;
}

int evtchn_bind_interdomain(struct daemon *d, uint32_t domid, uint32_t remote_port, void (*fn)(void *data), void *data,
			    uint32_t *ret_port)
{
	struct evtchn_bind_interdomain bind = { .remote_dom = (domid_t)domid, .remote_port = remote_port };
	int64_t rc = mbox_call(&d->mbox, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, 0, 0, 1, &bind,
			       sizeof(bind));

	if (rc)
		return (int)rc;
	rc = attach(d, bind.local_port, true, fn, data);
	if (rc) {
		evtchn_close(d, bind.local_port);
		return (int)rc;
	}
	*ret_port = bind.local_port;
	fn(data);
	return 0;
}

int evtchn_bind_virq(struct daemon *d, uint32_t virq, void (*fn)(void *data), void *data, uint32_t *ret_port)
{
	struct evtchn_bind_virq bind = { .virq = virq, .vcpu = 0 };
	int64_t rc = mbox_call(&d->mbox, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, 0, 0, 1, &bind,
			       sizeof(bind));

	if (rc)
		return (int)rc;
	rc = attach(d, bind.port, false, fn, data);
	if (rc)
		return (int)rc;
	*ret_port = bind.port;
	return 0;
}

void evtchn_close(struct daemon *d, uint32_t port)
{
	struct evtchn_close op = { .port = port };

	if (!port)
		return;
	if (port < EVTCHN_MAX_PORTS) {
		d->evtchn.ports[port].fn = NULL;
		if (d->evtchn.ports[port].muted.next)
			list_del(&d->evtchn.ports[port].muted);
		/* Not later, into a port that the number is given to next. */
		__atomic_fetch_and(&d->node.shared->host_send[port / WORD_BITS], ~(1ull << (port % WORD_BITS)),
				   __ATOMIC_SEQ_CST);
	}
	(void)mbox_call(&d->mbox, __HYPERVISOR_event_channel_op, EVTCHNOP_close, 0, 0, 1, &op, sizeof(op));
}
