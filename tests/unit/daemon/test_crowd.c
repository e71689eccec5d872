/* SPDX-License-Identifier: MIT */
/* More clients than there is room for, and fewer descriptors than they need. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <sys/resource.h>

START_TEST(crowd)
{
	struct proto_header h = { .type = PROTO_HYPERCALL, .len = 1000 };
	static int fds[700];
	int old = dial(d.control_path), fresh;

	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_gt(write(fds[i], &h, i % sizeof(h) + 1), 0);
	}
	/* Who was served before stays, and who comes is served. */
	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	fresh = dial(d.control_path);
	ck_assert_int_eq(ask(fresh, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

/* Each was served, and asks for nothing more. */
START_TEST(idle_crowd)
{
	static int fds[700];
	int fresh, builder = dial(d.control_path);
	uint32_t id = 0;

	ck_assert_int_eq(domctl(builder, XEN_DOMCTL_createdomain, &id), 0);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_eq(ask(fds[i], PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	}
	fresh = dial(d.control_path);
	ck_assert_int_eq(ask(fresh, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	/* Who builds a domain is not idle, however long he says nothing. */
	ck_assert(!is_gone(id));
	ck_assert_int_eq(ask(builder, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

static void limit_descriptors(void)
{
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 96, 96 });
}

static void setup_few(void)
{
	in_daemon = limit_descriptors;
	setup();
}

/* Of processor time, in ticks. */
static unsigned long spent(void)
{
	unsigned long user = 0, system = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
	fclose(f);
	return user + system;
}

START_TEST(few_descriptors)
{
	int fds[100];

	/* Idle ones make room. */
	for (unsigned int i = 0; i < 100; i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_eq(ask(fds[i], PROTO_HELLO, NULL, 0, NULL, 0, NULL), 0);
	}
}
END_TEST

START_TEST(no_descriptors)
{
	struct proto_events want = { .mask = ~0u };
	int fd = dial(d.control_path), ev[100], late[20], code = 0;
	unsigned long before;
	unsigned int n = 0;

	/* What is in use makes none: who comes is refused, with a word. */
	while (n < 100 && !(code = ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev[n])))
		n++;
	ck_assert_int_eq(code, -ENOSPC);
	/* There may be one yet, where two were wanted. */
	(void)dial(d.control_path);
	for (unsigned int i = 0; i < 20; i++)
		late[i] = dial(d.control_path);
	before = spent();
	usleep(1000000);
	ck_assert_uint_lt(spent() - before, (unsigned long)sysconf(_SC_CLK_TCK) / 2);
	for (unsigned int i = 0; i < 20; i++) {
		struct proto_header h;

		ck_assert_int_eq(wire_recv(late[i], &h, sizeof(h), NULL), 0);
		ck_assert_uint_eq(h.type, PROTO_HELLO | PROTO_REPLY);
		ck_assert_uint_eq(h.id, 1);
		ck_assert_int_eq(h.code, -ENOSPC);
	}
	while (n)
		close(ev[--n]);
	ck_assert_int_eq(ask(fd, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	usleep(500000);
	late[0] = dial(d.control_path);
	ck_assert_int_eq(ask(late[0], PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("crowd");
	TCase *many = tcase_create("many"), *few = tcase_create("few");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(many, setup, teardown);
	tcase_set_timeout(many, 30);
	tcase_add_test(many, crowd);
	tcase_add_test(many, idle_crowd);
	suite_add_tcase(s, many);
	tcase_add_checked_fixture(few, setup_few, teardown);
	tcase_set_timeout(few, 30);
	tcase_add_test(few, few_descriptors);
	tcase_add_test(few, no_descriptors);
	suite_add_tcase(s, few);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
