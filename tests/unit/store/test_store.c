/* SPDX-License-Identifier: MIT */
/* The store over its wire protocol: what guests and xenstore-utils rely on. */
#include "pvctld/state/log.h"
#include "tests/unit/store/client.h"

#include <unistd.h>

#define QUOTA_TEST_VALUE 2048

START_TEST(read_write_relative)
{
	WRITE(dom5, 0, "data/a", "hello", "OK");
	ASK(dom5, XS_READ, "data/a", "hello");
	ASK(dom0, XS_READ, "/local/domain/5/data/a", "hello");
	ASK(dom5, XS_READ, "data/none", "ENOENT");
	ASK(dom5, XS_GET_PERMS, "data/a", "n5");
}
END_TEST

START_TEST(isolation_between_domains)
{
	WRITE(dom6, 0, "/local/domain/5/x", "1", "EACCES");
	WRITE(dom5, 0, "secret", "1", "OK");
	ASK(dom6, XS_READ, "/local/domain/5/secret", "1"); /* r6 was granted on the parent */
	ASK(dom5, XS_READ, "/local/domain/6/x", "EACCES");
	WRITE(dom5, 0, "/tool/x", "1", "EACCES");
	ASK(dom5, XS_RM, "/local/domain/6", "EACCES");
	expect(&dom5, XS_SET_PERMS, 0, "/local/domain/6\0b5", 19, "EACCES");
	expect(&dom5, XS_SET_PERMS, 0, "/local/domain/5\0n6", 19, "EPERM");
	expect(&dom5, XS_INTRODUCE, 0, "7\0001\0001", 6, "EACCES");
	expect(&dom5, XS_RELEASE, 0, "6", 2, "EACCES");
}
END_TEST

START_TEST(directory_and_parts)
{
	char name[64], buf[8192], off[64];
	unsigned int seen = 0;
	size_t at = 0;

	for (int i = 0; i < 700; i++) {
		snprintf(name, sizeof(name), "/tool/node-%04d", i);
		ck_assert_int_eq(store_mkdir(store, name), 0);
	}
	ASK(dom0, XS_DIRECTORY, "/tool", "E2BIG");
	for (;;) {
		int n = snprintf(off, sizeof(off), "/tool%c%zu", 0, at) + 1;
		const char *p;

		ck_assert_uint_eq(ask(&dom0, XS_DIRECTORY_PART, 0, off, n, buf), XS_DIRECTORY_PART);
		for (p = buf + strlen(buf) + 1; *p; p += strlen(p) + 1, seen++)
			at += strlen(p) + 1;
		if (seen == 700)
			break;
	}
	ck_assert_uint_eq(seen, 700);
}
END_TEST

START_TEST(watches)
{
	expect(&dom0, XS_WATCH, 0, "/local/domain/5\0tok", 20, "OK");
	ck_assert_uint_eq(events(&dom0, "/local/domain/5", "tok"), 1);
	expect(&dom0, XS_WATCH, 0, "/local/domain/5\0tok", 20, "EEXIST");
	dom0.len = 0;
	WRITE(dom5, 0, "data", "x", "OK");
	ck_assert_uint_eq(events(&dom0, "/local/domain/5/data", "tok"), 1);
	expect(&dom5, XS_WATCH, 0, "data\0rel", 9, "OK");
	dom5.len = 0;
	ck_assert_int_eq(store_write(store, "/local/domain/5/data/sub", "1", 1), 0);
	ck_assert_uint_eq(events(&dom5, "data/sub", "rel"), 1);
	/* what is not readable is not told */
	expect(&dom6, XS_WATCH, 0, "/tool\0t", 8, "OK");
	const char *hide[] = { "n0" };
	ck_assert_int_eq(store_mkdir(store, "/tool/hidden"), 0);
	ck_assert_int_eq(store_set_perms(store, "/tool/hidden", hide, 1), 0);
	dom6.len = 0;
	ck_assert_int_eq(store_write(store, "/tool/hidden", "1", 1), 0);
	ck_assert_uint_eq(dom6.len, 0);
	/* removal tells those who watched below */
	dom5.len = 0;
	expect(&dom5, XS_WATCH, 0, "data/sub\0low", 13, "OK");
	dom5.len = 0;
	ck_assert_int_eq(store_rm(store, "/local/domain/5"), 0);
	ck_assert_uint_eq(events(&dom5, "data/sub", "low"), 1);
	expect(&dom5, XS_UNWATCH, 0, "data/sub\0low", 13, "OK");
	expect(&dom5, XS_UNWATCH, 0, "data/sub\0low", 13, "ENOENT");
}
END_TEST

START_TEST(special_watches_are_domain_0s)
{
	expect(&dom0, XS_WATCH, 0, "@releaseDomain\0t", 17, "OK");
	expect(&dom5, XS_WATCH, 0, "@releaseDomain\0t", 17, "OK");
	dom0.len = dom5.len = 0;
	store_domain_released(store, 6);
	ck_assert_uint_eq(events(&dom0, "@releaseDomain", "t"), 1);
	ck_assert_uint_eq(dom5.len, 0);
}
END_TEST

START_TEST(transaction_commits_and_conflicts)
{
	uint32_t t = begin(&dom5), u;

	WRITE(dom5, t, "a/b", "1", "OK");
	expect(&dom5, XS_READ, t, "a/b", 4, "1");
	ASK(dom0, XS_READ, "/local/domain/5/a/b", "ENOENT");
	expect(&dom5, XS_DIRECTORY, t, "a", 2, "b");
	expect(&dom5, XS_TRANSACTION_END, t, "T", 2, "OK");
	ASK(dom0, XS_READ, "/local/domain/5/a/b", "1");

	t = begin(&dom5);
	u = begin(&dom0);
	expect(&dom5, XS_READ, t, "a/b", 4, "1");
	WRITE(dom5, t, "a/c", "1", "OK");
	WRITE(dom0, u, "/local/domain/5/a/b", "2", "OK");
	expect(&dom0, XS_TRANSACTION_END, u, "T", 2, "OK");
	expect(&dom5, XS_TRANSACTION_END, t, "T", 2, "EAGAIN");
	ASK(dom5, XS_READ, "a/c", "ENOENT");

	t = begin(&dom5);
	WRITE(dom5, t, "a/d", "1", "OK");
	expect(&dom5, XS_TRANSACTION_END, t, "F", 2, "OK");
	ASK(dom5, XS_READ, "a/d", "ENOENT");
	expect(&dom5, XS_READ, t, "a/b", 4, "ENOENT"); /* no such transaction any more */
}
END_TEST

START_TEST(transactions_beside_each_other)
{
	uint32_t t = begin(&dom5), u = begin(&dom6);

	WRITE(dom5, t, "x", "1", "OK");
	WRITE(dom6, u, "x", "1", "OK");
	expect(&dom5, XS_TRANSACTION_END, t, "T", 2, "OK");
	expect(&dom6, XS_TRANSACTION_END, u, "T", 2, "OK");
}
END_TEST

START_TEST(quotas)
{
	char path[64], buf[8192], big[QUOTA_TEST_VALUE + 8];
	int n, rc = XS_WRITE;

	for (int i = 0; i < 2000 && rc == XS_WRITE; i++) {
		n = snprintf(path, sizeof(path), "q/%d%c", i, 0);
		rc = ask(&dom5, XS_WRITE, 0, path, n, buf);
	}
	ck_assert_int_eq(rc, XS_ERROR);
	ck_assert_str_eq(buf, "ENOSPC");
	ASK(dom5, XS_RM, "q", "OK");
	WRITE(dom5, 0, "again", "1", "OK");
	memset(big, 'v', sizeof(big));
	memcpy(big, "big", 4);
	expect(&dom5, XS_WRITE, 0, big, sizeof(big), "ENOSPC");
	for (int i = 0; i < 10; i++)
		begin(&dom5);
	ASK(dom5, XS_TRANSACTION_START, "", "ENOSPC");
	ASK(dom5, XS_RESET_WATCHES, "", "OK");
	begin(&dom5);
	for (int i = 0; i < 128; i++) {
		n = snprintf(path, sizeof(path), "w%c%d", 0, i) + 1;
		ck_assert_uint_eq(ask(&dom5, XS_WATCH, 0, path, n, buf), XS_WATCH);
	}
	expect(&dom5, XS_WATCH, 0, "w\0more", 7, "E2BIG");
}
END_TEST

START_TEST(hostile_requests)
{
	static const char *const bad[] = { "", "/", "//", "/a//b", "/a/", "a b", "/a\n", "@x/y", "/\xff" };
	char buf[8192], long_path[3200];
	struct xsd_sockmsg huge = { XS_READ, 1, 0, 0xffffffff };

	for (size_t i = 1; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (strcmp(bad[i], "/"))
			ck_assert_uint_eq(ask(&dom5, XS_WRITE, 0, bad[i], strlen(bad[i]) + 1, buf), XS_ERROR);
	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = 0;
	expect(&dom0, XS_WRITE, 0, long_path, sizeof(long_path), "EINVAL");
	expect(&dom5, XS_READ, 0, "no-terminator", 13, "EINVAL");
	expect(&dom5, XS_READ, 0, "", 0, "EINVAL");
	expect(&dom5, XS_SET_PERMS, 0, "x\0z5", 5, "EINVAL");
	expect(&dom5, XS_SET_PERMS, 0, "x\0n99999", 9, "EINVAL");
	expect(&dom5, 9999, 0, "x", 2, "ENOSYS");
	ASK(dom0, XS_RM, "/", "EINVAL");
	store_conn_input(dom5.conn, &huge, sizeof(huge));
	ck_assert_int_eq(dom5.broken, 1);
}
END_TEST

START_TEST(watch_flood_gives_the_connection_up)
{
	char path[64];

	expect(&dom5, XS_WATCH, 0, "/local/domain/5\0t", 18, "OK");
	for (int i = 0; i < 40000 && !dom5.broken; i++) {
		snprintf(path, sizeof(path), "/local/domain/5/n%d", i % 10);
		dom5.len = 0;
		store_write(store, path, "x", 1);
	}
	ck_assert_int_eq(dom5.broken, 1);
}
END_TEST

START_TEST(released_domain_leaves_nothing)
{
	WRITE(dom5, 0, "data", "x", "OK");
	store_domain_released(store, 5);
	ASK(dom0, XS_GET_PERMS, "/local/domain/5/data", "n0");
	join(&dom5, 5); /* another domain with the number */
	ASK(dom5, XS_READ, "/local/domain/5/data", "EACCES");
}
END_TEST

/* A transaction that began before has what was the domain's in it, and must not give it back. */
START_TEST(released_domain_gets_nothing_back)
{
	uint32_t t;

	WRITE(dom0, 0, "/tool/x", "1", "OK");
	expect(&dom0, XS_SET_PERMS, 0, "/tool/x\0n5", 11, "OK");
	t = begin(&dom0);
	WRITE(dom0, t, "/tool/x", "2", "OK");
	store_domain_released(store, 5);
	expect(&dom0, XS_TRANSACTION_END, t, "T", 2, "EAGAIN");
	ASK(dom0, XS_GET_PERMS, "/tool/x", "n0");
}
END_TEST

START_TEST(journal_survives_restart_and_damage)
{
	struct state_log log, half;
	struct store *s, *t;
	const char *perms[] = { "r5" };
	char *v;

	ck_assert_int_eq(state_log_new(&log, "test"), 0);
	s = store_new(&log, NULL, NULL);
	ck_assert_int_eq(store_write(s, "/tool/a", "one", 3), 0);
	ck_assert_int_eq(store_set_perms(s, "/tool/a", perms, 1), 0);
	ck_assert_int_eq(store_write(s, "/tool/b", "two", 3), 0);
	ck_assert_int_eq(store_rm(s, "/tool/b"), 0);
	/* The daemon died here: it had begun with another. */
	state_log_add(&log, 17, 0, "/tool/c", "x", 1);
	ck_assert_int_eq(state_log_open(&half, dup(log.fd)), 0);
	t = store_new(&half, NULL, NULL);
	ck_assert_ptr_nonnull(t);
	v = store_read(t, "/tool/a", NULL);
	ck_assert_str_eq(v, "one");
	ck_assert_ptr_null(store_read(t, "/tool/b", NULL));
	ck_assert_ptr_null(store_read(t, "/tool/c", NULL));
	free(v);
	store_free(s);
	store_free(t);
	state_log_close(&half);
	state_log_close(&log);
}
END_TEST

START_TEST(journal_has_transactions)
{
	struct state_log log, copy;
	struct store *again;
	uint32_t t;
	char *v;

	store_free(store);
	ck_assert_int_eq(state_log_new(&log, "test"), 0);
	store = store_new(&log, NULL, NULL);
	join(&dom0, 0);
	t = begin(&dom0);
	WRITE(dom0, t, "/tool/a/old", "1", "OK");
	expect(&dom0, XS_SET_PERMS, t, "/tool/a\0n7", 11, "OK");
	expect(&dom0, XS_TRANSACTION_END, t, "T", 2, "OK");
	t = begin(&dom0);
	expect(&dom0, XS_RM, t, "/tool/a", 8, "OK");
	WRITE(dom0, t, "/tool/a/new/x", "2", "OK");
	WRITE(dom0, 0, "/vm/x", "1", "OK");
	expect(&dom0, XS_TRANSACTION_END, t, "T", 2, "OK");
	ck_assert_int_eq(state_log_open(&copy, dup(log.fd)), 0);
	again = store_new(&copy, NULL, NULL);
	v = store_read(again, "/tool/a/new/x", NULL);
	ck_assert_str_eq(v, "2");
	free(v);
	ck_assert_ptr_null(store_read(again, "/tool/a/old", NULL));
	store_free(again);
	store_free(store);
	store = NULL;
	state_log_close(&copy);
	state_log_close(&log);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *tc = tcase_create("wire");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_write_relative);
	tcase_add_test(tc, isolation_between_domains);
	tcase_add_test(tc, directory_and_parts);
	tcase_add_test(tc, watches);
	tcase_add_test(tc, special_watches_are_domain_0s);
	tcase_add_test(tc, transaction_commits_and_conflicts);
	tcase_add_test(tc, transactions_beside_each_other);
	tcase_add_test(tc, quotas);
	tcase_add_test(tc, hostile_requests);
	tcase_add_test(tc, watch_flood_gives_the_connection_up);
	tcase_add_test(tc, released_domain_leaves_nothing);
	tcase_add_test(tc, released_domain_gets_nothing_back);
	tcase_add_test(tc, journal_survives_restart_and_damage);
	tcase_add_test(tc, journal_has_transactions);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
