/* SPDX-License-Identifier: MIT */
/* A disk's request that there is no memory for waits, or fails: the disk stays connected. */
#include "../lib/fail_alloc.h"
#include <check.h>
#undef fail /* the daemon has its own */

#include "pvctld/block/serve.c"

static blkif_sring_t *page;
static struct daemon d;
static struct vbd vbd;
static struct vbd_ring *const r = &vbd.ring[0];

static void setup(void)
{
	struct blkif_request q = { .operation = BLKIF_OP_READ, .nr_segments = 1, .id = 7 };

	page = aligned_alloc(4096, 4096);
	memset(page, 0, 4096);
	memset(&vbd, 0, sizeof(vbd));
	r->vbd = &vbd;
	vbd.x.d = &d;
	vbd.nr_rings = 1;
	blk_ring_init(&r->ring, page, 1);
	memcpy(&page->ring[0].req, &q, sizeof(q));
	page->req_prod = 1;
}

static void teardown(void)
{
	free(page);
}

static int take_without_memory(void)
{
	int rc;

	fail_alloc_from(1, true);
	rc = take_some(r);
	ck_assert(fail_alloc_stop());
	return rc;
}

START_TEST(fails_alone)
{
	ck_assert_int_ge(take_without_memory(), 0);
	ck_assert_uint_eq(r->ring.req_cons, 1);
	ck_assert_uint_eq(r->ring.rsp_prod, 1);
	ck_assert_uint_eq(page->ring[0].rsp.id, 7);
	ck_assert_int_eq(page->ring[0].rsp.operation, BLKIF_OP_READ);
	ck_assert_int_eq(page->ring[0].rsp.status, BLKIF_RSP_ERROR);
	ck_assert_uint_eq(vbd.stats.errors, 1);
}
END_TEST

START_TEST(waits_for_another)
{
	vbd.inflight = 1;
	ck_assert_int_eq(take_without_memory(), 1);
	ck_assert_uint_eq(r->ring.req_cons, 0);
	ck_assert_uint_eq(r->ring.rsp_prod, 0);
	ck_assert_ptr_null(r->held);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("serve");
	TCase *t = tcase_create("no memory");
	SRunner *run = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, fails_alone);
	tcase_add_test(t, waits_for_another);
	suite_add_tcase(s, t);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
