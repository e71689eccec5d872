/* SPDX-License-Identifier: MIT */
/*
 * To the guest: frames wait, in a bounded queue, for requests in the receive
 * ring; the hypervisor copies their bytes into the pages that were granted.
 */
#include "pvctld/base/log.h"
#include "pvctld/net/offload.h"
#include "pvctld/net/vif.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_SLOTS 64u /* of one queue before others are looked at */
#define POLL_NS 10000000u

struct vif_frame {
	struct list link;
	uint32_t len;
	enum net_gso gso;
	uint16_t gso_size;
	bool csum_blank, csum_good;
	uint8_t data[];
};

struct rx_slot {
	uint16_t id, flags, len;
	bool is_gso, last;
	unsigned int copy;
	const struct vif_frame *frame;
};
/* The daemon's one thread fills it and empties it within one call. */
static struct rx_batch {
	unsigned int nr_slots, nr_copies;
	struct rx_slot slot[BATCH_SLOTS];
	struct gnt_copy copy[BATCH_SLOTS];
	bool bad[BATCH_SLOTS];
	struct list frames;
} batch;

_Static_assert(BATCH_SLOTS > NET_FRAME_MAX / NET_PAGE + 1, "the largest frame fits");

static void free_frames(struct list *l)
{
	while (!list_empty(l)) {
		struct vif_frame *f = list_entry(l->next, struct vif_frame, link);

		list_del(&f->link);
		free(f);
	}
}

void vif_rx_drop_all(struct vif_queue *q)
{
	free_frames(&q->frames);
	q->nr_frames = q->bytes = 0;
}

/* ---- into the queue ---- */

static void enqueue(struct vif_queue *q, const struct net_frame *f)
{
	bool fits = q->nr_frames < VIF_RX_FRAMES && f->len <= VIF_RX_BYTES - q->bytes;
	struct vif_frame *n = fits ? malloc(sizeof(*n) + f->len) : NULL;

	if (!n || (!q->vif->can.sg && f->len > NET_PAGE)) {
		q->vif->rx.drops++;
		free(n);
		return;
	}
	n->len = f->len;
	n->gso = f->gso;
	n->gso_size = f->gso_size;
	n->csum_blank = f->csum_blank;
	n->csum_good = f->csum_good;
	memcpy(n->data, f->data, f->len);
	list_add_tail(&q->frames, &n->link);
	q->nr_frames++;
	q->bytes += f->len;
	loop_task_post(&q->vif->x.d->loop, &q->rx_task);
}

static void enqueue_resolved(void *data, const struct net_frame *f)
{
	enqueue(data, f);
}

static bool has_room(const struct vif_queue *q, const struct net_frame *f, unsigned int n)
{
	/* Each segment has all headers again, about; what they are more than that, enqueue() sees to. */
	return n <= VIF_RX_FRAMES - q->nr_frames && f->len + n * 128u <= VIF_RX_BYTES - q->bytes;
}

static bool takes_blank(const struct vif *v, const struct net_frame *f)
{
	int ip = net_ip_version(f);

	return (ip == 4 && v->can.csum4) || (ip == 6 && v->can.csum6);
}

static bool takes_gso(const struct vif *v, const struct net_frame *f)
{
	return f->gso == NET_GSO_NONE || (f->gso == NET_GSO_TCPV4 ? v->can.gso4 : v->can.gso6);
}

bool vif_deliver(void *data, const struct net_frame *f)
{
	struct vif *v = data;
	bool blank, whole;
	struct vif_queue *q;
	unsigned int n;

	if (!v->nr_queues || f->len < NET_FRAME_MIN || f->len > NET_FRAME_MAX)
		return false;
	if (vif_mcast_unwanted(v, f->data))
		return true;
	blank = takes_blank(v, f);
	whole = takes_gso(v, f) && (!f->csum_blank || blank);
	n = whole || !f->gso_size ? 1 : f->len / f->gso_size + 1;
	/* A link that kept what never has room would wait for good. */
	if (n > VIF_RX_FRAMES) {
		v->rx.drops++;
		return true;
	}
	q = &v->queue[v->nr_queues > 1 ? net_flow_hash(f) % v->nr_queues : 0];
	if (!has_room(q, f, n)) {
		v->link_waits = true;
		v->rx.drops++;
		return false;
	}
	if (whole)
		enqueue(q, f);
	else if (net_resolve(f, blank, enqueue_resolved, q))
		v->rx.drops++;
	return true;
}

/* ---- out of it ---- */

static uint16_t first_flags(const struct vif_frame *f)
{
	uint16_t flags = f->gso != NET_GSO_NONE ? NETRXF_extra_info : 0;

	if (f->csum_blank)
		flags |= NETRXF_csum_blank | NETRXF_data_validated;
	else if (f->csum_good)
		flags |= NETRXF_data_validated;
	return flags;
}

static void take_frame(struct vif_queue *q, struct rx_batch *b, struct vif_frame *f)
{
	uint32_t at = 0, ref;

	list_del(&f->link);
	list_add_tail(&b->frames, &f->link);
	q->nr_frames--;
	q->bytes -= f->len;
	while (at < f->len) {
		uint32_t len = f->len - at < NET_PAGE ? f->len - at : NET_PAGE;
		struct rx_slot *s = &b->slot[b->nr_slots++];

		*s = (struct rx_slot){ .len = (uint16_t)len, .copy = b->nr_copies, .frame = f };
		net_rx_take(&q->rx, &s->id, &ref);
		s->flags = at ? 0 : first_flags(f);
		s->last = at + len == f->len;
		if (!s->last)
			s->flags |= NETRXF_more_data;
		b->copy[b->nr_copies++] = (struct gnt_copy){ ref, 0, (uint16_t)len, f->data + at };
		if (!at && f->gso != NET_GSO_NONE) {
			s = &b->slot[b->nr_slots++];
			*s = (struct rx_slot){ .is_gso = true, .frame = f };
			net_rx_take(&q->rx, &s->id, &ref); /* its page stays unused */
		}
		at += len;
	}
}

/* Slots that the next frame needs, and there are not; 0: another turn, or nothing is left; or -EPROTO. */
static int collect(struct vif_queue *q, struct rx_batch *b)
{
	b->nr_slots = b->nr_copies = 0;
	list_init(&b->frames);
	while (!list_empty(&q->frames)) {
		struct vif_frame *f = list_entry(q->frames.next, struct vif_frame, link);
		unsigned int need = net_rx_slots(f->len, f->gso != NET_GSO_NONE);
		int have = net_rx_waiting(&q->rx);

		if (have < 0)
			return have;
		if ((unsigned int)have < need)
			return (int)need;
		if (need > BATCH_SLOTS - b->nr_slots)
			return 0;
		take_frame(q, b, f);
	}
	return 0;
}

static void respond(struct vif_queue *q, const struct rx_batch *b)
{
	struct vif *v = q->vif;
	bool bad = false;

	for (unsigned int i = 0; i < b->nr_slots; i++) {
		const struct rx_slot *s = &b->slot[i];
		const struct vif_frame *f = s->frame;

		if (s->is_gso) {
			net_rx_respond_gso(&q->rx, f->gso == NET_GSO_TCPV6 ? XEN_NETIF_GSO_TYPE_TCPV6
									   : XEN_NETIF_GSO_TYPE_TCPV4,
					   f->gso_size);
			continue;
		}
		bad |= b->bad[s->copy];
		net_rx_respond(&q->rx, s->id, s->flags, b->bad[s->copy] ? NETIF_RSP_ERROR : (int16_t)s->len);
		if (!s->last)
			continue;
		if (bad) {
			v->rx.drops++;
		} else {
			v->rx.packets++;
			v->rx.bytes += f->len;
			v->rx.gso_packets += f->gso != NET_GSO_NONE;
		}
		bad = false;
	}
}

static void wait_for_requests(struct vif_queue *q, unsigned int need)
{
	struct loop *l = &q->vif->x.d->loop;

	if (!net_rx_want(&q->rx, need))
		loop_task_post(l, &q->rx_task);
	else if (!q->vif->can.rx_notify)
		loop_timer_set(l, &q->rx_poll, POLL_NS);
}

static void tell_room(struct vif *v)
{
	if (!v->link_waits)
		return;
	for (unsigned int i = 0; i < v->nr_queues; i++)
		if (v->queue[i].nr_frames > VIF_RX_FRAMES / 2 || v->queue[i].bytes > VIF_RX_BYTES / 2)
			return;
	v->link_waits = false;
	v->link->ops->ready(v->link);
}

void vif_rx_serve(void *data)
{
	struct vif_queue *q = data;
	struct vif *v = q->vif;
	struct rx_batch *b = &batch;
	int need;

	if (!xenbus_dev_serves(&v->x) || mbox_defer(&v->x.d->mbox, &q->rx_task))
		return;
	need = collect(q, b);
	if (b->nr_copies && gnt_copy_each(v->x.d, v->x.domid, b->copy, b->nr_copies, true, b->bad))
		memset(b->bad, true, sizeof(b->bad));
	respond(q, b);
	free_frames(&b->frames);
	if (b->nr_slots) {
		evtchn_expect(v->x.d, q->rx_port);
		if (net_rx_push(&q->rx))
			evtchn_send(v->x.d, q->rx_port);
	}
	if (need < 0) {
		xenbus_dev_fail(&v->x, "its receive ring makes no sense");
		return;
	}
	if (need)
		wait_for_requests(q, (unsigned int)need);
	else if (!list_empty(&q->frames))
		loop_task_post(&v->x.d->loop, &q->rx_task);
	tell_room(v);
}
