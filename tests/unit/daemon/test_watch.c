/* SPDX-License-Identifier: MIT */
/* Events of guests: with a doorbell, and without one while the daemon watches. */
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
	d.node.host_efd[NODE_VEC_EVENTS] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
	raise_event();
	d.evtchn.idle_since = 0;
	d.evtchn.doorbell.fn(&d, EPOLLIN);
	ck_assert_uint_eq(events, 1);
	ck_assert_ptr_null(d.loop.watch);
	/* A doorbell for what was seen already is no reason, either. */
	d.evtchn.idle_since = now_ns();
	d.evtchn.doorbell.fn(&d, EPOLLIN);
	ck_assert_ptr_null(d.loop.watch);
}
END_TEST

static void begin_watch(void)
{
	/* More than once for a machine that takes this long for a few instructions. */
	for (unsigned int i = 0; i < 1000 && !d.loop.watch; i++) {
		raise_event();
		d.evtchn.idle_since = now_ns();
		d.evtchn.doorbell.fn(&d, EPOLLIN);
	}
	ck_assert_ptr_nonnull(d.loop.watch);
	events = 0;
}

START_TEST(without_doorbell)
{
	begin_watch();
	for (unsigned int i = 1; i <= 5; i++) {
		raise_event();
		ck_assert(d.loop.watch(&d));
		ck_assert_uint_eq(events, i);
		/* Who may sleep next is to be woken. */
		ck_assert_uint_eq(d.node.shared->host_sleeps, 1);
	}
	d.loop.quit = false;
	raise_event();
	loop_run(&d.loop);
	ck_assert_uint_eq(events, 6);
}
END_TEST

START_TEST(vain)
{
	unsigned int n = 0;

	begin_watch();
	while (d.loop.watch && n < 100) {
		ck_assert(!d.loop.watch(&d));
		n++;
	}
	ck_assert_uint_le(n, 10);
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_eq(d.node.shared->host_sleeps, 1);
	/* One that found something counts anew. */
	begin_watch();
	ck_assert(!d.loop.watch(&d));
	raise_event();
	ck_assert(d.loop.watch(&d));
	ck_assert(!d.loop.watch(&d));
	ck_assert_ptr_nonnull(d.loop.watch);
}
END_TEST

/* Nobody is served: events alone keep no watch going, and begin none. */
START_TEST(events_for_nothing)
{
	unsigned int n = 0;

	begin_watch();
	leads_to_nothing = true;
	for (; d.loop.watch && n < 100; n++) {
		raise_event();
		ck_assert(d.loop.watch(&d));
	}
	ck_assert_uint_le(n, 10);
	ck_assert_uint_eq(events, n);
	for (unsigned int i = 0; i < 100; i++) {
		raise_event();
		d.evtchn.idle_since = now_ns();
		d.evtchn.doorbell.fn(&d, EPOLLIN);
		ck_assert_ptr_null(d.loop.watch);
	}
}
END_TEST

START_TEST(node_gone)
{
	begin_watch();
	d.node.down = true;
	raise_event();
	ck_assert(!d.loop.watch(&d));
	ck_assert_uint_eq(events, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *t = tcase_create("watch");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_doorbell);
	tcase_add_test(t, rare_events);
	tcase_add_test(t, without_doorbell);
	tcase_add_test(t, vain);
	tcase_add_test(t, events_for_nothing);
	tcase_add_test(t, node_gone);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
