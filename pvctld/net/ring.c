/* SPDX-License-Identifier: MIT */
#include "pvctld/net/ring.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(union netif_tx_sring_entry) == 12 && sizeof(union netif_rx_sring_entry) == 8, "the layout");
_Static_assert(sizeof(struct netif_extra_info) == 8, "fits a slot of either ring");
_Static_assert(__CONST_RING_SIZE(netif_tx, NET_PAGE) == NET_RING_SIZE, "one page");
_Static_assert(__CONST_RING_SIZE(netif_rx, NET_PAGE) == NET_RING_SIZE, "one page");
_Static_assert(NET_SLOTS_MAX == XEN_NETIF_NR_SLOTS_MIN, "what every frontend may use");

static bool should_tell(uint32_t old, uint32_t new, RING_IDX *event)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (uint32_t)(new - __atomic_load_n(event, __ATOMIC_SEQ_CST)) < (uint32_t)(new - old);
}

/* ---- transmit ---- */

void net_tx_init(struct net_tx_ring *r, void *shared)
{
	r->shared = shared;
	/* A backend that comes later goes on where the last one ended; ours begin with the frontend. */
	r->req_cons = r->rsp_prod = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_ACQUIRE);
	r->kept = NULL;
}

static void next_entry(struct net_tx_ring *r, void *ret, size_t len)
{
	memcpy(ret, (const void *)&r->shared->ring[r->req_cons & (NET_RING_SIZE - 1)], len);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	r->req_cons++;
}

static int take_extra(const struct netif_extra_info *x, struct net_tx_packet *p)
{
	switch (x->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		if (p->gso_type)
			return -EPROTO;
		if (!x->u.gso.size ||
		    (x->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 && x->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6))
			p->status = NETIF_RSP_ERROR;
		p->gso_type = x->u.gso.type;
		p->gso_size = x->u.gso.size;
		return 0;
	case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
	case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
		if (p->mcast)
			return -EPROTO;
		p->mcast = x->type;
		memcpy(p->mcast_addr, x->u.mcast.addr, sizeof(p->mcast_addr));
		return 0;
	case XEN_NETIF_EXTRA_TYPE_HASH: /* was not offered */
		p->status = NETIF_RSP_ERROR;
		return 0;
	}
	return -EPROTO;
}

static int take_extras(struct net_tx_ring *r, uint32_t prod, struct net_tx_packet *p)
{
	struct netif_extra_info x;
	int rc;

	do {
		if (prod == r->req_cons || p->nr_extras >= NET_EXTRAS_MAX)
			return -EPROTO;
		next_entry(r, &x, sizeof(x));
		p->nr_extras++;
		rc = take_extra(&x, p);
		if (rc)
			return rc;
	} while (x.flags & XEN_NETIF_EXTRA_FLAG_MORE);
	return 0;
}

/* What lies across a page's end cannot be meant. */
static int take_slot(struct net_tx_packet *p, const struct netif_tx_request *q, uint32_t len)
{
	if (q->offset + len > NET_PAGE)
		return -EPROTO;
	if (len && p->nr_slots < NET_SLOTS_MAX)
		p->slot[p->nr_slots++] = (struct net_slot){ q->gref, q->offset, (uint16_t)len };
	return 0;
}

/* The slots behind the first, whose size is the whole packet's. */
static int take_rest(struct net_tx_ring *r, uint32_t prod, struct net_tx_packet *p, uint32_t *left)
{
	struct netif_tx_request q;
	int rc = 0;

	do {
		if (prod == r->req_cons || p->nr_ids >= NET_SLOTS_TAKEN)
			return -EPROTO;
		next_entry(r, &q, sizeof(q));
		p->id[p->nr_ids++] = q.id;
		if (p->nr_ids > NET_SLOTS_MAX || q.size > *left) {
			p->status = NETIF_RSP_ERROR;
			continue;
		}
		*left -= q.size;
		rc = take_slot(p, &q, q.size);
	} while (!rc && q.flags & NETTXF_more_data);
	return rc;
}

/* Their order is the packet's, but the first one's own size is known last. */
static int take_packet(struct net_tx_ring *r, uint32_t prod, struct net_tx_packet *p)
{
	struct netif_tx_request first;
	uint32_t left;
	int rc = 0;

	next_entry(r, &first, sizeof(first));
	p->id[p->nr_ids++] = first.id;
	p->flags = first.flags;
	p->len = left = first.size;
	p->slot[p->nr_slots++] = (struct net_slot){ first.gref, first.offset, 0 };
	if (first.flags & NETTXF_extra_info)
		rc = take_extras(r, prod, p);
	if (!rc && first.flags & NETTXF_more_data)
		rc = take_rest(r, prod, p, &left);
	if (rc || p->status || p->mcast)
		return rc;
	if (first.offset + left > NET_PAGE)
		return -EPROTO;
	p->slot[0].len = (uint16_t)left;
	return 0;
}

int net_tx_take(struct net_tx_ring *r, struct net_tx_packet *p)
{
	uint32_t prod = __atomic_load_n(&r->shared->req_prod, __ATOMIC_ACQUIRE);
	int rc;

	/* Also what would leave no room for the answers is impossible. */
	if (prod - r->rsp_prod > NET_RING_SIZE || prod - r->req_cons > NET_RING_SIZE)
		return -EPROTO;
	if (prod == r->req_cons)
		return 0;
	memset(p, 0, offsetof(struct net_tx_packet, slot));
	p->nr_ids = p->nr_extras = 0;
	rc = take_packet(r, prod, p);
	return rc ? rc : 1;
}

static void respond(struct net_tx_ring *r, uint16_t id, int16_t status)
{
	struct netif_tx_response rsp = { .id = id, .status = status };

	memcpy((void *)&r->shared->ring[r->rsp_prod & (NET_RING_SIZE - 1)], &rsp, sizeof(rsp));
	r->rsp_prod++;
}

void net_tx_keep(struct net_tx_ring *r, struct net_kept *k, bool resume)
{
	r->kept = k;
	if (!resume) {
		k->tx_shown = k->tx_begun = r->rsp_prod;
		return;
	}
	r->rsp_prod = k->tx_shown;
	while (r->rsp_prod != k->tx_begun && r->rsp_prod - k->tx_shown < NET_RING_SIZE) {
		uint32_t i = r->rsp_prod & (NET_RING_SIZE - 1);

		respond(r, k->tx_id[i], k->tx_is_extra[i] ? NETIF_RSP_NULL : NETIF_RSP_OKAY);
	}
	r->req_cons = r->rsp_prod;
	(void)net_tx_push(r);
}

static void note_id(struct net_kept *k, uint32_t index, uint16_t id, bool is_extra)
{
	k->tx_id[index & (NET_RING_SIZE - 1)] = id;
	k->tx_is_extra[index & (NET_RING_SIZE - 1)] = is_extra;
}

/* Before the first of its requests is written over. */
static void note_begun(const struct net_tx_ring *r, const struct net_tx_packet *p)
{
	uint32_t at = r->rsp_prod;

	for (unsigned int i = 0; i < p->nr_ids; i++) {
		note_id(r->kept, at++, p->id[i], false);
		for (unsigned int k = 0; !i && k < p->nr_extras; k++)
			note_id(r->kept, at++, 0, true);
	}
	__atomic_store_n(&r->kept->tx_begun, at, __ATOMIC_RELEASE);
	die_point("tx-begun");
}

void net_tx_respond(struct net_tx_ring *r, const struct net_tx_packet *p, int16_t status)
{
	if (r->kept)
		note_begun(r, p);
	for (unsigned int i = 0; i < p->nr_ids; i++) {
		respond(r, p->id[i], status);
		/* The extras' places were behind the first. */
		for (unsigned int k = 0; !i && k < p->nr_extras; k++)
			respond(r, 0, NETIF_RSP_NULL);
	}
}

bool net_tx_waits(const struct net_tx_ring *r)
{
	return __atomic_load_n(&r->shared->req_prod, __ATOMIC_RELAXED) != r->req_cons;
}

bool net_tx_idle(struct net_tx_ring *r)
{
	__atomic_store_n(&r->shared->req_event, r->req_cons + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->shared->req_prod, __ATOMIC_SEQ_CST) == r->req_cons;
}

bool net_tx_push(struct net_tx_ring *r)
{
	uint32_t old;

	die_point("tx-push");
	if (r->kept)
		__atomic_store_n(&r->kept->tx_shown, r->rsp_prod, __ATOMIC_RELEASE);
	die_point("tx-shown");
	old = __atomic_exchange_n(&r->shared->rsp_prod, r->rsp_prod, __ATOMIC_SEQ_CST);
	return should_tell(old, r->rsp_prod, &r->shared->rsp_event);
}

/* ---- receive ---- */

void net_rx_init(struct net_rx_ring *r, void *shared)
{
	r->shared = shared;
	r->req_cons = r->rsp_prod = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_ACQUIRE);
	r->kept = NULL;
}

/* Before the first response: all that was taken will be answered. */
static void begin(const struct net_rx_ring *r)
{
	if (!r->kept)
		return;
	__atomic_store_n(&r->kept->rx_begun, r->req_cons, __ATOMIC_RELEASE);
	die_point("rx-begun");
}

void net_rx_keep(struct net_rx_ring *r, struct net_kept *k, bool resume)
{
	r->kept = k;
	if (!resume) {
		k->rx_shown = k->rx_begun = r->rsp_prod;
		return;
	}
	r->rsp_prod = k->rx_shown;
	r->req_cons = k->rx_begun;
	while (r->rsp_prod != k->rx_begun && r->rsp_prod - k->rx_shown < NET_RING_SIZE)
		net_rx_respond(r, k->rx_id[r->rsp_prod & (NET_RING_SIZE - 1)], 0, NETIF_RSP_ERROR);
	(void)net_rx_push(r);
}

int net_rx_waiting(const struct net_rx_ring *r)
{
	uint32_t prod = __atomic_load_n(&r->shared->req_prod, __ATOMIC_ACQUIRE);

	if (prod - r->rsp_prod > NET_RING_SIZE || prod - r->req_cons > NET_RING_SIZE)
		return -EPROTO;
	return (int)(prod - r->req_cons);
}

bool net_rx_want(struct net_rx_ring *r, unsigned int need)
{
	__atomic_store_n(&r->shared->req_event, r->req_cons + need, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->shared->req_prod, __ATOMIC_SEQ_CST) - r->req_cons < need;
}

void net_rx_take(struct net_rx_ring *r, uint16_t *ret_id, uint32_t *ret_ref)
{
	struct netif_rx_request q;

	memcpy(&q, (const void *)&r->shared->ring[r->req_cons & (NET_RING_SIZE - 1)], sizeof(q));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (r->kept)
		r->kept->rx_id[r->req_cons & (NET_RING_SIZE - 1)] = q.id;
	r->req_cons++;
	*ret_id = q.id;
	*ret_ref = q.gref;
}

void net_rx_respond(struct net_rx_ring *r, uint16_t id, uint16_t flags, int16_t status)
{
	struct netif_rx_response rsp = { .id = id, .offset = 0, .flags = flags, .status = status };

	begin(r);
	memcpy((void *)&r->shared->ring[r->rsp_prod & (NET_RING_SIZE - 1)], &rsp, sizeof(rsp));
	r->rsp_prod++;
}

void net_rx_respond_gso(struct net_rx_ring *r, uint8_t gso_type, uint16_t gso_size)
{
	struct netif_extra_info x = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

	begin(r);
	x.u.gso.type = gso_type;
	x.u.gso.size = gso_size;
	memcpy((void *)&r->shared->ring[r->rsp_prod & (NET_RING_SIZE - 1)], &x, sizeof(x));
	r->rsp_prod++;
}

bool net_rx_push(struct net_rx_ring *r)
{
	uint32_t old;

	die_point("rx-push");
	if (r->kept)
		__atomic_store_n(&r->kept->rx_shown, r->rsp_prod, __ATOMIC_RELEASE);
	die_point("rx-shown");
	old = __atomic_exchange_n(&r->shared->rsp_prod, r->rsp_prod, __ATOMIC_SEQ_CST);
	return should_tell(old, r->rsp_prod, &r->shared->rsp_event);
}
