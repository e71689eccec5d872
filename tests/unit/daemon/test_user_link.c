/* SPDX-License-Identifier: MIT */
/* User-mode network's link against a helper that is not what it should be: the test's own, a shell. */
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include "pvctld/net/links.h"
#include "pvctld/life/policy.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct daemon d;
static struct net_link *l;
static struct loop_timer end;
static char dir[] = "/tmp/pvctl-usernet.XXXXXX", path[64];
static unsigned int asked, wanted;
static bool room;

static void quit(void *data)
{
	d.loop.quit = true;
}

static bool deliver(void *data, const struct net_frame *f)
{
	if (++asked >= wanted)
		quit(NULL);
	return room;
}

static void run(unsigned int n)
{
	wanted = n;
	d.loop.quit = asked >= n;
	loop_timer_init(&end, quit, NULL);
	loop_timer_set(&d.loop, &end, 20000000000ull);
	loop_run(&d.loop);
	loop_timer_cancel(&end);
}

/* Its fd 3 is the socket: one write is one packet. */
static void with_helper(const char *script)
{
	const struct net_link_user user = { .deliver = deliver };
	struct vif_spec s = { .kind = VIF_USER, .has_devid = true, .has_mac = true, .mac = { 2 }, .mtu = 1500 };
	struct pvctl_error e;
	FILE *f;

	ck_assert(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/pvctl-usernet", dir);
	f = fopen(path, "w");
	ck_assert(f != NULL && fprintf(f, "#!/bin/sh\n%s\n", script) > 0 && !fclose(f) && !chmod(path, 0755));
	setenv("PVCTL_LIBEXEC_DIR", dir, 1);
	ck_assert_int_eq(net_user_open(&d, &s, 1, &user, &l, &e), 0);
	l->ops->carrier(l, true);
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	list_init(&d.children);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	asked = 0;
	room = false;
}

static void teardown(void)
{
	l->ops->close(l);
	child_kill_all(&d);
	loop_fini(&d.loop);
	(void)unlink(path);
	(void)rmdir(dir);
}

/*
 * The guest has no room, and the helper dies. What it said before must not keep
 * its successor from being heard: nothing would read from the new socket, and
 * the daemon would not sleep.
 */
START_TEST(a_frame_that_waits_does_not_outlive_its_helper)
{
	with_helper("printf ready >&3; printf 0123456789abcdefghij >&3");
	run(1);
	ck_assert_uint_eq(asked, 1);
	run(2);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

/* An empty packet cannot be told from the socket's end. */
START_TEST(one_that_hangs_up_is_ended)
{
	room = true;
	with_helper("printf ready >&3; printf 0123456789abcdefghij >&3; exec 3>&-; exec sleep 1000");
	run(2);
	ck_assert_uint_eq(asked, 2);
}
END_TEST

/* What is no frame is dropped, and what follows is not. */
START_TEST(odd_sizes)
{
	room = true;
	with_helper("printf ready >&3; printf short >&3; printf 0123456789abcdefghij >&3; exec sleep 1000");
	run(1);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

static long length_of(const char *name)
{
	char file[100];
	struct stat st;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	return stat(file, &st) ? 0 : (long)st.st_size;
}

static void until_it_came_twice(void *data)
{
	struct loop_timer *t = data;

	if (length_of("starts") >= 2)
		quit(NULL);
	else
		loop_timer_set(&d.loop, t, 10000000);
}

/* Its last word is its last: it does not fill the log. */
START_TEST(one_that_complains_without_end)
{
	struct loop_timer t;
	char log[100];

	with_helper("printf x >>${0%/*}/starts; i=0; while [ $i -lt 200 ]; do printf 'no, and no more' >&3; i=$((i+1)); done; "
		    "exec sleep 1000");
	snprintf(log, sizeof(log), "%s/log", dir);
	ck_assert_int_eq(log_open(log), 0);
	loop_timer_init(&t, until_it_came_twice, &t);
	loop_timer_set(&d.loop, &t, 0);
	run(1);
	ck_assert_int_ge(length_of("starts"), 2);
	ck_assert_int_gt(length_of("log"), 0);
	ck_assert_int_lt(length_of("log"), 1000);
	snprintf(log, sizeof(log), "rm -f %s/starts %s/log", dir, dir);
	ck_assert_int_eq(system(log), 0);
}
END_TEST

/* Closed at each moment: while it starts, while it speaks, after its death. */
START_TEST(closed_at_any_time)
{
	struct loop_timer t;

	with_helper("printf ready >&3; printf 0123456789abcdefghij >&3");
	loop_timer_init(&t, quit, NULL);
	loop_timer_set(&d.loop, &t, (uint64_t)_i * 2000000u);
	d.loop.quit = false;
	wanted = 1000;
	loop_run(&d.loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("user link");
	TCase *t = tcase_create("user link");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_frame_that_waits_does_not_outlive_its_helper);
	tcase_add_test(t, one_that_hangs_up_is_ended);
	tcase_add_test(t, odd_sizes);
	tcase_add_test(t, one_that_complains_without_end);
	tcase_add_loop_test(t, closed_at_any_time, 0, 10);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
