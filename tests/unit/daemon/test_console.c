/* SPDX-License-Identifier: MIT */
/* Guests that flood their consoles, in the daemon's own loop: what all of them get, and what another gets beside them. */
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/console.h>

#define FLOODS 8
#define LIMIT (1u << 20)

static struct daemon d;
static struct console *consoles[FLOODS + 1];
static struct xencons_interface *rings[FLOODS + 1];
static uint64_t taken[FLOODS];
static struct loop_timer too_late;
static bool late;

static void give_up(void *data)
{
	late = d.loop.quit = true;
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	list_init(&d.dead_consoles);
	d.node.down = true; /* no events go out */
	for (int i = 0; i <= FLOODS; i++) {
		rings[i] = calloc(1, sizeof(*rings[i]));
		consoles[i] = console_new(&d, i + 1);
		consoles[i]->log_tried = true; /* no log */
		console_start(consoles[i], rings[i], 1);
	}
	late = false;
	loop_timer_init(&too_late, give_up, NULL);
	loop_timer_set(&d.loop, &too_late, 60000000000ull);
}

static void teardown(void)
{
	loop_timer_cancel(&too_late);
	for (int i = 0; i <= FLOODS; i++) {
		console_free(consoles[i]);
		free(rings[i]);
	}
	loop_fini(&d.loop);
}

/* Whoever has room writes; over when none is taken from any more. */
static int flood(void *data)
{
	unsigned int wait = 0;

	for (int i = 0; i < FLOODS; i++) {
		taken[i] = rings[i]->out_cons;
		rings[i]->out_prod = rings[i]->out_cons + sizeof(rings[i]->out);
		console_event(consoles[i]);
		wait += loop_timer_armed(&consoles[i]->window_timer);
	}
	if (wait == FLOODS)
		d.loop.quit = true;
	return 1;
}

START_TEST(all_together)
{
	uint64_t sum = 0;

	/* A window that does not end during the test; each console's own do. */
	d.console_window.start_ns = now_ns() + 3600000000000ull;
	d.loop.before_sleep = flood;
	loop_run(&d.loop);
	ck_assert(!late);
	for (int i = 0; i < FLOODS; i++) {
		sum += taken[i];
		ck_assert_uint_ge(taken[i], LIMIT / FLOODS / 2);
	}
	ck_assert_uint_ge(sum, LIMIT);
	ck_assert_uint_le(sum, LIMIT + FLOODS * sizeof(rings[0]->out));
}
END_TEST

static int until_taken(void *data)
{
	if (rings[FLOODS]->out_cons == 5)
		d.loop.quit = true;
	return d.loop.quit;
}

/* What another has to say comes with the next window, without a further event. */
START_TEST(another)
{
	d.console_window.start_ns = now_ns() + 100000000u;
	d.console_window.used = LIMIT;
	rings[FLOODS]->out_prod = 5;
	console_event(consoles[FLOODS]);
	ck_assert_uint_eq(rings[FLOODS]->out_cons, 0);
	d.loop.before_sleep = until_taken;
	loop_run(&d.loop);
	ck_assert(!late);
	ck_assert_uint_eq(rings[FLOODS]->out_cons, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console");
	TCase *c = tcase_create("floods");
	SRunner *run = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, all_together);
	tcase_add_test(c, another);
	tcase_set_timeout(c, 120);
	suite_add_tcase(s, c);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed ? 1 : 0;
}
