/* SPDX-License-Identifier: MIT */
/* A vif between its link and its rings: what it takes for the guest, and what it reads of the guest's in the store. */
#include "pvctld/base/log.h"
#include "pvctld/net/offload.h"
#include "pvctld/net/vif.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRONT "/local/domain/1/device/vif/0"

static struct daemon d;
static struct vif *v;
static uint8_t frame[NET_FRAME_MAX];

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	d.store = store_new(NULL, &(const struct store_host_ops){ 0 }, NULL);
	d.node.down = d.mbox.down = true; /* no hypervisor: nothing can be mapped */
	v = calloc(1, sizeof(*v));
	ck_assert(d.store && v);
	xenbus_dev_init(&v->x, &d, &vif_ops, 1, 0, "0");
	v->nr_queues = 1;
	v->can = (struct vif_features){ .sg = true, .gso4 = true, .gso6 = true, .csum4 = true, .csum6 = true };
	v->queue[0].vif = v;
	list_init(&v->queue[0].frames);
	loop_task_init(&v->queue[0].rx_task, vif_rx_serve, &v->queue[0]);
	loop_task_init(&v->mcast_task, NULL, NULL);
	loop_timer_init(&v->rate_timer, NULL, NULL);
}

static void teardown(void)
{
	vif_rx_drop_all(&v->queue[0]);
	vif_mcast_stop(v);
	free(v);
	store_free(d.store);
	loop_fini(&d.loop);
}

static void quit(void *data)
{
	d.loop.quit = true;
}

static void one_round(void)
{
	struct loop_task t;

	d.loop.quit = false;
	loop_task_init(&t, quit, NULL);
	loop_task_post(&d.loop, &t);
	loop_run(&d.loop);
}

static void put16(uint32_t at, uint32_t n)
{
	frame[at] = (uint8_t)(n >> 8);
	frame[at + 1] = (uint8_t)n;
}

/* TCP over IPv4 in segments, behind so many VLAN tags. */
static struct net_frame tcp(unsigned int vlans, uint32_t payload, uint16_t gso_size)
{
	uint32_t l3 = 14 + 4 * vlans;

	memset(frame, 0, sizeof(frame));
	for (unsigned int i = 0; i < vlans; i++)
		put16(12 + 4 * i, 0x8100);
	put16(l3 - 2, 0x0800);
	frame[l3] = 0x45;
	put16(l3 + 2, 40 + payload);
	frame[l3 + 9] = 6;
	frame[l3 + 32] = 0x50;
	return (struct net_frame){ .data = frame, .len = l3 + 40 + payload, .csum_blank = true, .csum_good = true,
				   .gso = gso_size ? NET_GSO_TCPV4 : NET_GSO_NONE, .gso_size = gso_size };
}

START_TEST(large_frames_stay_whole)
{
	const struct net_frame f = tcp(0, 10000, 1000);

	ck_assert(vif_deliver(v, &f));
	ck_assert_uint_eq(v->queue[0].nr_frames, 1);
}
END_TEST

/* Linux's netfront completes checksums of untagged frames alone. */
START_TEST(tagged_frames_are_resolved)
{
	for (unsigned int vlans = 1; vlans <= 2; vlans++) {
		const struct net_frame f = tcp(vlans, 10000, 1000);

		ck_assert(vif_deliver(v, &f));
		ck_assert_uint_eq(v->queue[0].nr_frames, 10 * vlans);
	}
	ck_assert_uint_eq(v->rx.drops, 0);
}
END_TEST

/* More segments than the queue can ever have: a link that kept the frame until there is room would wait for good. */
START_TEST(what_never_fits_is_dropped)
{
	const struct net_frame f = tcp(1, 60000, 100);

	ck_assert(vif_deliver(v, &f));
	ck_assert(!v->link_waits);
	ck_assert_uint_eq(v->queue[0].nr_frames, 0);
	ck_assert_uint_eq(v->rx.drops, 1);
}
END_TEST

START_TEST(a_full_queue_says_so)
{
	const struct net_frame f = tcp(0, 10, 0);

	for (unsigned int i = 0; i < VIF_RX_FRAMES; i++)
		ck_assert(vif_deliver(v, &f));
	ck_assert(!vif_deliver(v, &f));
	ck_assert(v->link_waits);
}
END_TEST

/* rate= is of the vif's life, not of a connection's: else a frontend connects again and again. */
START_TEST(a_new_connection_brings_no_credit)
{
	v->nr_queues = 0;
	v->spec.rate_bytes = 1000;
	v->spec.rate_us = 1000000;
	net_rate_init(&v->rate, v->spec.rate_bytes, v->spec.rate_us, now_ns());
	v->rate.credit = 0;
	ck_assert_int_eq(store_write(d.store, FRONT "/request-rx-copy", "1", 1), 0);
	ck_assert_int_eq(store_write(d.store, FRONT "/tx-ring-ref", "8", 1), 0);
	ck_assert_int_eq(store_write(d.store, FRONT "/rx-ring-ref", "9", 1), 0);
	ck_assert_int_eq(vif_connect(&v->x), -EIO);
	ck_assert_uint_eq(v->rate.credit, 0);
	ck_assert_uint_eq(v->nr_queues, 0);
}
END_TEST

/* store.h: a watch's function must not read; the daemon looks later. */
START_TEST(the_filter_follows_the_store)
{
	static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 1 };

	vif_mcast_start(v);
	ck_assert(!vif_mcast_unwanted(v, group));
	ck_assert_int_eq(store_write(d.store, FRONT "/request-multicast-control", "1", 1), 0);
	ck_assert(!v->mcast_filter);
	one_round();
	ck_assert(vif_mcast_unwanted(v, group));
	ck_assert(vif_mcast_change(v, true, group));
	ck_assert(!vif_mcast_unwanted(v, group));
	ck_assert_int_eq(store_rm(d.store, FRONT), 0);
	/* Gone before it looked. */
	vif_mcast_stop(v);
	one_round();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vif");
	TCase *t = tcase_create("vif");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, large_frames_stay_whole);
	tcase_add_test(t, tagged_frames_are_resolved);
	tcase_add_test(t, what_never_fits_is_dropped);
	tcase_add_test(t, a_full_queue_says_so);
	tcase_add_test(t, a_new_connection_brings_no_credit);
	tcase_add_test(t, the_filter_follows_the_store);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
