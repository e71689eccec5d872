/* SPDX-License-Identifier: MIT */
/* The store's journal: whatever of it there is when the daemon dies, it is the store as it was after some request. */
#include "pvctld/state/log.h"
#include "tests/unit/store/client.h"
#include <sys/mman.h>
#include <unistd.h>

static struct state_log log_;
static struct client guest;

static const void *unsent(void *data, size_t *ret_len)
{
	const struct client *c = data;

	*ret_len = c->len;
	return c->out;
}

static const struct store_conn_ops guest_ops = { .output = output, .broken = broken, .unsent = unsent };

static void begin_journal(void)
{
	const char *perms[] = { "n5" };

	ck_assert_int_eq(state_log_new(&log_, "test"), 0);
	store = store_new(&log_, NULL, NULL);
	ck_assert_ptr_nonnull(store);
	ck_assert_int_eq(store_mkdir(store, "/local/domain/5"), 0);
	ck_assert_int_eq(store_set_perms(store, "/local/domain/5", perms, 1), 0);
	guest.len = 0;
	guest.conn = store_conn_new(store, 5, &guest_ops, &guest);
	store_conn_keep(guest.conn, &(struct store_position){ 100, 200 });
	store_domain_introduced(store, 5);
}

static void end_journal(void)
{
	store_free(store);
	state_log_close(&log_);
}

/* The daemon after this one, which finds so many bytes of the log: -1: all. */
static struct store *after_death(struct state_log *copy, int64_t len)
{
	int fd = memfd_create("copy", 0);
	static char bytes[1 << 20]; /* all that a test writes */
	uint64_t committed;
	struct store *s;

	ck_assert(fd >= 0 && !ftruncate(fd, lseek(log_.fd, 0, SEEK_END)));
	ck_assert_int_eq(pread(log_.fd, &committed, 8, 16), 8);
	for (unsigned int area = 0; area < 2; area++) {
		off_t at = 4096 + (off_t)area * (256 << 20);

		ck_assert_int_eq(pread(log_.fd, bytes, sizeof(bytes), at), sizeof(bytes));
		ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	}
	ck_assert_int_eq(pread(log_.fd, bytes, 4096, 0), 4096);
	ck_assert_int_eq(pwrite(fd, bytes, 4096, 0), 4096);
	if (len >= 0) {
		committed = (committed & 1ull << 63) | (uint64_t)len;
		ck_assert_int_eq(pwrite(fd, &committed, 8, 16), 8);
	}
	ck_assert_int_eq(state_log_open(copy, fd), 0);
	s = store_new(copy, NULL, NULL);
	ck_assert_ptr_nonnull(s);
	return s;
}

static void ask5(uint32_t type, uint32_t tx, const void *body, size_t len)
{
	struct xsd_sockmsg h = { type, 9, tx, (uint32_t)len };
	unsigned char msg[8192];

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), body, len);
	ck_assert_uint_eq(store_conn_input(guest.conn, msg, sizeof(h) + len), sizeof(h) + len);
}

static size_t log_length(void)
{
	uint64_t committed;

	ck_assert_int_eq(pread(log_.fd, &committed, 8, 16), 8);
	return (size_t)(committed & ~(1ull << 63));
}

/* By a local client; read again from what the replay itself has written. */
START_TEST(limits_that_were_set)
{
	static const char set[] = "quota\0set\0005\0nodes\0003", get[] = "quota\0get\0005\0000";
	struct state_log copy;
	struct store *s, *old = store;
	char buf[8192];

	join(&dom0, 0);
	expect(&dom0, XS_CONTROL, 0, set, sizeof(set), "OK");
	s = after_death(&copy, -1);
	store = s;
	join(&dom0, 0);
	ask(&dom0, XS_CONTROL, 0, get, sizeof(get), buf);
	ck_assert_str_eq(buf, "nodes 3 1000 1");
	store_domain_released(s, 5);
	store_domain_introduced(s, 5);
	ask(&dom0, XS_CONTROL, 0, get, sizeof(get), buf);
	ck_assert_str_eq(buf, "nodes 1000 1000 0");
	store_free(s);
	state_log_close(&copy);
	store = old;
}
END_TEST

/* A request counts with its answer and with its having been taken, or not at all. */
START_TEST(cut_at_every_byte)
{
	size_t from = log_length(), to;
	unsigned int seen[4] = { 0 };

	ask5(XS_WRITE, 0, "a\0one", 5);
	ask5(XS_WRITE, 0, "b\0two", 5);
	to = log_length();
	ck_assert_uint_gt(to, from + 100);
	for (size_t len = from; len <= to; len++) {
		struct store_position pos;
		struct state_log copy;
		struct store *s = after_death(&copy, (int64_t)len);
		struct fifo out;
		char *a = store_read(s, "/local/domain/5/a", NULL), *b = store_read(s, "/local/domain/5/b", NULL);
		struct store_conn *c = store_conn_resume(s, 5, &guest_ops, &guest, &pos, &out);

		/* Records of one commit are not cut from each other by a death, but here they are. */
		ck_assert_ptr_nonnull(c);
		ck_assert(!b || a);
		seen[(a != NULL) + (b != NULL)]++;
		if (len == to) {
			ck_assert_uint_eq(pos.in, 100 + 2 * (16 + 5));
			ck_assert_uint_eq(pos.out, 200 + 2 * (16 + 3));
			ck_assert_uint_eq(out.len, 2 * (16 + 3));
			ck_assert_str_eq(b, "two");
		}
		free(a);
		free(b);
		fifo_free(&out);
		guest.len = 0;
		store_free(s);
		state_log_close(&copy);
	}
	ck_assert(seen[0] && seen[1] && seen[2]);
}
END_TEST

START_TEST(half_a_request_goes_on)
{
	struct xsd_sockmsg h = { XS_WRITE, 9, 0, 5 };
	struct store_position pos;
	struct state_log copy;
	struct store *s;
	struct fifo out;
	struct store_conn *c;
	unsigned char msg[64];
	char *v;

	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), "a\0one", 5);
	ck_assert_uint_eq(store_conn_input(guest.conn, msg, 18), 18);
	s = after_death(&copy, -1);
	c = store_conn_resume(s, 5, &guest_ops, &guest, &pos, &out);
	ck_assert_uint_eq(pos.in, 118);
	ck_assert_uint_eq(store_conn_input(c, msg + 18, 3), 3);
	v = store_read(s, "/local/domain/5/a", NULL);
	ck_assert_str_eq(v, "one");
	free(v);
	fifo_free(&out);
	store_free(s);
	state_log_close(&copy);
}
END_TEST

/* Guests register their watches once; their transactions begin anew when they are told so. */
START_TEST(watches_and_transactions)
{
	struct store_position pos;
	struct state_log copy;
	struct store *s, *old = store;
	struct store_conn *c;
	struct fifo out;

	ask5(XS_WATCH, 0, "data\0tok", 9);
	ask5(XS_WATCH, 0, "gone\0tok", 9);
	ask5(XS_UNWATCH, 0, "gone\0tok", 9);
	ask5(XS_TRANSACTION_START, 0, "", 1);
	s = after_death(&copy, -1);
	guest.len = 0;
	c = store_conn_resume(s, 5, &guest_ops, &guest, &pos, &out);
	fifo_free(&out);
	ck_assert_int_eq(store_write(s, "/local/domain/5/data/x", "1", 1), 0);
	ck_assert_uint_gt(guest.len, 16);
	ck_assert_str_eq((char *)guest.out + 16, "data/x");
	guest.len = 0;
	ck_assert_int_eq(store_write(s, "/local/domain/5/gone", "1", 1), 0);
	ck_assert_uint_eq(guest.len, 0);
	guest.conn = c;
	ask5(XS_WRITE, 1, "a\0one", 5);
	guest.len = 0;
	ask5(XS_TRANSACTION_END, 1, "T", 2);
	ck_assert_str_eq((char *)guest.out + 16, "EAGAIN");
	store_free(s);
	state_log_close(&copy);
	store = old;
}
END_TEST

/* A domain that ends with watches and transactions is no reason to refuse the journal. */
START_TEST(closed_with_all_it_had)
{
	struct state_log copy;
	struct store *s;

	ask5(XS_WATCH, 0, "data\0tok", 9);
	ask5(XS_TRANSACTION_START, 0, "", 1);
	store_conn_free(guest.conn);
	s = after_death(&copy, -1);
	ck_assert_int_eq(store_write(s, "/local/domain/5/data", "1", 1), 0);
	store_free(s);
	state_log_close(&copy);
}
END_TEST

/* Who owns what, too; and what was written by a guest is the guest's. */
START_TEST(written_anew_it_is_the_same)
{
	const struct xsd_sockmsg *h;
	struct store_position pos;
	struct state_log copy, copy2;
	struct store *s, *t;
	struct fifo out;
	char value[1000];
	char *v;

	memset(value, 'x', sizeof(value));
	ask5(XS_WATCH, 0, "data\0tok", 9);
	guest.len = 0;
	for (unsigned int i = 0; i < 5000; i++)
		ck_assert_int_eq(store_write(store, "/tool/big", value, sizeof(value)), 0);
	ask5(XS_WRITE, 0, "mine\0one", 8);
	s = after_death(&copy, -1);
	ck_assert_uint_lt(log_length(), 3 << 20);
	ck_assert_ptr_nonnull(store_conn_resume(s, 5, &guest_ops, &guest, &pos, &out));
	ck_assert_uint_eq(out.len, 16 + 3);
	h = (const void *)fifo_data(&out);
	ck_assert_uint_eq(h->type, XS_WRITE);
	fifo_free(&out);
	/* Read once more, by a third one. */
	t = store_new(NULL, NULL, NULL);
	store_free(t);
	ck_assert_int_eq(state_log_open(&copy2, dup(copy.fd)), 0);
	t = store_new(&copy2, NULL, NULL);
	v = store_read(t, "/local/domain/5/mine", NULL);
	ck_assert_str_eq(v, "one");
	free(v);
	ck_assert(store_domain_is_introduced(t, 5));
	store_free(t);
	store_free(s);
	state_log_close(&copy2);
	state_log_close(&copy);
}
END_TEST

/* The daemon after this one may die, too, before anybody has taken what is to go out. */
START_TEST(answers_wait_for_a_third_daemon)
{
	struct store_position pos;
	struct state_log copy, copy2;
	struct store *s, *t;
	struct fifo out;

	ask5(XS_WRITE, 0, "a\0one", 5);
	s = after_death(&copy, -1);
	ck_assert_int_eq(state_log_open(&copy2, dup(copy.fd)), 0);
	t = store_new(&copy2, NULL, NULL);
	ck_assert_ptr_nonnull(store_conn_resume(t, 5, &guest_ops, &guest, &pos, &out));
	ck_assert_uint_eq(pos.out, 200 + 16 + 3);
	ck_assert_uint_eq(out.len, 16 + 3);
	ck_assert_str_eq((const char *)fifo_data(&out) + 16, "OK");
	fifo_free(&out);
	store_free(t);
	store_free(s);
	state_log_close(&copy2);
	state_log_close(&copy);
}
END_TEST

/* Nor does one that was lowered since take away what the guest has. */
START_TEST(limits_are_of_what_comes)
{
	static const char fewer[] = "quota\0set\0005\0watches\0001", less[] = "quota\0set\0005\0bytes\0001";
	struct store_position pos;
	struct state_log copy, copy2;
	struct store *s, *t;
	struct fifo out;

	ask5(XS_WATCH, 0, "data\0one", 9);
	ask5(XS_WATCH, 0, "data\0two", 9);
	join(&dom0, 0);
	expect(&dom0, XS_CONTROL, 0, fewer, sizeof(fewer), "OK");
	expect(&dom0, XS_CONTROL, 0, less, sizeof(less), "OK");
	/* Written anew, with the limits first, and read once more. */
	s = after_death(&copy, -1);
	ck_assert_int_eq(state_log_open(&copy2, dup(copy.fd)), 0);
	t = store_new(&copy2, NULL, NULL);
	guest.len = 0;
	ck_assert_ptr_nonnull(store_conn_resume(t, 5, &guest_ops, &guest, &pos, &out));
	ck_assert_int_eq(store_write(t, "/local/domain/5/data", "1", 1), 0);
	ck_assert_uint_eq(guest.len, 2 * (16 + 9));
	fifo_free(&out);
	store_free(t);
	store_free(s);
	state_log_close(&copy2);
	state_log_close(&copy);
}
END_TEST

START_TEST(of_another_version)
{
	uint32_t version = STATE_VERSION + 1;
	struct state_log copy;

	ck_assert_int_eq(pwrite(log_.fd, &version, 4, 8), 4);
	ck_assert_int_eq(state_log_open(&copy, log_.fd), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("journal");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, begin_journal, end_journal);
	tcase_add_test(tc, cut_at_every_byte);
	tcase_add_test(tc, half_a_request_goes_on);
	tcase_add_test(tc, watches_and_transactions);
	tcase_add_test(tc, answers_wait_for_a_third_daemon);
	tcase_add_test(tc, limits_are_of_what_comes);
	tcase_add_test(tc, limits_that_were_set);
	tcase_add_test(tc, closed_with_all_it_had);
	tcase_add_test(tc, written_anew_it_is_the_same);
	tcase_add_test(tc, of_another_version);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
