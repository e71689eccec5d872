/* SPDX-License-Identifier: MIT */
/* Events of guests and for them: with a doorbell, and without one while the daemon watches. */
#include "pvctld/core/daemon.h"
#include "pvctld/base/log.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/xen.h>

#define RAM 0x400000u
#define SHARED_INFO 0x200000u
#define PORT 70u /* not in the first word */

static struct daemon d;
static struct shared_info *info;
static unsigned int events;
static bool leads_to_nothing;

static void on_event(void *data)
{
	events++;
	if (!leads_to_nothing)
		evtchn_expect(&d, PORT);
	d.loop.quit = true;
}

static void set_up(void)
{
	struct pvctl_error err;

	memset(&d, 0, sizeof(d));
	events = 0;
	leads_to_nothing = false;
	d.node.ram = calloc(1, RAM);
	d.node.ram_bytes = RAM;
	d.node.shared = (void *)(d.node.ram + NODE_SHARED_PADDR);
	d.node.shared->shared_info_paddr = SHARED_INFO;
	d.node.shared->host_sleeps = 1;
	d.node.shared->hv_sleeps = 1;
	d.node.host_efd[NODE_VEC_EVENTS] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d.node.hv_efd[NODE_VEC_SEND] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	info = (void *)(d.node.ram + SHARED_INFO);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	ck_assert_int_eq(evtchn_init(&d, &err), 0);
	d.mbox.events_unseen = false;
	d.evtchn.ports[PORT].fn = on_event;
}

static void tear_down(void)
{
	evtchn_fini(&d);
	loop_fini(&d.loop);
	close(d.node.host_efd[NODE_VEC_EVENTS]);
	close(d.node.hv_efd[NODE_VEC_SEND]);
	free(d.node.ram);
}

static void raise_event(void)
{
	info->evtchn_pending[PORT / 64] |= 1ull << (PORT % 64);
	info->vcpu_info[0].evtchn_pending_sel |= 1ull << (PORT / 64);
}

static void ring(void)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(d.node.host_efd[NODE_VEC_EVENTS], &one, sizeof(one)), sizeof(one));
}

/* Nobody reads the eventfd: each doorbell is news all the same. */
START_TEST(each_doorbell)
{
	for (unsigned int i = 1; i <= 3; i++) {
		d.loop.watch = NULL;
		d.loop.quit = false;
		raise_event();
		ring();
		loop_run(&d.loop);
		ck_assert_uint_eq(events, i);
	}
}
END_TEST

START_TEST(rare_events)
{
	d.evtchn.watch.served = true;
	raise_event();
	d.evtchn.watch.idle_since = 0;
	d.evtchn.doorbell.fn(&d, EPOLLIN);
	ck_assert_uint_eq(events, 1);
	ck_assert_ptr_null(d.loop.watch);
	/* A doorbell for what was seen already is no reason, either. */
	d.evtchn.watch.idle_since = now_ns();
	d.evtchn.doorbell.fn(&d, EPOLLIN);
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

/* More than once for a machine that takes this long for a few instructions. */
static void try_to_begin(void)
{
	for (unsigned int i = 0; i < 1000 && !d.loop.watch; i++) {
		d.evtchn.watch.rest_until_ns = 0;
		d.evtchn.watch.served = true;
		raise_event();
		d.evtchn.watch.idle_since = now_ns();
		d.evtchn.doorbell.fn(&d, EPOLLIN);
	}
}

static void begin_watch(void)
{
	try_to_begin();
	ck_assert_ptr_nonnull(d.loop.watch);
	events = 0;
}

/* A slice, of a watch that may have ended because this machine had something else to do meanwhile. */
static bool look(void)
{
	begin_watch();
	return d.loop.watch(&d);
}

START_TEST(without_doorbell)
{
	for (unsigned int i = 1; i <= 5; i++) {
		begin_watch();
		raise_event();
		ck_assert(d.loop.watch(&d));
		ck_assert_uint_eq(events, 1);
		/* Nobody rings as long as we look. */
		ck_assert_uint_eq(d.node.shared->host_sleeps, d.loop.watch == NULL);
	}
	d.loop.quit = false;
	raise_event();
	loop_run(&d.loop);
	ck_assert_uint_eq(events, 2);
}
END_TEST

/* In a turn that has something to do, too: there may be such turns for as long as somebody likes. */
static void endless(void *data)
{
	loop_task_post(&d.loop, data);
}

START_TEST(in_busy_turns)
{
	struct loop_task t;

	begin_watch();
	d.node.shared->host_sleeps = 0;
	loop_task_init(&t, endless, &t);
	loop_task_post(&d.loop, &t);
	d.loop.quit = false;
	raise_event();
	loop_run(&d.loop);
	ck_assert_uint_eq(events, 1);
	loop_task_cancel(&t);
}
END_TEST

START_TEST(vain)
{
	unsigned int n = 0;

	begin_watch();
	for (; d.loop.watch && n < 1000; n++)
		ck_assert(!d.loop.watch(&d));
	ck_assert_uint_lt(n, 1000);
	ck_assert_uint_eq(d.node.shared->host_sleeps, 1);
	/* What came while nobody rang is found before the thread sleeps. */
	raise_event();
	ck_assert(d.loop.before_sleep(&d));
	ck_assert_uint_eq(events, 1);
}
END_TEST

/* Nobody is served: events alone keep no watch going, and begin none. */
START_TEST(events_for_nothing)
{
	unsigned int n = 0;

	begin_watch();
	d.evtchn.watch.served = false;
	leads_to_nothing = true;
	for (; d.loop.watch && n < 100000; n++) {
		raise_event();
		ck_assert(d.loop.watch(&d));
	}
	ck_assert_uint_lt(n, 100000);
	ck_assert_uint_eq(events, n);
	for (unsigned int i = 0; i < 100; i++) {
		raise_event();
		d.evtchn.watch.idle_since = now_ns();
		d.evtchn.doorbell.fn(&d, EPOLLIN);
		ck_assert_ptr_null(d.loop.watch);
	}
}
END_TEST

/* So rarely that a doorbell costs less. */
START_TEST(not_worth_it)
{
	begin_watch();
	d.evtchn.watch.served = false;
	d.evtchn.watch.credit_ns = 0;
	ck_assert(!d.loop.watch(&d));
	ck_assert_ptr_null(d.loop.watch);
	ck_assert_uint_gt(d.evtchn.watch.rest_until_ns, 0);
	d.evtchn.watch.rest_until_ns = UINT64_MAX;
	d.evtchn.watch.served = true;
	raise_event();
	d.evtchn.watch.idle_since = now_ns();
	d.evtchn.doorbell.fn(&d, EPOLLIN);
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

/* Each CPU that runs guests has a thread of QEMU's. */
START_TEST(cpus_are_short)
{
	begin_watch();
	d.node.shared->hv_running = ~0ull;
	d.loop.watch(&d);
	ck_assert_ptr_null(d.loop.watch);
	ck_assert_uint_eq(d.node.shared->host_sleeps, 1);
	try_to_begin();
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

START_TEST(not_while_instructions_are_counted)
{
	d.opt.icount = true;
	try_to_begin();
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

START_TEST(node_gone)
{
	begin_watch();
	d.node.down = true;
	raise_event();
	ck_assert(!d.loop.watch(&d));
	ck_assert_uint_eq(events, 0);
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

/* ---- rings that are looked at ---- */

static struct loop_task serve;
static struct watched watched;
static unsigned int served, armed;
static bool something, late; /* late: it came after the last look from outside */

static void on_serve(void *data)
{
	served++;
	d.loop.quit = true;
}

static bool waits(struct watched *w)
{
	return something;
}

static bool arm(struct watched *w)
{
	armed++;
	return !late;
}

static void ring_up(void)
{
	set_up();
	served = armed = 0;
	something = late = false;
	loop_task_init(&serve, on_serve, NULL);
	watched_init(&watched, &serve, waits, arm);
}

START_TEST(not_watched)
{
	ck_assert(!watched_add(&d, &watched));
	watched_del(&d, &watched);
	ck_assert_uint_eq(d.evtchn.watch.nr_rings, 0);
}
END_TEST

START_TEST(ring_is_looked_at)
{
	begin_watch();
	ck_assert(watched_add(&d, &watched));
	ck_assert(watched_add(&d, &watched));
	ck_assert_uint_eq(d.evtchn.watch.nr_rings, 1);
	something = true;
	ck_assert(d.loop.watch(&d));
	/* Not again, as long as nobody says that it was emptied: it may not be served now. */
	ck_assert_uint_eq(d.evtchn.watch.nr_rings, 0);
	ck_assert(!list_empty(&serve.link));
	ck_assert_uint_eq(armed, 0);
	d.loop.quit = false;
	loop_run(&d.loop);
	ck_assert_uint_eq(served, 1);
}
END_TEST

/* Its frontend rings again after the watch; what it wrote before it knew is found. */
START_TEST(ring_at_the_end)
{
	begin_watch();
	ck_assert(watched_add(&d, &watched));
	while (d.loop.watch)
		d.loop.watch(&d);
	ck_assert_uint_eq(armed, 1);
	ck_assert(list_empty(&serve.link));
	begin_watch();
	ck_assert(watched_add(&d, &watched));
	late = true;
	while (d.loop.watch)
		d.loop.watch(&d);
	ck_assert_uint_eq(armed, 2);
	ck_assert(!list_empty(&serve.link));
	ck_assert(list_empty(&watched.link));
	loop_task_cancel(&serve);
}
END_TEST

START_TEST(ring_at_its_own_end)
{
	begin_watch();
	ck_assert(watched_add(&d, &watched));
	watched_del(&d, &watched);
	watched_del(&d, &watched);
	something = true;
	while (d.loop.watch)
		d.loop.watch(&d);
	ck_assert_uint_eq(armed, 0);
	ck_assert_uint_eq(d.evtchn.watch.nr_rings, 0);
	ck_assert(list_empty(&serve.link));
}
END_TEST

START_TEST(not_too_many)
{
	static struct watched all[100];
	unsigned int n = 0;

	begin_watch();
	for (unsigned int i = 0; i < 100; i++) {
		watched_init(&all[i], &serve, waits, arm);
		n += watched_add(&d, &all[i]);
	}
	ck_assert_uint_gt(n, 1);
	ck_assert_uint_lt(n, 100);
	while (d.loop.watch)
		d.loop.watch(&d);
	ck_assert_uint_eq(armed, n);
}
END_TEST

/* ---- sent, and nobody was rung for ---- */

/* Doorbells since the last call. */
static unsigned int rung(void)
{
	uint64_t count = 0;

	if (read(d.node.hv_efd[NODE_VEC_SEND], &count, sizeof(count)) != sizeof(count))
		return 0;
	return (unsigned int)count;
}

static void owe(void)
{
	begin_watch();
	d.node.shared->hv_running = 1;
	d.evtchn.watch.host_cpus = 2;
	evtchn_send(&d, PORT);
	/* However long the next lines take. */
	d.evtchn.watch.owed_ns = now_ns() + 1000000000;
	ck_assert_uint_eq(rung(), 0);
	ck_assert(d.node.shared->host_send_sel);
	ck_assert(d.node.shared->host_send[PORT / 64] == 1ull << (PORT % 64));
}

START_TEST(rung_at_once)
{
	evtchn_send(&d, PORT);
	ck_assert_uint_eq(rung(), 1);
	/* No CPU runs a guest: nobody looks soon. */
	begin_watch();
	evtchn_send(&d, PORT);
	ck_assert_uint_eq(rung(), 1);
	/* One watches: it looks before it halts. */
	d.node.shared->hv_sleeps = 0;
	evtchn_send(&d, PORT);
	ck_assert_uint_eq(rung(), 0);
	ck_assert_uint_eq(d.evtchn.watch.owed_ns, 0);
}
END_TEST

START_TEST(taken_in_time)
{
	owe();
	d.node.shared->host_send_sel = 0;
	d.evtchn.watch.owed_ns = 1;
	look();
	ck_assert_uint_eq(rung(), 0);
	ck_assert_uint_eq(d.evtchn.watch.owed_ns, 0);
	ck_assert_ptr_null(d.loop.owes);
}
END_TEST

START_TEST(nobody_looked)
{
	owe();
	d.evtchn.watch.owed_ns = 1;
	look();
	ck_assert_uint_eq(rung(), 1);
	ck_assert_uint_eq(d.evtchn.watch.owed_ns, 0);
}
END_TEST

START_TEST(watch_ends)
{
	owe();
	d.evtchn.watch.served = false;
	d.evtchn.watch.credit_ns = 0;
	d.loop.watch(&d);
	ck_assert_ptr_null(d.loop.watch);
	ck_assert_uint_eq(rung(), 1);
}
END_TEST

START_TEST(about_to_wait)
{
	owe();
	d.node.shared->host_sleeps = 0;
	watch_wait(&d);
	ck_assert_uint_eq(rung(), 1);
	ck_assert_uint_eq(d.node.shared->host_sleeps, 1);
}
END_TEST

static unsigned int before_it;

static void on_long(void *data)
{
	before_it = rung();
	d.loop.quit = true;
}

static void on_long_fd(void *data, uint32_t ready)
{
	on_long(data);
}

/* A task, a timer, a descriptor: what may take long does not make a send wait. */
START_TEST(before_long_work)
{
	struct loop_task t;
	struct loop_timer timer;
	struct loop_fd f;
	int fd = eventfd(1, EFD_CLOEXEC);

	loop_task_init(&t, on_long, NULL);
	loop_timer_init(&timer, on_long, NULL);
	owe();
	before_it = 0;
	d.loop.quit = false;
	if (_i == 0)
		loop_task_post(&d.loop, &t);
	else if (_i == 1)
		loop_timer_set(&d.loop, &timer, 0);
	else
		ck_assert_int_eq(loop_fd_add(&d.loop, &f, fd, EPOLLIN, on_long_fd, NULL), 0);
	loop_run(&d.loop);
	ck_assert_uint_eq(before_it, 1);
	close(fd);
}
END_TEST

/* What is over soon is done first, but not one after the other for ever. */
START_TEST(before_brief_work)
{
	owe();
	d.loop.owes(&d, true);
	ck_assert_uint_eq(rung(), 0);
	d.evtchn.watch.owed_ns = 1;
	d.loop.owes(&d, true);
	ck_assert_uint_eq(rung(), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *t = tcase_create("watch"), *rings = tcase_create("rings"), *owed = tcase_create("owed");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_doorbell);
	tcase_add_test(t, rare_events);
	tcase_add_test(t, without_doorbell);
	tcase_add_test(t, in_busy_turns);
	tcase_add_test(t, vain);
	tcase_add_test(t, events_for_nothing);
	tcase_add_test(t, not_worth_it);
	tcase_add_test(t, cpus_are_short);
	tcase_add_test(t, not_while_instructions_are_counted);
	tcase_add_test(t, node_gone);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(rings, ring_up, tear_down);
	tcase_add_test(rings, not_watched);
	tcase_add_test(rings, ring_is_looked_at);
	tcase_add_test(rings, ring_at_the_end);
	tcase_add_test(rings, ring_at_its_own_end);
	tcase_add_test(rings, not_too_many);
	suite_add_tcase(s, rings);
	tcase_add_checked_fixture(owed, set_up, tear_down);
	tcase_add_test(owed, rung_at_once);
	tcase_add_test(owed, taken_in_time);
	tcase_add_test(owed, nobody_looked);
	tcase_add_test(owed, watch_ends);
	tcase_add_test(owed, about_to_wait);
	tcase_add_loop_test(owed, before_long_work, 0, 3);
	tcase_add_test(owed, before_brief_work);
	suite_add_tcase(s, owed);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
