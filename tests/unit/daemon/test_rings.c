/* SPDX-License-Identifier: MIT */
/* The two shared pages with what a hostile guest may put in their indices, and the replay buffer. */
#include "pvctld/console/replay.h"
#include "pvctld/console/ring.h"
#include "pvctld/xenstore/ring.h"
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

START_TEST(console_wraps)
{
	struct xencons_interface *r = calloc(1, sizeof(*r));
	char got[4096];
	bool bad;

	r->out_cons = 0xfffffffeu - 1;
	r->out_prod = r->out_cons + 6;
	for (uint32_t i = 0; i < 6; i++)
		r->out[(r->out_cons + i) % sizeof(r->out)] = (char)('a' + i);
	ck_assert_uint_eq(console_ring_take(r, got, sizeof(got), &bad), 6);
	ck_assert(!bad);
	ck_assert_mem_eq(got, "abcdef", 6);
	ck_assert_uint_eq(r->out_cons, r->out_prod);
	ck_assert(!console_ring_has_output(r));
	free(r);
}
END_TEST

START_TEST(console_impossible_indices)
{
	static const uint32_t prods[] = { 2049, 0x7fffffff, 0x80000000, 0xffffffff };
	struct xencons_interface *r = calloc(1, sizeof(*r));
	char got[4096];
	bool bad;

	for (unsigned int i = 0; i < 4; i++) {
		r->out_cons = 0;
		r->out_prod = prods[i];
		ck_assert_uint_eq(console_ring_take(r, got, sizeof(got), &bad), 0);
		ck_assert(bad);
		ck_assert_uint_eq(r->out_cons, prods[i]);
	}
	/* A full ring is a possible one. */
	r->out_cons = 10;
	r->out_prod = 10 + 2048;
	ck_assert_uint_eq(console_ring_take(r, got, 100, &bad), 100);
	ck_assert_uint_eq(console_ring_take(r, got, sizeof(got), &bad), 1948);
	r->in_prod = 5;
	r->in_cons = 6;
	ck_assert_uint_eq(console_ring_space(r), 0);
	ck_assert_uint_eq(console_ring_put(r, "x", 1), 0);
	free(r);
}
END_TEST

START_TEST(console_input)
{
	struct xencons_interface *r = calloc(1, sizeof(*r));
	char bytes[2000];

	memset(bytes, 'x', sizeof(bytes));
	r->in_prod = r->in_cons = 0xffffff00u;
	ck_assert_uint_eq(console_ring_put(r, bytes, sizeof(bytes)), 1024);
	ck_assert_uint_eq(console_ring_put(r, bytes, 1), 0);
	r->in_cons += 3;
	ck_assert_uint_eq(console_ring_put(r, "abcd", 4), 3);
	free(r);
}
END_TEST

START_TEST(store_indices)
{
	struct xenstore_domain_interface *r = calloc(1, sizeof(*r));
	char got[4096];

	r->req_prod = 1025;
	ck_assert_int_eq(store_ring_peek(r, got, sizeof(got)), -EPROTO);
	r->req_cons = 0xffffffffu;
	r->req_prod = 3;
	r->req[1023] = 'a';
	memcpy(r->req, "bcd", 3);
	ck_assert_int_eq(store_ring_peek(r, got, 2), 2);
	ck_assert_int_eq(store_ring_peek(r, got, sizeof(got)), 4);
	ck_assert_mem_eq(got, "abcd", 4);
	store_ring_consume(r, 4);
	ck_assert_int_eq(store_ring_peek(r, got, sizeof(got)), 0);

	r->rsp_prod = 5;
	r->rsp_cons = 6;
	ck_assert_int_eq(store_ring_put(r, "x", 1), -EPROTO);
	r->rsp_cons = r->rsp_prod = 0xfffffffdu;
	ck_assert_int_eq(store_ring_put(r, got, sizeof(got)), 1024);
	ck_assert_uint_eq(r->rsp_prod, 1021);
	ck_assert_int_eq(store_ring_put(r, got, 1), 0);
	free(r);
}
END_TEST

static void replay_check(struct replay *r, const uint8_t *all)
{
	uint64_t pos = r->start;
	size_t len;

	ck_assert(r->end - r->start <= REPLAY_MAX);
	while (pos < r->end) {
		const uint8_t *p = replay_at(r, pos, &len);

		ck_assert_uint_gt(len, 0);
		ck_assert(!memcmp(p, all + pos, len));
		pos += len;
	}
}

START_TEST(replay)
{
	static uint8_t all[3u << 20];
	struct replay r = { 0 };

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t at = 0, n = 1; at + n < sizeof(all); at += n, n = (n * 5 + 3) % 300000) {
		replay_append(&r, all + at, n);
		ck_assert_uint_eq(r.end, at + n);
		replay_check(&r, all);
	}
	ck_assert_uint_eq(r.end - r.start, REPLAY_MAX);
	replay_free(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rings");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, console_wraps);
	tcase_add_test(c, console_impossible_indices);
	tcase_add_test(c, console_input);
	tcase_add_test(c, store_indices);
	tcase_add_test(c, replay);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
