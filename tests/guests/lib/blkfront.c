/* SPDX-License-Identifier: MIT */
#include "blkfront.h"

#define WAITS 20000u

void blkfront_init(struct blkfront *f, unsigned int vdev, void *pages)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dev, sizeof(f->dev), "device/vbd/%u", vdev);
	f->pages = pages;
	for (unsigned int i = 0; i < ARRAY_SIZE(f->ref); i++)
		f->ref[i] = grant_page((uint8_t *)pages + i * PAGE_SIZE, false);
	f->port = evtchn_alloc();
}

bool blkfront_exists(const struct blkfront *f)
{
	return backend_state(f->dev) != XenbusStateUnknown;
}

void blkfront_prepare(struct blkfront *f, unsigned int order, bool persistent)
{
	struct evtchn_close c = { .port = f->port };

	/* The old one is left over with no other end once the backend closed its own. */
	hc_event_channel_op(EVTCHNOP_close, &c);
	f->port = evtchn_alloc();
	(void)evtchn_take(f->port);
	f->order = order;
	f->ring = f->pages;
	memset(f->pages, 0, PAGE_SIZE << order);
	f->ring->req_event = f->ring->rsp_event = 1;
	f->size = 32u << order;
	f->req_prod = f->rsp_cons = 0;
	EXPECT(xs_printf(f->dev, "ring-page-order", "%u", order), 0);
	EXPECT(xs_printf(f->dev, "multi-queue-num-queues", "1"), 0);
	EXPECT(xs_printf(f->dev, "ring-ref", "%u", f->ref[0]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(f->ref); i++) {
		char path[60], node[16];

		snprintf(node, sizeof(node), "ring-ref%u", i);
		snprintf(path, sizeof(path), "%s/%s", f->dev, node);
		if (order && i < 1u << order)
			EXPECT(xs_printf(f->dev, node, "%u", f->ref[i]), 0);
		else
			xs_rm(path);
	}
	EXPECT(xs_printf(f->dev, "event-channel", "%u", f->port), 0);
	EXPECT(xs_printf(f->dev, "protocol", "x86_64-abi"), 0);
	EXPECT(xs_printf(f->dev, "feature-persistent", "%d", persistent), 0);
}

bool blkfront_connect(struct blkfront *f, unsigned int order, bool persistent)
{
	if (!backend_wait(f->dev, XenbusStateInitWait, XenbusStateInitWait))
		return false;
	blkfront_prepare(f, order, persistent);
	frontend_state(f->dev, XenbusStateInitialised);
	if (!backend_wait(f->dev, XenbusStateConnected, XenbusStateClosing) ||
	    backend_state(f->dev) != XenbusStateConnected)
		return false;
	frontend_state(f->dev, XenbusStateConnected);
	return true;
}

bool blkfront_reset(struct blkfront *f)
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

union blkif_sring_entry *blkfront_slot(struct blkfront *f)
{
	union blkif_sring_entry *e = &f->ring->ring[f->req_prod++ & (f->size - 1)];

	memset(e, 0, sizeof(*e));
	return e;
}

void blkfront_push(struct blkfront *f)
{
	mb();
	WRITE_ONCE(f->ring->req_prod, f->req_prod);
	mb();
	evtchn_notify(f->port);
}

int blkfront_answer(struct blkfront *f, uint64_t *id)
{
	const struct blkif_response *r;

	WRITE_ONCE(f->ring->rsp_event, f->rsp_cons + 1);
	for (unsigned int waits = 0; READ_ONCE(f->ring->rsp_prod) == f->rsp_cons; waits++) {
		if (waits > WAITS)
			return BLKFRONT_NONE;
		if (!evtchn_take(f->port))
			evtchn_wait(f->port);
	}
	mb();
	r = &f->ring->ring[f->rsp_cons++ & (f->size - 1)].rsp;
	if (id)
		*id = r->id;
	return r->status;
}

int blkfront_one(struct blkfront *f, uint8_t op, uint64_t sector, uint32_t ref, uint8_t first, uint8_t last)
{
	struct blkif_request *q = &blkfront_slot(f)->req;

	q->operation = op;
	q->nr_segments = 1;
	q->id = f->req_prod;
	q->sector_number = sector;
	q->seg[0] = (struct blkif_request_segment){ .gref = ref, .first_sect = first, .last_sect = last };
	blkfront_push(f);
	return blkfront_answer(f, NULL);
}
