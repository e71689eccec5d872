/* SPDX-License-Identifier: MIT */
/* What a daemon that is killed leaves to the next: records, and rings whose daemon dies between any two of its stores. */
#include "../lib/fail_alloc.h"
#include "pvctld/block/ring.h"
#include "pvctld/net/ring.h"
#include "pvctld/state/state.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(records_and_slots)
{
	struct state st, next;
	bool is_new;
	size_t len;
	char key[32], *slot;

	ck_assert_int_eq(state_new(&st), 0);
	state_set(&st, "a/1", "one", 4);
	state_set(&st, "a/2", "two", 4);
	state_set(&st, "a/1", "other", 6);
	state_drop(&st, "a/2");
	slot = state_slot(&st, "ring/1", &is_new);
	ck_assert(is_new);
	strcpy(slot, "kept");
	state_slot_free(&st, state_slot(&st, "ring/2", &is_new));
	/* Grown, it is written anew. */
	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "b/%u", i % 10);
		state_set(&st, key, &i, sizeof(i));
	}
	ck_assert_int_eq(state_open(&next, dup(st.store.fd), dup(st.records.fd), dup(st.slots_fd)), 0);
	ck_assert_str_eq(state_get(&next, "a/1", &len), "other");
	ck_assert_uint_eq(len, 6);
	ck_assert_ptr_null(state_get(&next, "a/2", &len));
	ck_assert_uint_eq(*(const unsigned int *)state_get(&next, "b/9", &len), 99999);
	slot = state_slot(&next, "ring/1", &is_new);
	ck_assert(!is_new);
	ck_assert_str_eq(slot, "kept");
	(void)state_slot(&next, "ring/2", &is_new);
	ck_assert(is_new);
	state_close(&next);
	state_close(&st);
}
END_TEST

static struct state *walked;
static unsigned int nr_told;
#define WALKED 2000u /* many to a chain */

static void drop_others(void *data, const char *key, const void *value, size_t len)
{
	char other[32];

	nr_told++;
	/* As a device that cannot be taken over drops what it had beside its own record. */
	for (unsigned int i = 0; i < WALKED; i++) {
		snprintf(other, sizeof(other), "walk/%u", i);
		if (strcmp(other, key))
			state_drop(walked, other);
	}
}

START_TEST(records_are_dropped_while_they_are_told)
{
	struct state st;
	char key[32];

	ck_assert_int_eq(state_new(&st), 0);
	walked = &st;
	for (unsigned int i = 0; i < WALKED; i++) {
		snprintf(key, sizeof(key), "walk/%u", i);
		state_set(&st, key, "", 1);
	}
	nr_told = 0;
	state_each(&st, "walk/", drop_others, NULL);
	ck_assert_uint_eq(nr_told, 1);
	state_close(&st);
}
END_TEST

/* There was no memory for one of the records: it is not written over by what was known of it before. */
START_TEST(without_memory)
{
	struct state st, next;
	char key[32];
	size_t len;

	ck_assert_int_eq(state_new(&st), 0);
	state_set(&st, "a", "old", 4);
	fail_alloc_from(1, true);
	state_set(&st, "a", "new", 4);
	state_set(&st, "b", "gone", 5);
	ck_assert(fail_alloc_stop());
	state_drop(&st, "b");
	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(key, sizeof(key), "c/%u", i % 10);
		state_set(&st, key, &i, sizeof(i));
	}
	ck_assert_int_eq(state_open(&next, dup(st.store.fd), dup(st.records.fd), dup(st.slots_fd)), 0);
	ck_assert_str_eq(state_get(&next, "a", &len), "new");
	ck_assert_ptr_null(state_get(&next, "b", &len));
	state_close(&next);
	state_close(&st);
}
END_TEST

START_TEST(not_kept_it_works_the_same)
{
	struct state st = { 0 };
	bool is_new;
	size_t len;
	void *slot = state_slot(&st, "x", &is_new);

	ck_assert_ptr_nonnull(slot);
	state_slot_free(&st, slot);
	state_set(&st, "a", "b", 1);
	ck_assert_ptr_null(state_get(&st, "a", &len));
	state_drop(&st, "a");
}
END_TEST

/* ---- a block ring whose daemon dies after each of its stores ---- */

#define REQUESTS 12u

static unsigned char *page;    /* the guest's */
static struct blk_kept *kept;
static unsigned int answers[REQUESTS];
static uint32_t guest_cons;

static void guest_puts(void)
{
	blkif_sring_t *s = (void *)page;

	memset(page, 0, 4096);
	s->req_event = s->rsp_event = 1;
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct blkif_request *q = &s->ring[i].req;

		q->operation = BLKIF_OP_FLUSH_DISKCACHE;
		q->id = 1000 + i;
	}
	s->req_prod = REQUESTS;
	guest_cons = 0;
	memset(answers, 0, sizeof(answers));
}

static void guest_takes(void)
{
	blkif_sring_t *s = (void *)page;

	for (; guest_cons != s->rsp_prod; guest_cons++) {
		uint64_t id = s->ring[guest_cons % 32].rsp.id;

		ck_assert_uint_ge(id, 1000);
		ck_assert_uint_lt(id, 1000 + REQUESTS);
		answers[id - 1000]++;
	}
}

/*
 * A daemon that takes all there is and answers in another order. It dies when the memory that outlives it has been
 * changed for the n-th time: what it would have done to that and to the guest's page after that is undone.
 */
struct copy { struct blk_kept kept; unsigned char page[4096]; };
static unsigned int changes;
static struct copy at_death;
static unsigned int death;

static void look(void)
{
	static struct copy last;

	if (!memcmp(&last.kept, kept, sizeof(*kept)) && !memcmp(last.page, page, 4096))
		return;
	memcpy(&last.kept, kept, sizeof(*kept));
	memcpy(last.page, page, 4096);
	if (++changes == death)
		at_death = last;
}

static void live(struct blk_ring *r)
{
	union blkif_sring_entry e;
	uint16_t slot[REQUESTS];
	uint64_t id[REQUESTS];
	unsigned int n = 0;

	while (blk_ring_take(r, &e) == 1) {
		look();
		ck_assert_uint_lt(n, REQUESTS);
		slot[n] = r->taken;
		id[n++] = e.req.id;
	}
	for (unsigned int i = 0; i < n; i++) {
		unsigned int k = i % 2 ? n - 1 - i / 2 : i / 2;

		blk_ring_respond(r, slot[k], id[k], BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
		look();
		if (i % 3 == 2)
			(void)blk_ring_push(r);
		look();
	}
	(void)blk_ring_push(r);
	look();
}

START_TEST(each_request_is_answered_once)
{
	struct blk_ring r;
	unsigned int all;

	page = aligned_alloc(4096, 4096);
	kept = calloc(1, sizeof(*kept));
	for (death = 0, all = 1; death <= all; death++) {
		guest_puts();
		memset(kept, 0, sizeof(*kept));
		changes = 0;
		blk_ring_init(&r, page, 1);
		blk_ring_keep(&r, kept, false);
		live(&r);
		all = changes;
		if (!death || death > changes)
			continue;
		memcpy(kept, &at_death.kept, sizeof(*kept));
		memcpy(page, at_death.page, 4096);
		/* What the guest had seen by then. */
		guest_takes();
		blk_ring_init(&r, page, 1);
		blk_ring_keep(&r, kept, true);
		(void)blk_ring_push(&r);
		live(&r);
		guest_takes();
		for (unsigned int i = 0; i < REQUESTS; i++)
			ck_assert_msg(answers[i] == 1, "death %u: request %u answered %u times", death, i, answers[i]);
	}
	ck_assert_uint_gt(all, 2 * REQUESTS);
	free(page);
	free(kept);
}
END_TEST

/* The stores within one answer: the word of the request says which of them was the last. */
START_TEST(within_an_answer)
{
	struct blk_ring r;
	union blkif_sring_entry e;

	page = aligned_alloc(4096, 4096);
	kept = calloc(1, sizeof(*kept));
	for (unsigned int stage = 0; stage < 4; stage++) {
		guest_puts();
		memset(kept, 0, sizeof(*kept));
		blk_ring_init(&r, page, 1);
		blk_ring_keep(&r, kept, false);
		ck_assert_int_eq(blk_ring_take(&r, &e), 1);
		/* 0: taken, and not counted; 1: taken; 2: answered, and not counted; 3: counted, and not free. */
		if (stage == 0)
			kept->req_cons--;
		if (stage >= 2) {
			blk_ring_respond(&r, r.taken, e.req.id, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_RSP_OKAY);
			kept->request[r.taken].word = BLK_KEPT_ANSWERED | 0ull << 8;
			kept->rsp_prod = stage == 3;
		}
		blk_ring_init(&r, page, 1);
		blk_ring_keep(&r, kept, true);
		(void)blk_ring_push(&r);
		live(&r);
		guest_takes();
		for (unsigned int i = 0; i < REQUESTS; i++)
			ck_assert_msg(answers[i] == 1, "stage %u: request %u answered %u times", stage, i, answers[i]);
	}
	free(page);
	free(kept);
}
END_TEST

/* ---- network ---- */

START_TEST(packets_are_answered_once)
{
	netif_tx_sring_t *s = aligned_alloc(4096, 4096);
	struct net_kept *k = calloc(1, sizeof(*k));
	struct net_tx_packet p;
	struct net_tx_ring r;
	unsigned int seen[20] = { 0 };

	memset(s, 0, 4096);
	net_tx_init(&r, s);
	net_tx_keep(&r, k, false);
	for (unsigned int i = 0; i < 20; i++)
		s->ring[i].req = (struct netif_tx_request){ .gref = 7, .id = (uint16_t)(100 + i), .size = 60 };
	s->req_prod = 20;
	for (unsigned int i = 0; i < 5; i++) {
		ck_assert_int_eq(net_tx_take(&r, &p), 1);
		net_tx_respond(&r, &p, NETIF_RSP_OKAY);
	}
	(void)net_tx_push(&r);
	/* Three more are dealt with, and not shown; of the last not even the response is there. */
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(net_tx_take(&r, &p), 1);
		net_tx_respond(&r, &p, NETIF_RSP_OKAY);
	}
	s->ring[7].req = (struct netif_tx_request){ .gref = 7, .id = 107, .size = 60 };
	net_tx_init(&r, s);
	net_tx_keep(&r, k, true);
	ck_assert_uint_eq(s->rsp_prod, 8);
	while (net_tx_take(&r, &p) == 1)
		net_tx_respond(&r, &p, NETIF_RSP_OKAY);
	(void)net_tx_push(&r);
	ck_assert_uint_eq(s->rsp_prod, 20);
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert_uint_ge(s->ring[i].rsp.id, 100);
		seen[s->ring[i].rsp.id - 100]++;
	}
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_uint_eq(seen[i], 1);
	free(k);
	free(s);
}
END_TEST

START_TEST(half_a_frame_is_no_frame)
{
	netif_rx_sring_t *s = aligned_alloc(4096, 4096);
	struct net_kept *k = calloc(1, sizeof(*k));
	struct net_rx_ring r;
	uint32_t ref;
	uint16_t id;

	memset(s, 0, 4096);
	net_rx_init(&r, s);
	net_rx_keep(&r, k, false);
	for (unsigned int i = 0; i < 8; i++)
		s->ring[i].req = (struct netif_rx_request){ .id = (uint16_t)(100 + i), .gref = 7 };
	s->req_prod = 8;
	for (unsigned int i = 0; i < 3; i++)
		net_rx_take(&r, &id, &ref);
	net_rx_respond(&r, 100, NETRXF_more_data, 4096);
	net_rx_init(&r, s);
	net_rx_keep(&r, k, true);
	ck_assert_uint_eq(s->rsp_prod, 3);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(s->ring[i].rsp.id, 100 + i);
		ck_assert_int_eq(s->ring[i].rsp.status, NETIF_RSP_ERROR);
		ck_assert_uint_eq(s->ring[i].rsp.flags, 0);
	}
	net_rx_take(&r, &id, &ref);
	ck_assert_uint_eq(id, 103);
	free(k);
	free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *tc = tcase_create("state");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, records_and_slots);
	tcase_add_test(tc, records_are_dropped_while_they_are_told);
	tcase_add_test(tc, without_memory);
	tcase_add_test(tc, not_kept_it_works_the_same);
	tcase_add_test(tc, each_request_is_answered_once);
	tcase_add_test(tc, within_an_answer);
	tcase_add_test(tc, packets_are_answered_once);
	tcase_add_test(tc, half_a_frame_is_no_frame);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
