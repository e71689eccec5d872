/* SPDX-License-Identifier: MIT */
/* A domain that a client has paused for a while, and what becomes of it when he is gone. */
#include "tests/unit/daemon/daemon_fixture.h"

static int hold(int fd, uint32_t domid, bool on)
{
	struct proto_log b = { .domid = domid, .on = on };

	return ask(fd, PROTO_HOLD, &b, sizeof(b), NULL, 0, NULL);
}

static uint32_t pauses(uint32_t id)
{
	return __atomic_load_n(&fake_state(ram)->pauses[id], __ATOMIC_SEQ_CST);
}
static bool is_not_paused(uint32_t id) { return !pauses(id); }

START_TEST(one_after_the_other)
{
	int fd = dial(d.control_path), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	ck_assert_int_eq(hold(first, id, false), -ENOENT);
	ck_assert_int_eq(hold(first, id, true), 0);
	ck_assert_uint_eq(pauses(id), 1);
	/* Neither another, nor he himself twice. */
	ck_assert_int_eq(hold(second, id, true), -EBUSY);
	ck_assert_int_eq(hold(second, id, false), -EBUSY);
	ck_assert_int_eq(hold(first, id, true), -EBUSY);
	ck_assert_uint_eq(pauses(id), 1);
	ck_assert_int_eq(hold(first, id, false), 0);
	ck_assert_uint_eq(pauses(id), 0);
	ck_assert_int_eq(hold(second, id, true), 0);
	/* Who has nothing of it takes nothing with him. */
	close(first);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_uint_eq(pauses(id), 1);
	ck_assert_int_eq(hold(second, 31, true), -ESRCH);
}
END_TEST

START_TEST(goes_on_when_he_is_gone)
{
	int fd = dial(d.control_path), holder = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	/* Somebody else has paused it, too: that stays. */
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_pausedomain, &id), 0);
	ck_assert_int_eq(hold(holder, id, true), 0);
	ck_assert_uint_eq(pauses(id), 2);
	close(holder);
	for (int i = 0; i < 3000 && pauses(id) == 2; i++)
		usleep(10000);
	ck_assert_uint_eq(pauses(id), 1);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_unpausedomain, &id), 0);
	ck_assert(within(is_not_paused, id));
	ck_assert_int_eq(hold(fd, id, true), 0);
	ck_assert_int_eq(hold(fd, id, false), 0);
}
END_TEST

START_TEST(the_domain_is_gone_first)
{
	int fd = dial(d.control_path), holder = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	ck_assert_int_eq(hold(holder, id, true), 0);
	while (domctl(fd, XEN_DOMCTL_destroydomain, &id))
		;
	ck_assert_int_eq(hold(holder, id, false), -ESRCH);
	close(holder);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("still");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_after_the_other);
	tcase_add_test(t, goes_on_when_he_is_gone);
	tcase_add_test(t, the_domain_is_gone_first);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
