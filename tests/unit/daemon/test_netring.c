/* SPDX-License-Identifier: MIT */
/* A vif's rings against what a hostile frontend may put there; and the rate. */
#include "pvctld/net/rate.h"
#include "pvctld/net/ring.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static netif_tx_sring_t *tx_page;
static netif_rx_sring_t *rx_page;
static struct net_tx_ring tx;
static struct net_rx_ring rx;
static struct net_tx_packet packet;

static void setup(void)
{
	tx_page = aligned_alloc(4096, 4096);
	rx_page = aligned_alloc(4096, 4096);
	memset(tx_page, 0, 4096);
	memset(rx_page, 0, 4096);
	net_tx_init(&tx, tx_page);
	net_rx_init(&rx, rx_page);
}

static void teardown(void)
{
	free(tx_page);
	free(rx_page);
}

static void put(uint32_t ref, uint16_t offset, uint16_t flags, uint16_t id, uint16_t size)
{
	tx_page->ring[tx_page->req_prod++ & 255].req =
		(struct netif_tx_request){ .gref = ref, .offset = offset, .flags = flags, .id = id, .size = size };
}

static void put_extra(uint8_t type, uint8_t flags)
{
	struct netif_extra_info x = { .type = type, .flags = flags };

	if (type == XEN_NETIF_EXTRA_TYPE_GSO) {
		x.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
		x.u.gso.size = 1448;
	} else {
		memset(x.u.mcast.addr, 0x33, 6);
	}
	memcpy(&tx_page->ring[tx_page->req_prod++ & 255], &x, sizeof(x));
}

START_TEST(one_slot)
{
	ck_assert_int_eq(net_tx_take(&tx, &packet), 0);
	put(7, 100, NETTXF_csum_blank, 3, 1500);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_OKAY);
	ck_assert_uint_eq(packet.len, 1500);
	ck_assert_uint_eq(packet.nr_slots, 1);
	ck_assert_uint_eq(packet.slot[0].ref, 7);
	ck_assert_uint_eq(packet.slot[0].len, 1500);
	net_tx_respond(&tx, &packet, NETIF_RSP_OKAY);
	tx_page->rsp_event = 1;
	ck_assert(net_tx_push(&tx));
	ck_assert_uint_eq(tx_page->rsp_prod, 1);
	ck_assert_uint_eq(tx_page->ring[0].rsp.id, 3);
	ck_assert(net_tx_idle(&tx));
	ck_assert_uint_eq(tx_page->req_event, 2);
	put(7, 0, 0, 4, 60);
	ck_assert(!net_tx_idle(&tx));
}
END_TEST

START_TEST(chain_with_gso)
{
	put(1, 4000, NETTXF_more_data | NETTXF_extra_info | NETTXF_csum_blank, 11, 96 + 4096 + 50);
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0);
	put(2, 0, NETTXF_more_data, 12, 4096);
	put(3, 10, 0, 13, 50);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_OKAY);
	ck_assert_uint_eq(packet.nr_slots, 3);
	ck_assert_uint_eq(packet.slot[0].len, 96);
	ck_assert_uint_eq(packet.slot[2].offset, 10);
	ck_assert_uint_eq(packet.gso_size, 1448);
	net_tx_respond(&tx, &packet, NETIF_RSP_OKAY);
	net_tx_push(&tx);
	ck_assert_uint_eq(tx_page->rsp_prod, 4);
	ck_assert_uint_eq(tx_page->ring[0].rsp.id, 11);
	ck_assert_int_eq(tx_page->ring[1].rsp.status, NETIF_RSP_NULL);
	ck_assert_uint_eq(tx_page->ring[3].rsp.id, 13);
}
END_TEST

START_TEST(impossible_indices)
{
	static const uint32_t prods[] = { 257, 0x7fffffff, 0x80000000, 0xffffffff };

	for (unsigned int i = 0; i < 4; i++) {
		tx_page->req_prod = rx_page->req_prod = prods[i];
		ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
		ck_assert_int_eq(net_rx_waiting(&rx), -EPROTO);
	}
	tx_page->req_prod = rx_page->req_prod = 256;
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(net_rx_waiting(&rx), 256);
	/* Backwards. */
	tx_page->req_prod = 0;
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
}
END_TEST

START_TEST(indices_wrap)
{
	tx_page->req_prod = tx_page->rsp_prod = 0xffffff80u;
	rx_page->req_prod = rx_page->rsp_prod = 0xffffff80u;
	net_tx_init(&tx, tx_page);
	net_rx_init(&rx, rx_page);
	rx_page->req_prod += 256;
	ck_assert_int_eq(net_rx_waiting(&rx), 256);
	for (unsigned int i = 0; i < 256; i++)
		put(i, 0, 0, (uint16_t)i, 64);
	for (unsigned int i = 0; i < 256; i++) {
		uint32_t ref;
		uint16_t id;

		ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
		net_tx_respond(&tx, &packet, NETIF_RSP_OKAY);
		net_rx_take(&rx, &id, &ref);
		net_rx_respond(&rx, id, 0, 60);
	}
	ck_assert_int_eq(net_tx_take(&tx, &packet), 0);
	ck_assert_int_eq(net_rx_waiting(&rx), 0);
	tx_page->rsp_event = 0x80;
	ck_assert(net_tx_push(&tx));
	ck_assert(!net_tx_push(&tx));
}
END_TEST

/* What breaks the chain of entries itself. */
START_TEST(broken_chains)
{
	/* It goes on where nothing is. */
	put(1, 0, NETTXF_more_data, 1, 200);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	teardown();
	setup();
	put(1, 0, NETTXF_extra_info, 1, 200);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	teardown();
	setup();
	put(1, 0, NETTXF_extra_info, 1, 200);
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	/* Across a page's end. */
	teardown();
	setup();
	put(1, 4000, 0, 1, 97);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	teardown();
	setup();
	put(1, 0, NETTXF_more_data, 1, 5000);
	put(1, 4090, 0, 1, 1000);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	teardown();
	setup();
	put(1, 0xffff, 0, 1, 0xffff);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	/* The first one's share does not fit a page. */
	teardown();
	setup();
	put(1, 0, NETTXF_more_data, 1, 9000);
	put(1, 0, 0, 1, 1);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	/* An endless one. */
	teardown();
	setup();
	for (unsigned int i = 0; i < 256; i++)
		put(1, 0, NETTXF_more_data, 1, 10);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
}
END_TEST

START_TEST(extras)
{
	static const uint8_t bad[] = { 0, 5, 77, 255 };

	for (unsigned int i = 0; i < sizeof(bad); i++) {
		teardown();
		setup();
		put(1, 0, NETTXF_extra_info, 1, 200);
		put_extra(bad[i], 0);
		ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	}
	/* In a circle: twice the same, or more than there are types. */
	teardown();
	setup();
	put(1, 0, NETTXF_extra_info, 1, 200);
	for (unsigned int i = 0; i < 255; i++)
		put_extra(i % 2 ? XEN_NETIF_EXTRA_TYPE_HASH : XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	teardown();
	setup();
	put(1, 0, NETTXF_extra_info, 1, 200);
	for (unsigned int i = 0; i < 255; i++)
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, XEN_NETIF_EXTRA_FLAG_MORE);
	ck_assert_int_eq(net_tx_take(&tx, &packet), -EPROTO);
	/* Not offered, but no reason to disconnect. */
	teardown();
	setup();
	put(1, 0, NETTXF_extra_info, 1, 200);
	put_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_ERROR);
	put(1, 0, NETTXF_extra_info, 1, 0);
	put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.mcast, XEN_NETIF_EXTRA_TYPE_MCAST_ADD);
	ck_assert_int_eq(packet.mcast_addr[5], 0x33);
}
END_TEST

/* Refused, each entry answered, and the next packet is found. */
START_TEST(too_many_slots)
{
	put(1, 0, NETTXF_more_data, 1, 19 * 10);
	for (unsigned int i = 0; i < 18; i++)
		put(1, 0, i < 17 ? NETTXF_more_data : 0, (uint16_t)(2 + i), 10);
	put(5, 0, 0, 50, 64);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_ERROR);
	ck_assert_uint_eq(packet.nr_ids, 19);
	net_tx_respond(&tx, &packet, packet.status);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_OKAY);
	ck_assert_uint_eq(packet.id[0], 50);
	net_tx_respond(&tx, &packet, packet.status);
	net_tx_push(&tx);
	ck_assert_uint_eq(tx_page->rsp_prod, 20);
}
END_TEST

START_TEST(sizes_that_lie)
{
	put(1, 0, NETTXF_more_data, 1, 100);
	put(2, 0, 0, 2, 200);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_ERROR);
	ck_assert_uint_eq(packet.nr_ids, 2);
	/* All of it in the second: the first has nothing. */
	put(1, 0, NETTXF_more_data, 1, 100);
	put(2, 0, 0, 2, 100);
	ck_assert_int_eq(net_tx_take(&tx, &packet), 1);
	ck_assert_int_eq(packet.status, NETIF_RSP_OKAY);
	ck_assert_uint_eq(packet.slot[0].len, 0);
}
END_TEST

START_TEST(receive)
{
	struct netif_extra_info x;
	uint32_t ref;
	uint16_t id;

	ck_assert(net_rx_want(&rx, 3));
	ck_assert_uint_eq(rx_page->req_event, 3);
	for (unsigned int i = 0; i < 3; i++)
		rx_page->ring[rx_page->req_prod++].req = (struct netif_rx_request){ .id = (uint16_t)i, .gref = 40 + i };
	ck_assert(!net_rx_want(&rx, 3));
	ck_assert_uint_eq(net_rx_slots(4096, false), 1);
	ck_assert_uint_eq(net_rx_slots(4097, true), 3);
	ck_assert_uint_eq(net_rx_slots(65535, true), 17);
	for (unsigned int i = 0; i < 3; i++) {
		net_rx_take(&rx, &id, &ref);
		ck_assert_uint_eq(ref, 40 + i);
	}
	net_rx_respond(&rx, 0, NETRXF_extra_info | NETRXF_more_data, 4096);
	net_rx_respond_gso(&rx, XEN_NETIF_GSO_TYPE_TCPV6, 1428);
	net_rx_respond(&rx, 2, 0, 10);
	rx_page->rsp_event = 1;
	ck_assert(net_rx_push(&rx));
	ck_assert_int_eq(rx_page->ring[2].rsp.status, 10);
	memcpy(&x, &rx_page->ring[1], sizeof(x));
	ck_assert_uint_eq(x.u.gso.size, 1428);
}
END_TEST

START_TEST(rates)
{
	struct net_rate r;
	uint64_t wait = 0;

	net_rate_init(&r, 0, 0, 5);
	ck_assert(net_rate_take(&r, 65535, 5, &wait));
	net_rate_init(&r, 1000, 50000, 0);
	ck_assert(net_rate_take(&r, 600, 0, &wait));
	ck_assert(!net_rate_take(&r, 600, 1000, &wait));
	ck_assert_uint_eq(wait, 50000000 - 1000);
	ck_assert(net_rate_take(&r, 600, 50000000, &wait));
	/* A packet larger than a share waits for several. */
	ck_assert(!net_rate_take(&r, 65535, 50000000, &wait));
	ck_assert(net_rate_take(&r, 65535, 50000000 + wait, &wait));
	/* A long silence gives one burst. */
	ck_assert(net_rate_take(&r, NET_RATE_BURST, ~0ull >> 1, &wait));
	ck_assert(!net_rate_take(&r, 1001, ~0ull >> 1, &wait));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("netring");
	TCase *t = tcase_create("netring");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_slot);
	tcase_add_test(t, chain_with_gso);
	tcase_add_test(t, impossible_indices);
	tcase_add_test(t, indices_wrap);
	tcase_add_test(t, broken_chains);
	tcase_add_test(t, extras);
	tcase_add_test(t, too_many_slots);
	tcase_add_test(t, sizes_that_lie);
	tcase_add_test(t, receive);
	tcase_add_test(t, rates);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
