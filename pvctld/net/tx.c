/* SPDX-License-Identifier: MIT */
/*
 * From the guest: packets are copied out of the ring, checked, their bytes
 * copied by the hypervisor, many packets to a call, and handed to the link.
 */
#include "pvctld/base/log.h"
#include "pvctld/net/offload.h"
#include "pvctld/net/vif.h"
#include <errno.h>
#include <string.h>

#define BATCH_PACKETS 32u /* of one queue before others are looked at */
#define BATCH_BYTES (2u * NET_FRAME_MAX)
#define BATCH_COPIES (BATCH_PACKETS * NET_SLOTS_MAX)

/* The daemon's one thread fills it and empties it within one call. */
static struct batch {
	unsigned int n, nr_copies;
	uint32_t bytes;
	struct net_tx_packet packet[BATCH_PACKETS];
	uint32_t at[BATCH_PACKETS];             /* in data */
	unsigned int first_copy[BATCH_PACKETS + 1];
	struct gnt_copy copy[BATCH_COPIES];
	bool bad[BATCH_COPIES];
	uint8_t data[BATCH_BYTES];
} batch;

enum collected { TX_IDLE, TX_MORE };

static void add_copies(struct batch *b, const struct net_tx_packet *p)
{
	for (unsigned int i = 0; i < p->nr_slots; i++) {
		const struct net_slot *s = &p->slot[i];

		if (!s->len)
			continue;
		b->copy[b->nr_copies++] = (struct gnt_copy){ s->ref, s->offset, s->len, b->data + b->bytes };
		b->bytes += s->len;
	}
}

/* False: not in this batch, or not in this interval: it stays in the ring. */
static bool add_packet(struct vif *v, struct batch *b, const struct net_tx_packet *p, enum collected *ret)
{
	uint64_t wait;

	*ret = TX_MORE;
	if (p->len > BATCH_BYTES - b->bytes)
		return false;
	if (!net_rate_take(&v->rate, p->len, now_ns(), &wait)) {
		loop_timer_set(&v->x.d->loop, &v->rate_timer, wait);
		*ret = TX_IDLE;
		return false;
	}
	add_copies(b, p);
	return true;
}

/* Negative: the ring makes no sense. */
static int collect(struct vif_queue *q, struct batch *b)
{
	enum collected ret = TX_MORE;

	b->n = b->nr_copies = b->bytes = 0;
	for (unsigned int i = 0; i < BATCH_PACKETS; i++) {
		struct net_tx_packet *p = &b->packet[b->n];
		uint32_t before = q->tx.req_cons;
		int rc = net_tx_take(&q->tx, p);

		if (rc < 0)
			return rc;
		if (!rc && (watched_add(q->vif->x.d, &q->tx_watched) || net_tx_idle(&q->tx)))
			return TX_IDLE;
		if (!rc)
			continue;
		if (!p->status && !p->mcast && p->len < NET_FRAME_MIN)
			p->status = NETIF_RSP_ERROR;
		b->at[b->n] = b->bytes;
		b->first_copy[b->n] = b->nr_copies;
		if (!p->status && !p->mcast && !add_packet(q->vif, b, p, &ret)) {
			q->tx.req_cons = before;
			return ret;
		}
		b->first_copy[++b->n] = b->nr_copies;
	}
	return TX_MORE;
}

static int16_t send(struct vif *v, const struct net_tx_packet *p, const uint8_t *data)
{
	struct net_frame f = { .data = data, .len = p->len, .csum_blank = p->flags & NETTXF_csum_blank,
			       .csum_good = p->flags & (NETTXF_csum_blank | NETTXF_data_validated) };

	if (p->gso_type) {
		f.gso = p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4;
		f.gso_size = p->gso_size;
		f.csum_blank = true; /* some frontends do not say so */
	}
	if (net_check(&f))
		return NETIF_RSP_DROPPED;
	v->tx.packets++;
	v->tx.bytes += p->len;
	v->tx.gso_packets += f.gso != NET_GSO_NONE;
	v->link->ops->send(v->link, &f);
	return NETIF_RSP_OKAY;
}

static int16_t handle(struct vif *v, const struct batch *b, unsigned int n)
{
	const struct net_tx_packet *p = &b->packet[n];

	if (p->status)
		return p->status;
	if (p->mcast)
		return vif_mcast_change(v, p->mcast == XEN_NETIF_EXTRA_TYPE_MCAST_ADD, p->mcast_addr) ? NETIF_RSP_OKAY
												      : NETIF_RSP_ERROR;
	for (unsigned int i = b->first_copy[n]; i < b->first_copy[n + 1]; i++)
		if (b->bad[i])
			return NETIF_RSP_ERROR;
	return send(v, p, b->data + b->at[n]);
}

void vif_tx_serve(void *data)
{
	struct vif_queue *q = data;
	struct vif *v = q->vif;
	struct batch *b = &batch;
	int more, rc = 0;

	if (!xenbus_dev_serves(&v->x) || mbox_defer(&v->x.d->mbox, &q->tx_task))
		return;
	more = collect(q, b);
	if (b->nr_copies)
		rc = gnt_copy_each(v->x.d, v->x.domid, b->copy, b->nr_copies, false, b->bad);
	if (rc)
		memset(b->bad, true, sizeof(b->bad));
	for (unsigned int i = 0; i < b->n; i++) {
		int16_t status = handle(v, b, i);

		v->tx.drops += status < 0;
		net_tx_respond(&q->tx, &b->packet[i], status);
	}
	if (b->n) {
		evtchn_expect(v->x.d, q->tx_port);
		if (net_tx_push(&q->tx))
			evtchn_send(v->x.d, q->tx_port);
	}
	if (more < 0)
		xenbus_dev_fail(&v->x, "its transmit ring makes no sense");
	else if (more == TX_MORE)
		loop_task_post_last(&v->x.d->loop, &q->tx_task);
}
