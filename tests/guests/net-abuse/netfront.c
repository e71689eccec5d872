/* SPDX-License-Identifier: MIT */
#include "netfront.h"

#define WAITS 4000u
#define MASK 255u

void netfront_init(struct netfront *f, unsigned int devid, uint8_t (*pages)[PAGE_SIZE])
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dev, sizeof(f->dev), "device/vif/%u", devid);
	f->tx = (netif_tx_sring_t *)pages[0];
	f->rx = (netif_rx_sring_t *)pages[1];
	f->data = pages + 2;
	f->tx_ref = grant_page(f->tx, false);
	f->rx_ref = grant_page(f->rx, false);
	for (unsigned int i = 0; i < NETFRONT_PAGES; i++)
		f->ref[i] = grant_page(f->data[i], false);
	f->port = evtchn_alloc();
}

bool netfront_exists(const struct netfront *f)
{
	return backend_state(f->dev) != XenbusStateUnknown;
}

void netfront_prepare(struct netfront *f)
{
	struct evtchn_close c = { .port = f->port };

	/* The old one is left over with no other end once the backend closed its own. */
	hc_event_channel_op(EVTCHNOP_close, &c);
	f->port = evtchn_alloc();
	(void)evtchn_take(f->port);
	memset(f->tx, 0, PAGE_SIZE);
	memset(f->rx, 0, PAGE_SIZE);
	f->tx->req_event = f->tx->rsp_event = f->rx->req_event = f->rx->rsp_event = 1;
	f->tx_prod = f->tx_cons = f->rx_prod = f->rx_cons = 0;
	EXPECT(xs_printf(f->dev, "tx-ring-ref", "%u", f->tx_ref), 0);
	EXPECT(xs_printf(f->dev, "rx-ring-ref", "%u", f->rx_ref), 0);
	EXPECT(xs_printf(f->dev, "event-channel", "%u", f->port), 0);
	EXPECT(xs_printf(f->dev, "request-rx-copy", "1"), 0);
	EXPECT(xs_printf(f->dev, "feature-rx-notify", "1"), 0);
	EXPECT(xs_printf(f->dev, "multi-queue-num-queues", "1"), 0);
}

bool netfront_connect(struct netfront *f)
{
	if (!backend_wait(f->dev, XenbusStateInitWait, XenbusStateInitWait))
		return false;
	netfront_prepare(f);
	frontend_state(f->dev, XenbusStateConnected);
	return backend_wait(f->dev, XenbusStateConnected, XenbusStateClosing) &&
	       backend_state(f->dev) == XenbusStateConnected;
}

bool netfront_reset(struct netfront *f)
{
	frontend_state(f->dev, XenbusStateClosing);
	if (!backend_wait(f->dev, XenbusStateClosing, XenbusStateClosed))
		return false;
	frontend_state(f->dev, XenbusStateClosed);
	if (!backend_wait(f->dev, XenbusStateClosed, XenbusStateClosed))
		return false;
	frontend_state(f->dev, XenbusStateInitialising);
	return backend_wait(f->dev, XenbusStateInitWait, XenbusStateInitWait);
}

void netfront_put(struct netfront *f, uint32_t ref, uint16_t offset, uint16_t flags, uint16_t size)
{
	f->tx->ring[f->tx_prod & MASK].req = (struct netif_tx_request){ .gref = ref, .offset = offset, .flags = flags,
									.id = (uint16_t)f->tx_prod, .size = size };
	f->tx_prod++;
}

void netfront_put_extra(struct netfront *f, uint8_t type, uint8_t flags)
{
	struct netif_extra_info x = { .type = type, .flags = flags };

	if (type == XEN_NETIF_EXTRA_TYPE_GSO) {
		x.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
		x.u.gso.size = 1;
	} else {
		memset(x.u.mcast.addr, 0x33, 6);
		x.u.mcast.addr[5] = (uint8_t)f->tx_prod;
	}
	memcpy(&f->tx->ring[f->tx_prod++ & MASK], &x, sizeof(x));
}

void netfront_push(struct netfront *f)
{
	mb();
	WRITE_ONCE(f->tx->req_prod, f->tx_prod);
	mb();
	evtchn_notify(f->port);
}

static bool wait_for(struct netfront *f, RING_IDX *prod, RING_IDX *event, uint32_t cons)
{
	WRITE_ONCE(*event, cons + 1);
	for (unsigned int waits = 0; READ_ONCE(*prod) == cons; waits++) {
		if (waits > WAITS)
			return false;
		if (!evtchn_take(f->port))
			evtchn_wait(f->port);
	}
	mb();
	return true;
}

int netfront_answer(struct netfront *f)
{
	if (!wait_for(f, &f->tx->rsp_prod, &f->tx->rsp_event, f->tx_cons))
		return NETFRONT_NONE;
	return f->tx->ring[f->tx_cons++ & MASK].rsp.status;
}

void netfront_give(struct netfront *f, unsigned int n, uint32_t ref)
{
	while (n--) {
		f->rx->ring[f->rx_prod & MASK].req = (struct netif_rx_request){ .id = (uint16_t)f->rx_prod, .gref = ref };
		f->rx_prod++;
	}
	mb();
	WRITE_ONCE(f->rx->req_prod, f->rx_prod);
	mb();
	evtchn_notify(f->port);
}

int netfront_received(struct netfront *f)
{
	if (!wait_for(f, &f->rx->rsp_prod, &f->rx->rsp_event, f->rx_cons))
		return NETFRONT_NONE;
	return f->rx->ring[f->rx_cons++ & MASK].rsp.status;
}

void netfront_frame(struct netfront *f)
{
	static const uint8_t source[6] = { 0x02, 0, 0, 0, 0, 0x77 };

	memset(f->data[0], 0x5a, PAGE_SIZE);
	memset(f->data[0], 0xff, 6);
	memcpy(f->data[0] + 6, source, 6);
	f->data[0][12] = 0x12; /* a type of nobody's */
	f->data[0][13] = 0x34;
}
