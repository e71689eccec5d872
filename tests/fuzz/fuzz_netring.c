/* SPDX-License-Identifier: MIT */
/* A vif's rings: bytes of input are steps of a frontend that keeps no rule, and of the backend. */
#include "pvctld/net/ring.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_packet(const struct net_tx_packet *p)
{
	uint32_t total = 0;

	if (p->nr_ids > NET_SLOTS_TAKEN || p->nr_extras > NET_EXTRAS_MAX || p->nr_slots > NET_SLOTS_MAX)
		abort();
	if (p->status || p->mcast)
		return;
	for (unsigned int i = 0; i < p->nr_slots; i++) {
		if (p->slot[i].offset + p->slot[i].len > NET_PAGE)
			abort();
		total += p->slot[i].len;
	}
	if (total != p->len)
		abort();
}

static void take(struct net_tx_ring *r)
{
	struct net_tx_packet p;
	int rc = net_tx_take(r, &p);

	if (rc < 0) {
		net_tx_init(r, r->shared); /* disconnected, and back again */
	} else if (rc) {
		check_packet(&p);
		net_tx_respond(r, &p, p.status);
		if (r->rsp_prod != r->req_cons)
			abort();
		(void)net_tx_push(r);
	}
}

static void step_tx(struct net_tx_ring *r, uint8_t op, const uint8_t *arg)
{
	if (op == 0)
		memcpy(&r->shared->ring[arg[0]], arg + 1, 12);
	else if (op == 1)
		memcpy(&r->shared->req_prod, arg, 4);
	else if (op == 2)
		r->shared->req_prod += arg[0];
	else if (op == 3)
		take(r);
}

static void step_rx(struct net_rx_ring *r, uint8_t op, const uint8_t *arg)
{
	int n = net_rx_waiting(r);
	uint32_t ref;
	uint16_t id;

	if (op == 4)
		memcpy(&r->shared->req_prod, arg, 4);
	else if (op == 5)
		r->shared->req_prod += arg[0];
	else if (op == 6 && n > 0) {
		net_rx_take(r, &id, &ref);
		net_rx_respond(r, id, 0, 60);
		(void)net_rx_push(r);
	} else if (op == 7) {
		(void)net_rx_want(r, 1u + arg[0]);
	}
	if (n > (int)NET_RING_SIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *pages[2] = { calloc(1, 4096), calloc(1, 4096) };
	struct net_tx_ring tx;
	struct net_rx_ring rx;

	net_tx_init(&tx, pages[0]);
	net_rx_init(&rx, pages[1]);
	for (size_t i = 0; i + 14 <= size; i += 14) {
		step_tx(&tx, data[i] & 7, data + i + 1);
		step_rx(&rx, data[i] & 7, data + i + 1);
	}
	free(pages[0]);
	free(pages[1]);
	return 0;
}
