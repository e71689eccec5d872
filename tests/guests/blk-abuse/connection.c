/* SPDX-License-Identifier: MIT */
/* Indices, events and store values as no honest frontend has them. */
#include "abuse.h"

/* The backend must let go of a ring that makes no sense. */
static void impossible_index(struct blkfront *f, uint32_t by, bool persistent)
{
	if (!abuse_connect(f, 0, persistent))
		return;
	abuse_alive(f);
	f->req_prod += by;
	blkfront_push(f);
	CHECK(backend_wait(f->dev, XenbusStateClosing, XenbusStateClosed), "req_prod beyond by %#x: still connected", by);
	/* Long after. */
	for (unsigned int i = 0; i < 100; i++)
		blkfront_push(f);
	CHECK(blkfront_reset(f), "reset after an impossible index");
}

/* What is ours to write is not what the backend counts by. */
static void scribbled(struct blkfront *f, bool persistent)
{
	if (!abuse_connect(f, 1, persistent))
		return;
	abuse_alive(f);
	WRITE_ONCE(f->ring->rsp_prod, 0x12345678);
	WRITE_ONCE(f->ring->req_event, 0xdeadbeef);
	WRITE_ONCE(f->ring->rsp_event, 0x80000000);
	for (unsigned int i = 0; i < 40; i++) {
		struct blkif_request *q = &blkfront_slot(f)->req;

		q->operation = BLKIF_OP_READ;
		q->id = 77; /* all the same */
		q->nr_segments = 1;
		q->seg[0] = (struct blkif_request_segment){ .gref = abuse_ref[0], .last_sect = 7 };
		blkfront_push(f);
	}
	for (unsigned int i = 0; i < 20000 && READ_ONCE(f->ring->rsp_prod) != f->req_prod; i++)
		nap();
	CHECK(READ_ONCE(f->ring->rsp_prod) == f->req_prod, "answers are missing: %#x of %#x", f->ring->rsp_prod, f->req_prod);
	CHECK(blkfront_reset(f), "reset after scribbling");
}

static void storm(struct blkfront *f, bool persistent)
{
	if (!abuse_connect(f, 0, persistent))
		return;
	for (unsigned int i = 0; i < 20000; i++) {
		evtchn_notify(f->port);
		if (!(i % 4000))
			abuse_alive(f);
	}
	CHECK(blkfront_reset(f), "reset after a storm");
}

void abuse_ring(struct blkfront *f, bool persistent)
{
	static const uint32_t by[] = { 33, 64, 0x80000000, 0xffffffff, 0xffffffe0, 0x7fffffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(by); i++)
		impossible_index(f, by[i], persistent);
	scribbled(f, persistent);
	storm(f, persistent);
}

/* With one value wrong, the backend refuses the connection and can be asked again. */
static void refused(struct blkfront *f, const char *node, const char *value)
{
	char path[80];

	if (!backend_wait(f->dev, XenbusStateInitWait, XenbusStateInitWait)) {
		test_failed("the backend does not wait before %s = \"%s\"", node, value);
		return;
	}
	blkfront_prepare(f, 0, false);
	snprintf(path, sizeof(path), "%s/%s", f->dev, node);
	EXPECT(xs_write(path, value), 0);
	frontend_state(f->dev, XenbusStateInitialised);
	CHECK(backend_wait(f->dev, XenbusStateClosing, XenbusStateConnected) &&
	      backend_state(f->dev) == XenbusStateClosing, "%s = \"%s\" is accepted", node, value);
	CHECK(blkfront_reset(f), "reset after %s = \"%s\"", node, value);
}

static const char *const bad_numbers[] = {
	"", "abc", "-1", " 8", "8 ", "0x8", "4294967295", "4294967296", "99999999999999999999999", "1e3",
};

void abuse_store(struct blkfront *f)
{
	static const char *const orders[] = { "5", "31", "32", "4294967295" };
	static const char *const queues[] = { "0", "5", "65536", "4294967295" };
	char path[200], back[160];

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_numbers); i++) {
		refused(f, "ring-ref", bad_numbers[i]);
		refused(f, "event-channel", bad_numbers[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++)
		refused(f, "ring-page-order", orders[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(queues); i++)
		refused(f, "multi-queue-num-queues", queues[i]);
	refused(f, "multi-queue-num-queues", "2"); /* none of which is there */
	refused(f, "ring-ref", "2047");            /* never granted */
	refused(f, "event-channel", "0");
	refused(f, "event-channel", "1000");
	refused(f, "protocol", "x86_32-abi");
	/* The backend's own directory is not ours to write, and where ours says that it is matters to nobody but us. */
	snprintf(path, sizeof(path), "%s/backend", f->dev);
	EXPECT(xs_read(path, back, sizeof(back)), 0);
	EXPECT(xs_printf(back, "state", "4"), -EACCES);
	EXPECT(xs_printf(back, "sectors", "99999999"), -EACCES);
	EXPECT(xs_rm(back), -EACCES);
	EXPECT(xs_write(path, "/local/domain/0/backend/vbd/0/0"), 0);
	EXPECT(xs_write(path, back), 0);
	/* A second frontend of the same backend: its own directory, not looked at by anybody. */
	xs_write("device/vbd/99/backend", back);
	xs_write("device/vbd/99/state", "3");
	/* The same page twice as ring; and new values while connected. */
	blkfront_prepare(f, 1, false);
	EXPECT(xs_printf(f->dev, "ring-ref1", "%u", f->ref[0]), 0);
	frontend_state(f->dev, XenbusStateInitialised);
	CHECK(backend_wait(f->dev, XenbusStateConnected, XenbusStateClosing), "a ring of one page twice: no state");
	xs_printf(f->dev, "ring-ref0", "0");
	frontend_state(f->dev, XenbusStateInitialised);
	frontend_state(f->dev, XenbusStateConnected);
	blkfront_push(f);
	CHECK(blkfront_reset(f), "reset after a ring of one page twice");
	xs_rm("device/vbd/99");
}
