/* SPDX-License-Identifier: MIT */
/*
 * A hostile 9pfs frontend: rings, sizes and messages that cannot be. Wants one
 * share. After each the backend must have let go, and take an honest session again.
 */
#include "xenbus.h"
#include <xen/io/9pfs.h>

const char test_name[] = "p9-abuse";

#define DEV "device/9pfs/0"
#define ORDER 1u
#define HALF (1u << (ORDER + 11))

static union { struct xen_9pfs_data_intf intf; uint8_t bytes[PAGE_SIZE]; } page page_aligned;
static uint8_t data[PAGE_SIZE << ORDER] page_aligned;
static uint32_t page_ref, data_ref[1u << ORDER], port;

static uint64_t random64(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s;
}

/* Down to the state that a new frontend finds. */
static bool reset(void)
{
	frontend_state(DEV, XenbusStateClosed);
	if (!backend_wait(DEV, XenbusStateClosed, XenbusStateInitWait))
		return false;
	frontend_state(DEV, XenbusStateInitialising);
	return backend_wait(DEV, XenbusStateInitWait, XenbusStateInitWait);
}

/* What an honest frontend writes; then the state. */
static bool connect(uint32_t order, uint32_t rings, const char *version)
{
	memset(&page, 0, sizeof(page));
	memset(data, 0, sizeof(data));
	page.intf.ring_order = order;
	for (unsigned int i = 0; i < ARRAY_SIZE(data_ref); i++)
		page.intf.ref[i] = data_ref[i];
	mb();
	xs_printf(DEV, "version", "%s", version);
	xs_printf(DEV, "num-rings", "%u", rings);
	xs_printf(DEV, "ring-ref0", "%u", page_ref);
	xs_printf(DEV, "event-channel-0", "%u", port);
	frontend_state(DEV, XenbusStateInitialised);
	return backend_wait(DEV, XenbusStateConnected, XenbusStateClosing) && backend_state(DEV) == XenbusStateConnected;
}

static void put(const void *msg, uint32_t len)
{
	const uint8_t *p = msg;

	for (uint32_t i = 0; i < len; i++)
		data[HALF + ((page.intf.out_prod + i) & (HALF - 1))] = p[i];
	mb();
	WRITE_ONCE(page.intf.out_prod, page.intf.out_prod + len);
	mb();
	evtchn_notify(port);
}

/* A reply's type; 0: none comes. */
static uint8_t reply(void)
{
	uint32_t at = page.intf.in_cons;
	uint8_t type;

	for (unsigned int i = 0; i < 5000 && READ_ONCE(page.intf.in_prod) == at; i++)
		nap();
	if (READ_ONCE(page.intf.in_prod) == at)
		return 0;
	mb();
	type = data[(at + 4) & (HALF - 1)];
	WRITE_ONCE(page.intf.in_cons, at + data[at & (HALF - 1)]);
	evtchn_notify(port);
	return type;
}

static const uint8_t version[] = "\x15\0\0\0\x64\xff\xff\0\x08\0\0\x08\0" "9P2000.L";
#define VERSION_LEN 21u

static void honest(const char *after)
{
	CHECK(reset(), "after %s: the backend is lost, state %d", after, backend_state(DEV));
	CHECK(connect(ORDER, 1, "1"), "after %s: no connection, state %d", after, backend_state(DEV));
	put(version, VERSION_LEN);
	CHECK(reply() == 101, "after %s: no session", after);
	CHECK(reset(), "after %s and a session: the backend is lost", after);
}

static void handshakes(void)
{
	static const uint32_t orders[] = { 0, 7, 9, 32, 0x80000000u, ~0u };

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		CHECK(!connect(orders[i], 1, "1"), "order %u was taken", orders[i]);
		CHECK(reset(), "order %u: the backend is lost", orders[i]);
	}
	CHECK(!connect(ORDER, 0, "1"), "no rings were taken");
	CHECK(reset(), "no rings");
	CHECK(!connect(ORDER, 5, "1"), "too many rings were taken");
	CHECK(reset(), "too many rings");
	CHECK(!connect(ORDER, 2, "1"), "a second ring that is not there was taken");
	CHECK(reset(), "a second ring");
	CHECK(!connect(ORDER, 1, "2"), "version 2 was taken");
	CHECK(reset(), "version 2");
	data_ref[1] += 100000;
	CHECK(!connect(ORDER, 1, "1"), "a bad grant was taken");
	data_ref[1] -= 100000;
	honest("handshakes");
}

static void expect_closing(const char *what)
{
	CHECK(backend_wait(DEV, XenbusStateClosing, XenbusStateClosed), "%s: still connected", what);
	honest(what);
}

static void framing(void)
{
	static const struct { const char *what; uint32_t size; uint8_t type; } bad[] = {
		{ "size 0", 0, 100 }, { "size 6", 6, 100 }, { "a size beyond the ring", HALF + 1, 116 },
		{ "size 4 GiB", ~0u, 118 }, { "an attach without a name", 9, 104 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t msg[9] = { (uint8_t)bad[i].size, (uint8_t)(bad[i].size >> 8), (uint8_t)(bad[i].size >> 16),
				   (uint8_t)(bad[i].size >> 24), bad[i].type, 1 };

		CHECK(connect(ORDER, 1, "1"), "%s: no connection", bad[i].what);
		put(msg, sizeof(msg));
		expect_closing(bad[i].what);
	}
	CHECK(connect(ORDER, 1, "1"), "indices: no connection");
	WRITE_ONCE(page.intf.out_prod, HALF + 1);
	evtchn_notify(port);
	expect_closing("impossible indices");
}

/* The server gets any bytes that are framed well: errors, or its end, and a session again. */
static void noise(void)
{
	for (unsigned int round = 0; round < 20; round++) {
		CHECK(connect(ORDER, 1, "1"), "noise: no connection");
		put(version, VERSION_LEN);
		CHECK(reply() == 101, "noise: no session");
		for (unsigned int n = 0; n < 40; n++) {
			uint8_t msg[64];
			uint32_t len = 7 + random64() % 57;

			for (uint32_t i = 0; i < len; i++)
				msg[i] = random64() % 3 ? (uint8_t)random64() : 0;
			memset(msg, 0, 4);
			msg[0] = (uint8_t)len;
			msg[4] = (uint8_t)(8 + random64() % 120);
			if (HALF - (page.intf.out_prod - READ_ONCE(page.intf.out_cons)) >= len)
				put(msg, len);
			/* Replies are taken, or not: then it must stop by itself. */
			if (round & 1)
				WRITE_ONCE(page.intf.in_cons, READ_ONCE(page.intf.in_prod));
		}
		CHECK(reset(), "noise: the backend is lost");
	}
	honest("noise");
}

void test_main(void)
{
	xenbus_setup();
	page_ref = grant_page(&page, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(data_ref); i++)
		data_ref[i] = grant_page(data + i * PAGE_SIZE, false);
	port = evtchn_alloc();
	CHECK(backend_wait(DEV, XenbusStateInitWait, XenbusStateInitWait), "there is no share");
	honest("nothing");
	handshakes();
	framing();
	noise();
}
