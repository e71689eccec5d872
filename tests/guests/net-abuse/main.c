/* SPDX-License-Identifier: MIT */
/*
 * A hostile network frontend. Wants two vifs on one switch of the node's; the
 * host looks at what is left of the daemon and of the other domains.
 */
#include "netfront.h"

const char test_name[] = "net-abuse";

static uint8_t pages[2][NETFRONT_PAGES + 2][PAGE_SIZE] page_aligned;
static uint8_t lent[PAGE_SIZE] page_aligned;
static struct netfront a, b;
static uint32_t readonly_ref, revoked_ref;

static bool connect(struct netfront *f)
{
	bool ok = netfront_connect(f);

	CHECK(ok, "%s: an honest connection: backend state %d", f->dev, backend_state(f->dev));
	return ok;
}

static void alive(struct netfront *f)
{
	netfront_frame(f);
	netfront_put(f, f->ref[0], 0, 0, FRAME_LEN);
	netfront_push(f);
	EXPECT(netfront_answer(f), NETIF_RSP_OKAY);
}

/* What was put so far must cost the connection. */
static void disconnects(struct netfront *f, const char *what)
{
	netfront_push(f);
	CHECK(backend_wait(f->dev, XenbusStateClosing, XenbusStateClosed), "%s: still connected", what);
	for (unsigned int i = 0; i < 50; i++)
		netfront_push(f);
	CHECK(netfront_reset(f), "reset after %s", what);
}

static void indices(void)
{
	static const uint32_t by[] = { 257, 0x80000000, 0xffffffff, 0x7fffffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(by); i++) {
		if (!connect(&a))
			return;
		alive(&a);
		a.tx_prod += by[i];
		disconnects(&a, "an impossible transmit index");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(by); i++) {
		if (!connect(&a) || !connect(&b))
			return;
		b.rx_prod = by[i];
		netfront_give(&b, 0, 0);
		alive(&a); /* so that there is something to receive */
		disconnects(&b, "an impossible receive index");
		CHECK(netfront_reset(&a), "reset of the sender");
	}
}

/* Entry by entry what the ring's own rules forbid. */
static void chains(void)
{
	if (!connect(&a))
		return;
	netfront_put(&a, a.ref[0], 0, NETTXF_more_data, FRAME_LEN);
	disconnects(&a, "a chain that ends in nothing");
	if (!connect(&a))
		return;
	for (unsigned int i = 0; i < 60; i++)
		netfront_put(&a, a.ref[0], 0, NETTXF_more_data, 10);
	disconnects(&a, "an endless chain");
	if (!connect(&a))
		return;
	netfront_put(&a, a.ref[0], 4090, 0, FRAME_LEN);
	disconnects(&a, "data across a page's end");
	if (!connect(&a))
		return;
	netfront_put(&a, a.ref[0], 0, NETTXF_extra_info, FRAME_LEN);
	netfront_put_extra(&a, 99, 0);
	disconnects(&a, "an unknown extra");
	if (!connect(&a))
		return;
	netfront_put(&a, a.ref[0], 0, NETTXF_extra_info, FRAME_LEN);
	for (unsigned int i = 0; i < 200; i++)
		netfront_put_extra(&a, XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
	disconnects(&a, "extras in a circle");
}

static void refuse(const char *what, unsigned int entries, int status)
{
	int got;

	netfront_push(&a);
	for (unsigned int i = 0; i < entries; i++) {
		got = netfront_answer(&a);
		CHECK(got == status || got == NETIF_RSP_NULL, "%s: answer %u is %d, not %d", what, i, got, status);
	}
	alive(&a);
}

/* Refused, but no reason to disconnect. */
static void packets(void)
{
	if (!connect(&a))
		return;
	netfront_frame(&a);
	netfront_put(&a, a.ref[0], 0, NETTXF_more_data, FRAME_LEN);
	netfront_put(&a, a.ref[1], 0, 0, 200);
	refuse("a size that lies", 2, NETIF_RSP_ERROR);
	for (unsigned int i = 0; i < 20; i++)
		netfront_put(&a, a.ref[0], 0, i < 19 ? NETTXF_more_data : 0, i ? 10 : 200);
	refuse("too many slots", 20, NETIF_RSP_ERROR);
	for (uint16_t n = 0; n < 14; n++)
		netfront_put(&a, a.ref[0], 0, 0, n);
	refuse("short frames", 14, NETIF_RSP_ERROR);
	netfront_put(&a, 2047, 0, 0, FRAME_LEN);
	refuse("a grant that is none", 1, NETIF_RSP_ERROR);
	netfront_put(&a, 0xffffffff, 0, 0, FRAME_LEN);
	refuse("a grant beyond the table", 1, NETIF_RSP_ERROR);
	netfront_put(&a, revoked_ref, 0, 0, FRAME_LEN);
	refuse("a grant that was revoked", 1, NETIF_RSP_ERROR);
	netfront_put(&a, a.ref[0], 0, NETTXF_csum_blank, FRAME_LEN);
	refuse("no checksum where none can be", 1, NETIF_RSP_DROPPED);
	netfront_put(&a, a.ref[0], 0, NETTXF_extra_info, FRAME_LEN);
	netfront_put_extra(&a, XEN_NETIF_EXTRA_TYPE_GSO, 0);
	refuse("segments of what is no TCP", 2, NETIF_RSP_DROPPED);
	netfront_put(&a, a.ref[0], 0, NETTXF_extra_info, FRAME_LEN);
	netfront_put_extra(&a, XEN_NETIF_EXTRA_TYPE_HASH, 0);
	refuse("a hash that was not offered", 2, NETIF_RSP_ERROR);
	CHECK(netfront_reset(&a), "reset after packets");
}

static void multicast(void)
{
	unsigned int okay = 0;

	if (!connect(&a))
		return;
	for (unsigned int i = 0; i < 100; i++) {
		netfront_put(&a, a.ref[0], 0, NETTXF_extra_info, 0);
		netfront_put_extra(&a, XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0);
		netfront_push(&a);
		okay += netfront_answer(&a) == NETIF_RSP_OKAY;
		(void)netfront_answer(&a);
	}
	CHECK(okay == 64, "%u multicast addresses, not 64", okay);
	alive(&a);
	CHECK(netfront_reset(&a), "reset after multicast");
}

/* The next frame of ours: the switch's other domains send broadcasts, too, each of which takes a page of this reference. */
static int received(uint32_t ref)
{
	int got = netfront_received(&b);

	for (unsigned int i = 0; i < 1000 && got > 0 && got != FRAME_LEN && got != NETFRONT_NONE; i++) {
		netfront_give(&b, 1, ref);
		got = netfront_received(&b);
	}
	return got;
}

static void receiving(void)
{
	if (!connect(&a) || !connect(&b))
		return;
	netfront_give(&b, 1, b.ref[1]);
	alive(&a);
	EXPECT(received(b.ref[1]), FRAME_LEN);
	CHECK(b.data[1][20] == 0x5a, "the frame did not arrive");
	netfront_give(&b, 1, readonly_ref);
	alive(&a);
	EXPECT(netfront_received(&b), NETIF_RSP_ERROR);
	netfront_give(&b, 1, revoked_ref);
	alive(&a);
	EXPECT(netfront_received(&b), NETIF_RSP_ERROR);
	/* Far more than the backend keeps for who does not take it. */
	for (unsigned int i = 0; i < 2000; i++)
		alive(&a);
	netfront_give(&b, 200, b.ref[1]);
	for (unsigned int i = 0; i < 200; i++)
		EXPECT(received(b.ref[1]), FRAME_LEN);
	/* With frames waiting. */
	CHECK(netfront_reset(&b) && netfront_reset(&a), "reset with frames waiting");
}

static void refused(const char *node, const char *value)
{
	char path[80];

	if (!backend_wait(a.dev, XenbusStateInitWait, XenbusStateInitWait)) {
		test_failed("the backend does not wait before %s = \"%s\"", node, value);
		return;
	}
	netfront_prepare(&a);
	snprintf(path, sizeof(path), "%s/%s", a.dev, node);
	EXPECT(xs_write(path, value), 0);
	frontend_state(a.dev, XenbusStateConnected);
	CHECK(backend_wait(a.dev, XenbusStateClosing, XenbusStateConnected) &&
	      backend_state(a.dev) == XenbusStateClosing, "%s = \"%s\" is accepted", node, value);
	CHECK(netfront_reset(&a), "reset after %s = \"%s\"", node, value);
}

static void store_values(void)
{
	static const char *const bad[] = { "", "abc", "-1", "8 ", "4294967295", "4294967296" };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		refused("tx-ring-ref", bad[i]);
		refused("rx-ring-ref", bad[i]);
		refused("event-channel", bad[i]);
		refused("multi-queue-num-queues", bad[i]);
	}
	refused("multi-queue-num-queues", "0");
	refused("multi-queue-num-queues", "5");
	refused("multi-queue-num-queues", "2"); /* none of which is there */
	refused("request-rx-copy", "0");
	refused("event-channel-tx", "3");       /* without the other */
	xs_rm("device/vif/0/event-channel-tx");
}

/* Requests change while the backend reads them: a second vCPU writes everywhere in them. */
void secondary_main(uint64_t arg)
{
	uint64_t *p = (uint64_t *)a.tx, n = 1;

	while (!READ_ONCE(secondary_stop)) {
		n = n * 6364136223846793005ull + 1442695040888963407ull;
		/* Not the indices, so that it goes on for a while. Grants below 8 are the console's and the store's. */
		WRITE_ONCE(p[8 + (n >> 33) % 504], n % 3 ? (n >> (n & 31)) | 8 : a.ref[n % NETFRONT_PAGES]);
	}
	secondary_end();
}

static void changing(void)
{
	if (!connect(&a))
		return;
	if (start_secondary(0)) {
		printk("one vCPU only: the ring does not change by itself\n");
		CHECK(netfront_reset(&a), "reset");
		return;
	}
	for (unsigned int i = 0; i < 400; i++) {
		if (a.tx_prod - READ_ONCE(a.tx->rsp_prod) < 200)
			a.tx_prod += 8;
		netfront_push(&a);
		/* It may lose its connection at any time; then it begins again. */
		if (!(i % 16) && backend_state(a.dev) != XenbusStateConnected && (!netfront_reset(&a) || !netfront_connect(&a)))
			break;
	}
	stop_secondary();
	CHECK(netfront_reset(&a), "the backend is lost after a ring that changed");
}

/* Each state after each, without waiting, and rings at any time in between. */
static void storms(void)
{
	uint32_t n = 12345;

	for (unsigned int i = 0; i < 600; i++) {
		char value[12];

		n = n * 1664525 + 1013904223;
		if (!(i % 50) && backend_wait(a.dev, XenbusStateInitWait, XenbusStateClosed))
			netfront_prepare(&a);
		snprintf(value, sizeof(value), "%u", (n >> 16) % 12);
		xs_printf(a.dev, "state", "%s", (n >> 24) % 16 ? value : "nonsense");
		xs_printf(a.dev, "request-multicast-control", "%u", i & 1);
		a.tx_prod += (n >> 20) % 4;
		netfront_push(&a);
	}
	xs_rm("device/vif/0/request-multicast-control");
	CHECK(netfront_reset(&a), "the backend is lost after a storm of states");
}

/* With the rings up. No backend may hang on to them, nor make them again. */
static void removed(void)
{
	if (!connect(&b))
		return;
	netfront_give(&b, 100, b.ref[1]);
	EXPECT(xs_rm(b.dev), 0);
	for (unsigned int i = 0; i < 1000 && !grant_end(b.tx_ref); i++)
		nap();
	CHECK(grant_end(b.tx_ref), "the ring is mapped although the frontend's directory is gone");
}

void test_main(void)
{
	uint32_t refs[2 + NETFRONT_PAGES];
	unsigned int mapped = 0;

	xenbus_setup();
	netfront_init(&a, 0, pages[0]);
	netfront_init(&b, 1, pages[1]);
	if (!netfront_exists(&a) || !netfront_exists(&b)) {
		test_skip("no network interfaces: the network tests run it with two");
		return;
	}
	readonly_ref = grant_page(lent, true);
	revoked_ref = grant_page(lent, false);
	CHECK(grant_end(revoked_ref), "a grant that nobody uses cannot be ended");
	indices();
	chains();
	packets();
	multicast();
	receiving();
	store_values();
	changing();
	storms();
	removed();
	if (connect(&a)) {
		alive(&a);
		CHECK(netfront_reset(&a), "the last reset");
	}
	memcpy(refs, a.ref, sizeof(a.ref));
	refs[NETFRONT_PAGES] = a.tx_ref;
	refs[NETFRONT_PAGES + 1] = a.rx_ref;
	for (unsigned int i = 0; i < ARRAY_SIZE(refs); i++)
		mapped += !grant_end(refs[i]);
	CHECK(!mapped, "%u pages are still mapped by the backend", mapped);
}
