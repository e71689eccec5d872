/* SPDX-License-Identifier: MIT */
/* A domain that one connection has suspended: what others may do to it. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <xen/sched.h>

static int request(int fd, uint32_t type, uint32_t domid)
{
	struct proto_domid b = { .domid = domid };

	return ask(fd, type, &b, sizeof(b), NULL, 0, NULL);
}

static int quiesce(int fd, uint32_t domid, uint32_t flags)
{
	struct proto_quiesce b = { .domid = domid, .flags = flags };

	return ask(fd, PROTO_QUIESCE, &b, sizeof(b), NULL, 0, NULL);
}

static int ask_suspend(int fd, uint32_t domid)
{
	struct proto_suspend b = { .domid = domid };

	return ask(fd, PROTO_SUSPEND, &b, sizeof(b), NULL, 0, NULL);
}

static void suspend_for(int fd, uint32_t id)
{
	int ev = events_of(fd);

	ck_assert_int_eq(ask_suspend(fd, id), 0);
	shut(id, SHUTDOWN_suspend);
	while (next_event(ev, id) != PVCTL_EVENT_SHUTDOWN)
		;
	close(ev);
}

static int resume_by_hypercall(int fd, uint32_t id)
{
	struct { struct proto_hypercall h; struct xen_domctl op; } q = { .h.op = __HYPERVISOR_domctl };

	q.h.args[0] = NODE_ARENA_BASE;
	q.op.cmd = XEN_DOMCTL_resumedomain;
	q.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	q.op.domain = (domid_t)id;
	return ask(fd, PROTO_HYPERCALL, &q, sizeof(q), NULL, 0, NULL);
}

static void nobody_else(int other, uint32_t id)
{
	ck_assert_int_eq(request(other, PROTO_RESUME, id), -EPERM);
	ck_assert_int_eq(quiesce(other, id, 0), -EPERM);
	ck_assert_int_eq(quiesce(other, id, PROTO_QUIESCE_RELEASE), -EPERM);
	ck_assert_int_eq(quiesce(other, id, PROTO_QUIESCE_KEEP), -EPERM);
	ck_assert_int_eq(resume_by_hypercall(other, id), -EPERM);
	ck_assert(!is_running(id));
}

/* Who saves it reads its memory: that it goes on is his to say. */
START_TEST(his_who_suspended_it)
{
	int fd = dial(d.control_path), holder = dial(d.control_path), other = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	suspend_for(holder, id);
	nobody_else(other, id);
	ck_assert_int_eq(quiesce(holder, id, 0), 0);
	nobody_else(other, id);
	ck_assert_int_eq(quiesce(holder, id, PROTO_QUIESCE_KEEP), 0);
	ck_assert_int_eq(request(other, PROTO_RESUME, id), 0);
	ck_assert(within(is_running, id));
}
END_TEST

/* Nor does one who failed at the same thing take back what he has asked. */
START_TEST(his_who_asked)
{
	int fd = dial(d.control_path), holder = dial(d.control_path), other = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	ck_assert_int_eq(ask_suspend(holder, id), 0);
	ck_assert_int_eq(ask_suspend(other, id), -EBUSY);
	ck_assert_int_eq(request(other, PROTO_RESUME, id), -EPERM);
	shut(id, SHUTDOWN_suspend);
	while (quiesce(holder, id, 0) == -ENOENT)
		usleep(10000);
	nobody_else(other, id);
	ck_assert_int_eq(request(holder, PROTO_RESUME, id), 0);
	ck_assert(within(is_running, id));
}
END_TEST

/* It was suspended before, and one reads it: with him it does not go on, and while he reads nobody lets it. */
START_TEST(his_who_reads_it)
{
	int fd = dial(d.control_path), reader = dial(d.control_path), other = dial(d.control_path), rc = -EPERM;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	suspend_for(fd, id);
	ck_assert_int_eq(quiesce(fd, id, PROTO_QUIESCE_KEEP), 0);
	ck_assert_int_eq(quiesce(reader, id, 0), 0);
	nobody_else(other, id);
	close(reader);
	for (unsigned int i = 0; i < 3000 && rc == -EPERM; i++, usleep(10000))
		rc = quiesce(other, id, PROTO_QUIESCE_KEEP);
	ck_assert_int_eq(rc, 0);
	ck_assert(!is_running(id));
	ck_assert_int_eq(request(fd, PROTO_RESUME, id), 0);
	ck_assert(within(is_running, id));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("suspend");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, his_who_suspended_it);
	tcase_add_test(t, his_who_asked);
	tcase_add_test(t, his_who_reads_it);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
