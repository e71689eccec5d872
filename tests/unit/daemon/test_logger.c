/* SPDX-License-Identifier: MIT */
/* What a domain writes is logged for one client, and no longer than he is there. */
#include "tests/unit/daemon/daemon_fixture.h"

static int64_t log_writes(int fd, uint32_t domid, uint32_t what)
{
	struct { struct proto_hypercall h; struct xen_domctl op; } q = { .h = { .op = __HYPERVISOR_domctl, .args = { NODE_ARENA_BASE } } };
	struct { struct proto_hypercall_reply r; struct xen_domctl op; } a;

	q.op.cmd = XEN_DOMCTL_shadow_op;
	q.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	q.op.domain = (domid_t)domid;
	q.op.u.shadow_op.op = what;
	ck_assert_int_eq(ask(fd, PROTO_HYPERCALL, &q, sizeof(q.h) + sizeof(q.op), &a, sizeof(a.r) + sizeof(a.op), NULL), 0);
	return a.r.ret;
}

static int tie(int fd, uint32_t domid, bool on)
{
	struct proto_log b = { .domid = domid, .on = on };

	return ask(fd, PROTO_LOG, &b, sizeof(b), NULL, 0, NULL);
}

static void begin(int fd, uint32_t id)
{
	ck_assert_int_eq(tie(fd, id, true), 0);
	ck_assert_int_eq(log_writes(fd, id, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), 0);
}

static void end(int fd, uint32_t id)
{
	ck_assert_int_eq(log_writes(fd, id, XEN_DOMCTL_SHADOW_OP_OFF), 0);
	ck_assert_int_eq(tie(fd, id, false), 0);
}

static bool is_logged(uint32_t id)
{
	return __atomic_load_n(&fake_state(ram)->logs[id], __ATOMIC_SEQ_CST);
}
static bool is_not_logged(uint32_t id) { return !is_logged(id); }

START_TEST(ends_with_who_began)
{
	int fd = dial(d.control_path), saver = dial(d.control_path), other = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	begin(saver, id);
	/* He has nothing of it, and takes nothing with him. */
	ck_assert_int_eq(tie(other, id, true), -EBUSY);
	ck_assert_int_eq(tie(other, id, false), -EBUSY);
	ck_assert_int_eq(log_writes(other, id, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY), -EINVAL);
	close(other);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_logged(id));
	close(saver);
	ck_assert(within(is_not_logged, id));
	begin(fd, id);
	end(fd, id);
}
END_TEST

START_TEST(who_ended_it_has_no_more_to_do_with_it)
{
	int fd = dial(d.control_path), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	begin(first, id);
	end(first, id);
	begin(second, id);
	close(first);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_logged(id));
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	close(second);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("logger");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, ends_with_who_began);
	tcase_add_test(t, who_ended_it_has_no_more_to_do_with_it);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
