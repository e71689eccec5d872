/* SPDX-License-Identifier: MIT */
/* A hypervisor that is slow to answer, or does not: what clients are told, and what is done in the end. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <xen/sched.h>

static void freeze(bool frozen)
{
	__atomic_store_n(&fake_state(ram)->frozen, frozen, __ATOMIC_SEQ_CST);
}

/* Of the node itself, or 0: the daemon is gone. */
static uint32_t node_event(int ev)
{
	struct pvctl_event e = { .size = sizeof(e) };

	do
		if (recv(ev, &e, sizeof(e), 0) != sizeof(e))
			return 0;
	while (!(e.type & (PVCTL_EVENT_NODE_SLOW | PVCTL_EVENT_NODE_BACK | PVCTL_EVENT_NODE_DOWN)));
	return e.type;
}

static uint64_t silent_ns(void)
{
	struct pvctl_node_info i = { .size = sizeof(i) };
	int fd = dial(d.control_path);

	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &i, sizeof(i), NULL), 0);
	close(fd);
	return i.silent_ns;
}

static bool is_counted(uint32_t times)
{
	return __atomic_load_n(&fake_state(ram)->counted, __ATOMIC_SEQ_CST) == times;
}

static void send_count(int fd)
{
	struct { struct proto_header h; struct proto_hypercall q; } m = {
		{ PROTO_HYPERCALL, sizeof(m.q), 7, 0 }, { .op = FAKE_COUNT },
	};

	ck_assert_int_eq(write(fd, &m, sizeof(m)), sizeof(m));
}

static int code_of_answer(int fd, char *text, size_t size)
{
	struct proto_header h;

	ck_assert_int_eq(wire_recv(fd, &h, sizeof(h), NULL), 0);
	ck_assert_uint_lt(h.len, size);
	ck_assert_int_eq(wire_recv(fd, text, h.len, NULL), 0);
	text[h.len] = 0;
	return h.code;
}

/* Of two who ask, one's call is in the mailbox, the other's waits for it. Each is told what became of his. */
START_TEST(silence_is_told)
{
	int fd = dial(d.control_path), ev = events_of(fd), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char text[400];

	freeze(true);
	send_count(first);
	usleep(100000);
	send_count(second);
	ck_assert_int_eq(code_of_answer(first, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "may yet be done"));
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "has not answered for 1 s"));
	ck_assert_ptr_null(strstr(text, "may yet be done"));
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	/* Others are told at once; what needs no hypervisor works. */
	ck_assert_uint_ge(silent_ns(), 1000000000u);
	send_count(second);
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_int_eq(store_read_as_client(second, "/local/domain/0/domid", XS_READ, 1), 0);
	ck_assert(!is_gone(id) && is_counted(0));
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	ck_assert_uint_eq(silent_ns(), 0);
	ck_assert(within(is_counted, 1));
	usleep(100000);
	ck_assert(is_counted(1) && !is_gone(id));
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

/* In the midst of a request that had its first answer. */
static void freeze_at_grants(void)
{
	__atomic_store_n(&fake_state(ram)->freeze_at, __HYPERVISOR_grant_table_op, __ATOMIC_SEQ_CST);
}

static bool is_frozen(uint32_t unused)
{
	return __atomic_load_n(&fake_state(ram)->frozen, __ATOMIC_SEQ_CST);
}

/*
 * Its rings are let go of before it is destroyed: a silence before that finds nothing begun, and nothing is done later;
 * one in the midst of it does not keep it from being destroyed.
 */
START_TEST(destruction_is_not_half_done)
{
	struct { struct proto_header h; struct proto_hypercall q; struct xen_domctl op; } m = {
		.h = { PROTO_HYPERCALL, sizeof(m.q) + sizeof(m.op), 7, 0 }, .q.op = __HYPERVISOR_domctl,
	};
	int fd = dial(d.control_path), ev = events_of(fd), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), other = build(fd, "b", "{\"name\":\"b\"}");
	char text[400];

	m.q.args[0] = NODE_ARENA_BASE;
	m.op.cmd = XEN_DOMCTL_destroydomain;
	m.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	m.op.domain = (domid_t)other;
	if (_i) {
		freeze_at_grants();
	} else {
		freeze(true);
		send_count(first);
		usleep(100000);
	}
	ck_assert_int_eq(write(second, &m, sizeof(m)), sizeof(m));
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_int_eq(strstr(text, "may yet be done") != NULL, _i);
	freeze(false);
	while (node_event(ev) != PVCTL_EVENT_NODE_BACK)
		;
	if (_i)
		ck_assert(within(is_gone, other));
	else
		usleep(200000);
	ck_assert(!is_gone(id) && is_gone(other) == _i);
}
END_TEST

/* Whatever a client asks for, he is told, and has his connection; nothing of it is done, then or later. */
START_TEST(nothing_is_begun_in_silence)
{
	static const uint32_t types[] = { PROTO_INTRODUCE, PROTO_FORGET, PROTO_COMMIT, PROTO_DEVICE_ATTACH, PROTO_DEVICE_DETACH,
					  PROTO_MEMORY_CHECK };
	enum { N = sizeof(types) / sizeof(types[0]) };
	struct { struct proto_header h; uint32_t domid; char rest[200]; } m = { .h = { .len = sizeof(m) - sizeof(m.h), .id = 7 } };
	int fd = dial(d.control_path), ev = events_of(fd), asking[N], left = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), mapped = fake_state(ram)->mapped;
	char text[400];

	m.domid = id;
	freeze(true);
	for (unsigned int i = 0; i < N; i++) {
		asking[i] = dial(d.control_path);
		m.h.type = types[i];
		ck_assert_int_eq(write(asking[i], &m, sizeof(m)), sizeof(m));
	}
	m.h.type = PROTO_FORGET;
	ck_assert_int_eq(write(left, &m, sizeof(m)), sizeof(m));
	close(left);
	/* The loop waits for nothing meanwhile. */
	ck_assert_int_eq(store_read_as_client(fd, "/local/domain/0/domid", XS_READ, 1), 0);
	for (unsigned int i = 0; i < N; i++) {
		ck_assert_int_eq(code_of_answer(asking[i], text, sizeof(text)), -ETIMEDOUT);
		ck_assert_msg(strstr(text, "has not answered for 1 s") && !strstr(text, "may yet"), "%u: %s", types[i], text);
	}
	freeze(false);
	while (node_event(ev) != PVCTL_EVENT_NODE_BACK)
		;
	for (unsigned int i = 0; i < N; i++)
		ck_assert_int_eq(ask(asking[i], PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_uint_eq(fake_state(ram)->mapped, mapped);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

/* While the daemon waits for an own call that is not long yet: what needs nothing is answered, what does is kept until then. */
START_TEST(own_call_keeps_nobody_out)
{
	struct { struct proto_header h; struct proto_domid b; } m = { .h = { PROTO_FORGET, sizeof(m.b), 7, 0 } };
	int fd = dial(d.control_path), asking = dial(d.control_path), other = dial(d.control_path);
	struct { struct proto_header h; struct xsd_sockmsg s; char path[24]; } r = { .s.type = XS_READ, .path = "/local/domain/0/domid" };
	char text[400];

	m.b.domid = build(fd, "a", "{\"name\":\"a\"}");
	r.h = (struct proto_header){ PROTO_STORE, sizeof(r.s) + sizeof("/local/domain/0/domid"), 8, 0 };
	r.s.len = sizeof("/local/domain/0/domid");
	freeze_at_grants();
	ck_assert_int_eq(write(asking, &m, sizeof(m)), sizeof(m));
	ck_assert(within(is_frozen, 0));
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(write(other, &r, sizeof(r.h) + r.h.len), sizeof(r.h) + r.h.len);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(recv(other, text, 1, MSG_DONTWAIT), -1);
	freeze(false);
	ck_assert_int_eq(code_of_answer(other, text, sizeof(text)), 0);
	ck_assert_int_eq(code_of_answer(asking, text, sizeof(text)), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

enum own_work { OWN_END, OWN_BUILDER, OWN_SIZES, OWN_ZOMBIE, OWN_RESUME, NR_OWN_WORK };

static void suspend_for(int fd, uint32_t id)
{
	struct proto_suspend s = { .domid = id };
	int ev = events_of(fd);

	ck_assert_int_eq(ask(fd, PROTO_SUSPEND, &s, sizeof(s), NULL, 0, NULL), 0);
	shut(id, SHUTDOWN_suspend);
	while (next_event(ev, id) != PVCTL_EVENT_SHUTDOWN)
		;
	close(ev);
}

/* What there is to do when the hypervisor falls silent. */
static void before_silence(enum own_work what, int fd, uint32_t *id)
{
	struct proto_events want = { .mask = PVCTL_EVENT_MEMORY };
	int ev;

	switch (what) {
	case OWN_BUILDER:
		ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, id), 0);
		break;
	case OWN_SIZES:
		ck_assert_int_eq(ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev), 0);
		break;
	case OWN_ZOMBIE:
		fake_state(ram)->held[*id] = 1;
		ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, id), 0);
		break;
	case OWN_RESUME:
		suspend_for(fd, *id);
		break;
	default:
		break;
	}
}

/* What it does by itself: looks at ends, sizes, what is left of domains; ends what nobody builds, resumes what nobody holds. */
START_TEST(own_work_keeps_nobody_out)
{
	int first = dial(d.control_path), fd = dial(d.control_path), other = dial(d.control_path);
	uint32_t id = build(other, "a", "{\"name\":\"a\"}");
	struct proto_domid gone = { .domid = FAKE_MAX_DOMAINS };

	before_silence((enum own_work)_i, fd, &id);
	/* Not in the midst of an own call: timers are to find it silent when they ask, others when it is. */
	__atomic_store_n(&fake_state(ram)->freeze_at, _i == OWN_SIZES || _i == OWN_ZOMBIE ? __HYPERVISOR_xen_version : FAKE_COUNT,
			 __ATOMIC_SEQ_CST);
	if (_i != OWN_SIZES && _i != OWN_ZOMBIE)
		send_count(first);
	ck_assert(within(is_frozen, 0));
	if (_i == OWN_END)
		shut(id, SHUTDOWN_poweroff);
	if (_i == OWN_BUILDER || _i == OWN_RESUME)
		close(fd);
	/* Longer than the timers of all these. */
	usleep(700000);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_int_eq(store_read_as_client(other, "/local/domain/0/domid", XS_READ, 1), 0);
	if (_i == OWN_ZOMBIE)
		fake_state(ram)->flags[id] = 0;
	freeze(false);
	if (_i == OWN_END || _i == OWN_BUILDER)
		ck_assert(within(is_gone, id));
	if (_i == OWN_RESUME)
		ck_assert(within(is_running, id));
	/* All that it was late for is over, and others have their turn. */
	ck_assert_int_eq(ask(other, PROTO_FORGET, &gone, sizeof(gone), NULL, 0, NULL), -ESRCH);
}
END_TEST

/* He said his last word while the hypervisor was busy with another's, and left. */
START_TEST(last_words_are_heard)
{
	struct { struct proto_header h; struct proto_commit c; char json[12]; } m = {
		{ PROTO_COMMIT, sizeof(m.c) + sizeof(m.json), 7, 0 }, { .flags = PROTO_COMMIT_UNPAUSE, .name = "a" }, "{\"name\":\"a\"}",
	};
	int other = dial(d.control_path), builder = dial(d.control_path);
	char text[400];

	ck_assert_int_eq(domctl(builder, XEN_DOMCTL_createdomain, &m.c.domid), 0);
	freeze(true);
	send_count(other);
	usleep(50000);
	ck_assert_int_gt(write(builder, &m, sizeof(m.h) + m.h.len), 0);
	close(builder);
	usleep(50000);
	freeze(false);
	ck_assert_int_eq(code_of_answer(other, text, sizeof(text)), 0);
	ck_assert(within(is_running, m.c.domid));
}
END_TEST

/* The daemon's own call, in the midst of a request: others are served all the same, and it is done when it can be. */
START_TEST(silence_in_an_own_call)
{
	struct { struct proto_header h; struct proto_introduce in; } m = { .h = { PROTO_INTRODUCE, sizeof(m.in), 7, 0 } };
	int fd = dial(d.control_path), ev = events_of(fd), other = dial(d.control_path), builder = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), half = 0;
	struct proto_domain_row rows[2];
	char text[400];

	ck_assert_int_eq(domctl(builder, XEN_DOMCTL_createdomain, &half), 0);
	memset(fake_page(ram, half, 0), 0, 8192);
	m.in = (struct proto_introduce){ .domid = half, .store_port = 1, .console_port = 2 };
	freeze_at_grants();
	ck_assert_int_eq(write(builder, &m, sizeof(m)), sizeof(m));
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(code_of_answer(builder, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "may yet be done"));
	for (unsigned int i = 0; i < 1000; i++) {
		int fresh = dial(d.control_path);

		ck_assert_int_eq(ask(fresh, PROTO_DOMAINS, NULL, 0, rows, sizeof(rows), NULL), 0);
		ck_assert_int_eq(ask(fresh, PROTO_STORE, NULL, 0, NULL, 0, NULL), -ETIMEDOUT);
		close(fresh);
	}
	send_count(other);
	ck_assert_int_eq(code_of_answer(other, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_uint_ge(silent_ns(), 1000000000u);
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	/* Whose builder was told that it failed goes; who was whole stays. */
	ck_assert(within(is_gone, half));
	ck_assert(!is_gone(id) && is_counted(0));
	ck_assert_int_eq(domctl(other, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

static bool is_created(uint32_t times)
{
	return __atomic_load_n(&fake_state(ram)->created, __ATOMIC_SEQ_CST) == times;
}

/* Who asked for a domain leaves; it comes, once, and goes. */
START_TEST(late_answer_to_nobody)
{
	struct { struct proto_header h; struct proto_hypercall q; struct xen_domctl op; } m = {
		.h = { PROTO_HYPERCALL, sizeof(m.q) + sizeof(m.op), 7, 0 }, .q.op = __HYPERVISOR_domctl,
	};
	int fd = dial(d.control_path), ev = events_of(fd), builder = dial(d.control_path);

	m.q.args[0] = NODE_ARENA_BASE;
	m.op.cmd = XEN_DOMCTL_createdomain;
	m.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	freeze(true);
	ck_assert_int_eq(write(builder, &m, sizeof(m)), sizeof(m));
	usleep(100000);
	/* Half of the times he waits to be told. */
	if (_i)
		close(builder);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(ask(fd, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_created(0));
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	ck_assert(within(is_created, 1));
	ck_assert(within(is_gone, 1));
	ck_assert(is_created(1));
}
END_TEST

/* A domain is built, the hypervisor falls silent, and somebody asks: what needs an own call, or a queued one. */
static void ask_of_frozen(int fd, bool own_call)
{
	struct { struct proto_header h; struct proto_domid b; } m = { .h = { PROTO_FORGET, sizeof(m.b), 7, 0 } };
	int asking = dial(d.control_path);

	m.b.domid = build(fd, "a", "{\"name\":\"a\"}");
	if (own_call) {
		freeze_at_grants();
		ck_assert_int_eq(write(asking, &m, sizeof(m)), sizeof(m));
	} else {
		freeze(true);
		send_count(asking);
	}
}

/* What really ended is found at once. Bit 0: in an own call; bit 1: before the silence is long. */
START_TEST(death_while_slow)
{
	int fd = dial(d.control_path), ev = events_of(fd), status;

	ask_of_frozen(fd, _i & 1);
	if (_i & 2)
		usleep(100000);
	else
		ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	if (_i & 4)
		d.node.shared->hv_state = NODE_STATE_PANIC;
	else
		fake_state(ram)->killed = 1;
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_DOWN);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
}
END_TEST

/* Who wants it to end need not wait. */
START_TEST(stop_while_slow)
{
	int fd = dial(d.control_path), ev = events_of(fd), status;

	ask_of_frozen(fd, _i & 1);
	/* Before it is known to be slow, or after. */
	if (!(_i & 2))
		ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(ask(fd, PROTO_NODE_STOP, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
}
END_TEST

/* A daemon that was stopped itself has not waited. */
START_TEST(only_own_time_counts)
{
	int fd = dial(d.control_path), asking = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char text[400];

	freeze(true);
	send_count(asking);
	usleep(100000);
	kill(pid, SIGSTOP);
	usleep(2500000);
	kill(pid, SIGCONT);
	usleep(100000);
	freeze(false);
	ck_assert_int_eq(code_of_answer(asking, text, sizeof(text)), 0);
	ck_assert(is_counted(1) && !is_gone(id));
}
END_TEST

/* A silence is longer than its clients wait. */
static void setup_patient(void)
{
	make_dirs();
	start_daemon(60000);
}

int main(void)
{
	Suite *s = suite_create("silence");
	TCase *all = tcase_create("all"), *patient = tcase_create("patient");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, silence_is_told);
	tcase_add_loop_test(all, destruction_is_not_half_done, 0, 2);
	tcase_add_test(all, nothing_is_begun_in_silence);
	tcase_add_checked_fixture(patient, setup_patient, teardown);
	tcase_set_timeout(patient, 30);
	tcase_add_test(patient, own_call_keeps_nobody_out);
	tcase_add_test(patient, last_words_are_heard);
	tcase_add_loop_test(patient, own_work_keeps_nobody_out, 0, NR_OWN_WORK);
	suite_add_tcase(s, patient);
	tcase_add_test(all, silence_in_an_own_call);
	tcase_add_loop_test(all, late_answer_to_nobody, 0, 2);
	tcase_add_loop_test(all, death_while_slow, 0, 8);
	tcase_add_loop_test(all, stop_while_slow, 0, 4);
	tcase_add_test(all, only_own_time_counts);
	suite_add_tcase(s, all);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
