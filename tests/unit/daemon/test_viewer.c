/* SPDX-License-Identifier: MIT */
/* What the spawner has of those who look at consoles: the sockets of a domain that is there, by names that its number makes. */
#include <string.h>

#define keep_put fake_keep_put
#define keep_take fake_keep_take
#define keep_drop fake_keep_drop
int fake_keep_put(const char *name, int fd);
int fake_keep_take(const char *name);
int fake_keep_drop(const char *name);
#include "pvctld/console/viewer.c"
#include <check.h>
#undef fail

#define NAME "viewer/7/0"
static unsigned int kept; /* so many of NAME: 0 or 1 */

int fake_keep_put(const char *name, int fd)
{
	ck_assert_str_eq(name, NAME);
	kept = 1;
	return 0;
}

int fake_keep_take(const char *name)
{
	return -ENOENT;
}

int fake_keep_drop(const char *name)
{
	ck_assert_str_eq(name, NAME);
	kept = 0;
	return 0;
}

static struct daemon d;

static struct console *looked_at(int *ret_fd)
{
	static const char text[65536];
	struct console *c = console_new(&d, 7);

	ck_assert(c && c->kept);
	/* More than a socket takes: who does not read stays. */
	for (int i = 0; i < 16; i++)
		replay_append(&c->replay, text, sizeof(text));
	ck_assert_int_eq(console_attach(c, UINT64_MAX, ret_fd), 0);
	ck_assert_uint_eq(kept, 1);
	return c;
}

/* One that slept over the end of its domain leaves after another domain came to have that number. */
START_TEST(a_number_that_is_another_s)
{
	struct console *old, *new;
	int fd[2];

	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	ck_assert_int_eq(state_new(&d.state), 0);
	list_init(&d.dead_consoles);
	d.node.down = true;
	old = looked_at(&fd[0]);
	console_retire(old);
	ck_assert_uint_eq(old->nr_viewers, 1);
	ck_assert_uint_eq(kept, 0);
	new = looked_at(&fd[1]);
	console_free(old);
	ck_assert_uint_eq(kept, 1);
	console_free(new);
	ck_assert_uint_eq(kept, 0);
	close(fd[0]);
	close(fd[1]);
	state_close(&d.state);
	loop_fini(&d.loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("viewer");
	TCase *t = tcase_create("viewer");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, a_number_that_is_another_s);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
