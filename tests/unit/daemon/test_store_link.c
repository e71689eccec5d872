/* SPDX-License-Identifier: MIT */
/* A guest's store ring, in the daemon's own loop: what is answered when the guest sends no event. */
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/store/store.h"
#include "pvctld/xenstore/glue.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#define PATH "/tool/x"
#define REQUEST (sizeof(struct xsd_sockmsg) + sizeof(PATH))
#define ANSWER (sizeof(struct xsd_sockmsg) + 5)

static struct daemon d;
static struct store_link link_;
static struct xenstore_domain_interface *ring;
static struct loop_timer too_late;
static unsigned int sleeps;

static void give_up(void *data)
{
	d.loop.quit = true;
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	d.node.down = true; /* no events go out */
	d.store = store_new(NULL, NULL, NULL);
	ck_assert_ptr_nonnull(d.store);
	ck_assert_int_eq(store_write(d.store, PATH, "value", 5), 0);
	ring = calloc(1, sizeof(*ring));
	sleeps = 0;
	/* Domain 0's connection: it may read everything. */
	store_link_init(&link_, &d, 0);
	ck_assert_int_eq(store_link_start(&link_, ring, 1), 0);
	loop_timer_init(&too_late, give_up, NULL);
	loop_timer_set(&d.loop, &too_late, 5000000000ull);
}

static void teardown(void)
{
	loop_timer_cancel(&too_late);
	store_link_stop(&link_);
	store_free(d.store);
	loop_fini(&d.loop);
	free(ring);
}

static void put_request(void)
{
	struct xsd_sockmsg m = { .type = XS_READ, .req_id = 9, .len = sizeof(PATH) };

	memcpy(ring->req, &m, sizeof(m));
	memcpy(ring->req + sizeof(m), PATH, sizeof(PATH));
}

/*
 * The head of the request came with an event. The index of the rest becomes
 * visible when the daemon has done its last look and is about to sleep, while
 * the guest, which looked at req_cons before that, sees no need for an event.
 */
static int body_without_event(void *data)
{
	if (ring->req_cons == sizeof(struct xsd_sockmsg))
		ring->req_prod = REQUEST;
	if (ring->rsp_prod == ANSWER)
		d.loop.quit = true;
	return 0;
}

START_TEST(late_request)
{
	put_request();
	ring->req_prod = sizeof(struct xsd_sockmsg);
	d.loop.before_sleep = body_without_event;
	store_link_event(&link_);
	loop_run(&d.loop);
	ck_assert_uint_eq(ring->req_cons, REQUEST);
	ck_assert_uint_eq(ring->rsp_prod, ANSWER);
}
END_TEST

/* The same with the other index: room for the rest of an answer. */
static int room_without_event(void *data)
{
	if (ring->rsp_prod - ring->rsp_cons == XENSTORE_RING_SIZE)
		ring->rsp_cons = ring->rsp_prod;
	if (ring->rsp_prod == XENSTORE_RING_SIZE - 3 + ANSWER)
		d.loop.quit = true;
	return 0;
}

START_TEST(late_room)
{
	put_request();
	ring->req_prod = REQUEST;
	/* Room for three bytes: unread answers fill the rest. */
	ring->rsp_prod = XENSTORE_RING_SIZE - 3;
	d.loop.before_sleep = room_without_event;
	store_link_event(&link_);
	loop_run(&d.loop);
	ck_assert_uint_eq(ring->rsp_prod, XENSTORE_RING_SIZE - 3 + ANSWER);
}
END_TEST

static int count_sleeps(void *data)
{
	sleeps++;
	return 0;
}

/* Looking again ends: a quiet ring costs nothing. */
START_TEST(quiet)
{
	put_request();
	ring->req_prod = REQUEST;
	d.loop.before_sleep = count_sleeps;
	loop_timer_set(&d.loop, &too_late, 300000000u);
	store_link_event(&link_);
	loop_run(&d.loop);
	ck_assert_uint_eq(ring->rsp_prod, ANSWER);
	ck_assert(!loop_timer_armed(&link_.again));
	ck_assert_uint_le(sleeps, 8);
}
END_TEST

static int until_answered(void *data)
{
	if (ring->rsp_prod == ANSWER)
		d.loop.quit = true;
	sleeps++;
	return 0;
}

/* What guests ask for waits when they all together have had much, and goes on with the next window. */
START_TEST(had_much)
{
	put_request();
	ring->req_prod = REQUEST;
	d.store_window.start_ns = now_ns() + 200000000u;
	d.store_window.used = UINT32_MAX;
	d.loop.before_sleep = until_answered;
	store_link_event(&link_);
	loop_run(&d.loop);
	ck_assert_uint_eq(ring->rsp_prod, ANSWER);
	ck_assert_uint_ge(now_ns(), d.store_window.start_ns);
	ck_assert_uint_lt(d.store_window.used, UINT32_MAX);
	ck_assert_uint_le(sleeps, 8);
}
END_TEST

static unsigned int said;
static void say(void *data, const void *bytes, size_t len) { said++; }
static void never(void *data, const char *why) { ck_abort_msg("%s", why); }

/* While many are told of a change, a guest's next request waits; it needs no further event to go on. */
START_TEST(waits_for_watches)
{
	static const struct store_conn_ops ops = { .output = say, .broken = never };
	struct store_conn *watchers[60];
	struct { struct xsd_sockmsg m; char body[16]; } watch = { { .type = XS_WATCH, .len = 10 }, "/tool" };

	store_link_stop(&link_);
	store_free(d.store);
	ck_assert_int_eq(store_glue_init(&d, NULL), 0);
	ck_assert_int_eq(store_write(d.store, PATH, "value", 5), 0);
	memset(ring, 0, sizeof(*ring));
	store_link_init(&link_, &d, 5);
	ck_assert_int_eq(store_link_start(&link_, ring, 1), 0);
	for (int i = 0; i < 60; i++) {
		watchers[i] = store_conn_new(d.store, 100 + i, &ops, NULL);
		for (int k = 0; k < 100; k++) {
			snprintf(watch.body + 6, 4, "%03d", k);
			store_conn_input(watchers[i], &watch, sizeof(watch.m) + 10);
			store_conn_backlog(watchers[i], 0);
		}
	}
	said = 0;
	ck_assert_int_eq(store_write(d.store, PATH, "other", 5), 0);
	ck_assert(store_is_busy(d.store));
	ck_assert_uint_lt(said, 6000);
	put_request();
	ring->req_prod = REQUEST;
	d.loop.before_sleep = until_answered;
	store_link_event(&link_);
	loop_run(&d.loop);
	ck_assert_uint_eq(said, 6000);
	ck_assert_uint_eq(ring->rsp_prod, ANSWER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store link");
	TCase *c = tcase_create("ring");
	SRunner *run = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, late_request);
	tcase_add_test(c, late_room);
	tcase_add_test(c, quiet);
	tcase_add_test(c, had_much);
	tcase_add_test(c, waits_for_watches);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed ? 1 : 0;
}
