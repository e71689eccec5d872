/* SPDX-License-Identifier: MIT */
/*
 * Who has how many turns while guests flood: counted in turns of the loop, not in time. One guest keeps its console's ring
 * full, one its store's, both ring for each byte; another's request takes three steps, as one of a disk does.
 */
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/store/store.h"
#include "pvctld/xenstore/glue.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#define PATH "/tool/flooded__" /* with its head 32 bytes: a ring holds a whole number */
#define STEPS 3u
#define REQUESTS 200u
#define PORT 70u

static struct daemon d;
static struct store_link flood_link;
static struct console *flood_console;
static struct xenstore_domain_interface *store_ring;
static struct xencons_interface *console_ring;
static struct loop_task step, endless;
static unsigned int turns, steps, runs, seen_after;

static void fill_store_ring(void)
{
	struct { struct xsd_sockmsg m; char path[16]; } q = { { .type = XS_READ, .len = sizeof(PATH) }, PATH };

	_Static_assert(sizeof(PATH) == 16 && XENSTORE_RING_SIZE % sizeof(q) == 0, "whole requests");
	for (size_t at = 0; at < XENSTORE_RING_SIZE; at += sizeof(q))
		memcpy(store_ring->req + at, &q, sizeof(q));
}

/* Both rings are full again, and both guests ring. The limits for a while are others' test. */
static void flood(void)
{
	store_ring->req_prod = store_ring->req_cons + XENSTORE_RING_SIZE;
	store_ring->rsp_cons = store_ring->rsp_prod;
	console_ring->out_prod = console_ring->out_cons + sizeof(console_ring->out);
	d.store_window.used = d.console_window.used = flood_console->window.used = 0;
	flood_console->takes = 0;
	store_link_event(&flood_link);
	console_event(flood_console);
}

static int count_turn(void *data)
{
	turns++;
	flood();
	return 0;
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	d.node.ram_bytes = 8u << 20;
	d.node.ram = aligned_alloc(4096, d.node.ram_bytes);
	memset(d.node.ram, 0, d.node.ram_bytes);
	d.node.shared = (void *)d.node.ram;
	d.node.shared->shared_info_paddr = 0x10000;
	d.node.host_efd[NODE_VEC_EVENTS] = eventfd(0, EFD_NONBLOCK);
	d.store = store_new(NULL, NULL, NULL);
	ck_assert_int_eq(store_write(d.store, PATH, "value", 5), 0);
	list_init(&d.dead_consoles);
	store_ring = calloc(1, sizeof(*store_ring));
	console_ring = calloc(1, sizeof(*console_ring));
	fill_store_ring();
	store_link_init(&flood_link, &d, 0);
	ck_assert_int_eq(store_link_start(&flood_link, store_ring, 1), 0);
	flood_console = console_new(&d, 1);
	flood_console->log_tried = true; /* no file */
	console_start(flood_console, console_ring, 2);
	turns = steps = runs = seen_after = 0;
}

static void teardown(void)
{
	console_free(flood_console);
	store_link_stop(&flood_link);
	store_free(d.store);
	loop_fini(&d.loop);
	close(d.node.host_efd[NODE_VEC_EVENTS]);
	free(d.node.ram);
	free(store_ring);
	free(console_ring);
}

static void on_step(void *data)
{
	flood();
	if (++steps == STEPS * REQUESTS)
		d.loop.quit = true;
	else
		loop_task_post(&d.loop, &step);
}

/* However many steps a turn has, a flood has its slice once in it: a ringful. */
START_TEST(a_slice_in_a_turn)
{
	d.loop.before_sleep = count_turn;
	loop_task_init(&step, on_step, NULL);
	loop_task_post(&d.loop, &step);
	loop_run(&d.loop);
	ck_assert_uint_eq(steps, STEPS * REQUESTS);
	/* A pause of all guests that ends in the midst of a turn, as it may where this process is kept waiting, lets one in beside. */
	ck_assert_uint_le(store_ring->req_cons / XENSTORE_RING_SIZE, turns + turns / 10);
	ck_assert_uint_le(console_ring->out_cons / sizeof(console_ring->out), turns);
	/* Nor is it kept out. */
	ck_assert_uint_ge(store_ring->req_cons / XENSTORE_RING_SIZE, turns - 1);
	ck_assert_uint_ge(console_ring->out_cons / sizeof(console_ring->out), turns - 1);
}
END_TEST

static void on_event(void *data)
{
	seen_after = runs;
	d.loop.quit = true;
}

static void on_endless(void *data)
{
	struct shared_info *s = d.evtchn.shared_info;

	flood();
	if (++runs == 1) {
		/* While a hypercall was spun for: the hypervisor saw no need to ring. */
		d.mbox.events_unseen = true;
		s->evtchn_pending[PORT / 64] |= 1ull << (PORT % 64);
		s->vcpu_info[0].evtchn_pending_sel |= 1ull << (PORT / 64);
	}
	if (runs == 1000)
		d.loop.quit = true;
	loop_task_post_last(&d.loop, &endless);
}

/* An event that came without a doorbell is found in the next turn, though the loop never gets to sleep. */
START_TEST(events_in_a_flood)
{
	ck_assert_int_eq(evtchn_init(&d, NULL), 0);
	d.mbox.events_unseen = false;
	d.evtchn.ports[PORT].fn = on_event;
	loop_task_init(&endless, on_endless, NULL);
	loop_task_post(&d.loop, &endless);
	loop_run(&d.loop);
	ck_assert_uint_ge(seen_after, 1);
	ck_assert_uint_le(seen_after, 2);
	evtchn_fini(&d);
}
END_TEST

static void on_deferred(void *data)
{
	if (mbox_defer(&d.mbox, &endless))
		return;
	runs++;
	d.loop.quit = true;
}

static void on_time(void *data)
{
	d.loop.quit = true;
}

static void answered(struct mbox_call *call, int64_t ret, bool down)
{
	steps++;
}

static void run_for(uint64_t ns)
{
	struct loop_timer t;

	loop_timer_init(&t, on_time, NULL);
	loop_timer_set(&d.loop, &t, ns);
	d.loop.quit = false;
	loop_run(&d.loop);
	loop_timer_cancel(&t);
}

static void start_mailbox(void)
{
	d.node.shared->arena_paddr = 0x100000;
	d.node.shared->arena_size = 4 * MBOX_OWN_ARENA;
	d.node.host_efd[NODE_VEC_DONE] = d.node.hv_efd[NODE_VEC_MAILBOX] = eventfd(0, EFD_NONBLOCK);
	d.node.qemu_pidfd = -1;
	ck_assert_int_eq(mbox_init(&d.mbox, &d, NULL), 0);
}

/* What would make own calls is put off once the hypervisor is known to be silent, and done when it answers, or is gone. */
START_TEST(put_off_in_silence)
{
	struct mbox_call call;

	start_mailbox();
	loop_task_init(&endless, on_deferred, NULL);
	loop_task_post(&d.loop, &endless);
	loop_run(&d.loop);
	ck_assert_uint_eq(runs, 1);
	mbox_ask(&d.mbox, &call, answered, NULL);
	while (!d.mbox.silent)
		run_for(50000000);
	loop_task_post(&d.loop, &endless);
	loop_task_post(&d.loop, &endless);
	run_for(50000000);
	loop_task_post(&d.loop, &endless);
	run_for(50000000);
	ck_assert_uint_eq(runs, 1);
	if (_i)
		mbox_fail_all(&d.mbox);
	else
		d.node.shared->mailbox.state = NODE_MBOX_DONE;
	run_for(10000000000ull);
	ck_assert_uint_eq(runs, 2);
	ck_assert_uint_eq(steps, 1);
	/* One that is taken back meanwhile is not done. */
	d.mbox.silent = true;
	d.mbox.down = false;
	ck_assert(mbox_defer(&d.mbox, &endless));
	loop_task_cancel(&endless);
	mbox_fail_all(&d.mbox);
	ck_assert(list_empty(&endless.link) && list_empty(&d.loop.tasks));
	close(d.mbox.done_fd);
}
END_TEST

static unsigned int rung;
static bool useful;

static void on_ring(void *data)
{
	rung++;
	if (useful)
		evtchn_useful(&d, PORT);
}

/* The guest rings again whenever it was heard, or the loop does something else. */
static int ring_again(void *data)
{
	struct shared_info *s = d.evtchn.shared_info;

	turns++;
	s->evtchn_pending[PORT / 64] |= 1ull << (PORT % 64);
	if (!(s->evtchn_mask[PORT / 64] >> (PORT % 64) & 1))
		s->vcpu_info[0].evtchn_pending_sel |= 1ull << (PORT / 64);
	if (turns == 1000)
		d.loop.quit = true;
	return evtchn_scan(&d) || turns < 1000;
}

static void ring_for(bool something)
{
	struct shared_info *s;

	useful = something;
	rung = 0;
	ck_assert_int_eq(evtchn_init(&d, NULL), 0);
	s = d.evtchn.shared_info;
	memset(s, 0, sizeof(*s));
	d.evtchn.ports[PORT] = (struct evtchn_port){ .fn = on_ring, .guest = true };
	list_init(&d.evtchn.ports[PORT].muted);
	d.loop.before_sleep = ring_again;
	loop_run(&d.loop);
}

/* Who rings in vain is masked after a few times; a timer hears it again, once. */
START_TEST(who_rings_for_nothing)
{
	struct shared_info *s;

	ring_for(false);
	s = d.evtchn.shared_info;
	ck_assert_uint_ge(rung, 17);
	ck_assert_uint_lt(rung, 1000);
	ck_assert_uint_eq(s->evtchn_mask[PORT / 64], 1ull << (PORT % 64));
	ck_assert(loop_timer_armed(&d.evtchn.unmute));
	rung = 0;
	s->evtchn_pending[PORT / 64] |= 1ull << (PORT % 64);
	loop_timer_cancel(&d.evtchn.unmute);
	d.evtchn.unmute.fn(d.evtchn.unmute.data);
	ck_assert_uint_eq(rung, 1);
	ck_assert_uint_eq(s->evtchn_mask[PORT / 64], 1ull << (PORT % 64));
	/* What it rings for in the end is something. */
	s->evtchn_pending[PORT / 64] |= 1ull << (PORT % 64);
	useful = true;
	loop_timer_cancel(&d.evtchn.unmute);
	d.evtchn.unmute.fn(d.evtchn.unmute.data);
	loop_timer_cancel(&d.evtchn.unmute);
	d.evtchn.unmute.fn(d.evtchn.unmute.data);
	ck_assert_uint_eq(rung, 2);
	ck_assert_uint_eq(s->evtchn_mask[PORT / 64], 0);
	evtchn_fini(&d);
}
END_TEST

START_TEST(who_rings_for_something)
{
	ring_for(true);
	ck_assert_uint_eq(rung, 1000);
	ck_assert_uint_eq(d.evtchn.shared_info->evtchn_mask[PORT / 64], 0);
	evtchn_fini(&d);
}
END_TEST

/* A guest that rings for each byte: the bytes are collected, and its doorbells not heard meanwhile. */
static int one_byte(void *data)
{
	console_ring->out_prod++;
	console_event(flood_console);
	if (++turns == 1000)
		d.loop.quit = true;
	return 1;
}

START_TEST(who_writes_byte_by_byte)
{
	uint64_t began;

	ck_assert_int_eq(evtchn_init(&d, NULL), 0);
	memset(d.evtchn.shared_info, 0, sizeof(struct shared_info));
	flood_console->port = PORT;
	d.evtchn.ports[PORT] = (struct evtchn_port){ .fn = on_ring, .guest = true };
	list_init(&d.evtchn.ports[PORT].muted);
	d.loop.before_sleep = one_byte;
	began = now_ns();
	loop_run(&d.loop);
	/* As few as the time allows, on a machine that is slow, too. */
	ck_assert_uint_le(flood_console->takes, 33 + (now_ns() - began) / 2000000);
	ck_assert_uint_eq(d.evtchn.shared_info->evtchn_mask[PORT / 64] >> (PORT % 64) & 1, 1);
	evtchn_fini(&d);
	flood_console->port = 2;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("turns");
	TCase *c = tcase_create("flood");
	SRunner *run = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_slice_in_a_turn);
	tcase_add_test(c, events_in_a_flood);
	tcase_add_loop_test(c, put_off_in_silence, 0, 2);
	tcase_add_test(c, who_rings_for_nothing);
	tcase_add_test(c, who_rings_for_something);
	tcase_add_test(c, who_writes_byte_by_byte);
	suite_add_tcase(s, c);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed ? 1 : 0;
}
