/* SPDX-License-Identifier: MIT */
/* The block ring against what a hostile frontend may put there. */
#include "pvctld/block/ring.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static blkif_sring_t *page;
static struct blk_ring ring;

static void setup(void)
{
	page = aligned_alloc(4096, 4096);
	memset(page, 0, 4096);
	blk_ring_init(&ring, page, 1);
}

static void teardown(void)
{
	free(page);
}

START_TEST(sizes)
{
	ck_assert_uint_eq(blk_ring_entries(1), 32);
	ck_assert_uint_eq(blk_ring_entries(2), 64);
	ck_assert_uint_eq(blk_ring_entries(16), 512);
}
END_TEST

START_TEST(impossible_indices)
{
	static const uint32_t prods[] = { 33, 0x7fffffff, 0x80000000, 0xffffffff };
	union blkif_sring_entry e;

	ck_assert_int_eq(blk_ring_take(&ring, &e), 0);
	for (unsigned int i = 0; i < 4; i++) {
		page->req_prod = prods[i];
		ck_assert_int_eq(blk_ring_take(&ring, &e), -EPROTO);
	}
	page->req_prod = 32;
	for (unsigned int i = 0; i < 32; i++)
		ck_assert_int_eq(blk_ring_take(&ring, &e), 1);
	ck_assert_int_eq(blk_ring_take(&ring, &e), 0);
	/* More than can be answered without writing over what was not taken. */
	page->req_prod = 33;
	ck_assert_int_eq(blk_ring_take(&ring, &e), -EPROTO);
	blk_ring_respond(&ring, BLK_NOT_KEPT, 1, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	ck_assert_int_eq(blk_ring_take(&ring, &e), 1);
}
END_TEST

START_TEST(indices_wrap)
{
	union blkif_sring_entry e;

	page->rsp_prod = page->req_prod = 0xfffffff0u;
	blk_ring_init(&ring, page, 1);
	page->req_prod += 32;
	for (unsigned int i = 0; i < 32; i++) {
		ck_assert_int_eq(blk_ring_take(&ring, &e), 1);
		blk_ring_respond(&ring, BLK_NOT_KEPT, i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
	}
	ck_assert_int_eq(blk_ring_take(&ring, &e), 0);
	ck_assert(blk_ring_idle(&ring));
	page->rsp_event = 0xfffffff1u;
	ck_assert(blk_ring_push(&ring));
	ck_assert_uint_eq(page->rsp_prod, 16);
	ck_assert(!blk_ring_push(&ring));
}
END_TEST

static int judge(uint8_t op, unsigned int nseg, uint64_t sector, uint8_t first, uint8_t last, uint64_t disk, bool ro)
{
	union blkif_sring_entry e;
	struct blk_request q;
	int rc;

	memset(&e, 0, sizeof(e));
	e.req.operation = op;
	e.req.nr_segments = (uint8_t)nseg;
	e.req.sector_number = sector;
	e.req.id = 77;
	for (unsigned int i = 0; i < nseg && i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)
		e.req.seg[i] = (struct blkif_request_segment){ .gref = 10 + i, .first_sect = first, .last_sect = last };
	rc = blk_request_parse(&e, &q);
	ck_assert_uint_eq(q.id, 77);
	return rc ? rc : blk_request_check(&q, disk, ro);
}

START_TEST(requests)
{
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, 92, 0, 7, 100, false), BLKIF_RSP_OKAY);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, 93, 0, 7, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 11, 12, 0, 7, 100, false), BLKIF_RSP_OKAY);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 11, 13, 0, 7, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, ~0ull, 0, 0, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, ~0ull - 3, 0, 7, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, 0, 0, 8, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, 0, 0, 255, 1000, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 1, 0, 5, 4, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 0, 0, 0, 0, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_READ, 12, 0, 0, 0, 100, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_WRITE, 255, 0, 0, 0, 1000, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_WRITE, 1, 0, 0, 0, 100, false), BLKIF_RSP_OKAY);
	ck_assert_int_eq(judge(BLKIF_OP_WRITE, 1, 0, 0, 0, 100, true), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_FLUSH_DISKCACHE, 0, ~0ull, 0, 0, 100, true), BLKIF_RSP_OKAY);
	ck_assert_int_eq(judge(BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0, 100, true), BLKIF_RSP_ERROR);
	ck_assert_int_eq(judge(BLKIF_OP_WRITE_BARRIER, 1, 0, 0, 0, 100, false), BLKIF_RSP_EOPNOTSUPP);
	ck_assert_int_eq(judge(200, 1, 0, 0, 0, 100, false), BLKIF_RSP_EOPNOTSUPP);
}
END_TEST

START_TEST(discards)
{
	union blkif_sring_entry e;
	struct blkif_request_discard *d = (void *)&e.req;
	struct blk_request q;

	memset(&e, 0, sizeof(e));
	d->operation = BLKIF_OP_DISCARD;
	d->sector_number = 90;
	d->nr_sectors = 10;
	ck_assert_int_eq(blk_request_parse(&e, &q), 0);
	ck_assert_int_eq(blk_request_check(&q, 100, false), 0);
	ck_assert_int_eq(blk_request_check(&q, 99, false), BLKIF_RSP_ERROR);
	ck_assert_int_eq(blk_request_check(&q, 100, true), BLKIF_RSP_ERROR);
	d->nr_sectors = ~0ull - 5;
	ck_assert_int_eq(blk_request_parse(&e, &q), 0);
	ck_assert_int_eq(blk_request_check(&q, 100, false), BLKIF_RSP_ERROR);
	d->nr_sectors = 1;
	d->flag = BLKIF_DISCARD_SECURE;
	ck_assert_int_eq(blk_request_parse(&e, &q), 0);
	/* Whether the disk can do it is not the ring's business. */
	ck_assert_int_eq(blk_request_check(&q, 100, false), 0);
	ck_assert_uint_eq(q.discard_flag & BLKIF_DISCARD_SECURE, BLKIF_DISCARD_SECURE);
}
END_TEST

START_TEST(sector_sizes)
{
	struct blk_request q = { .op = BLKIF_OP_READ, .sector = 16, .nr_sectors = 8 };

	ck_assert(blk_request_aligned(&q, 512));
	ck_assert(blk_request_aligned(&q, 4096));
	q.sector = 9;
	ck_assert(blk_request_aligned(&q, 512));
	ck_assert(!blk_request_aligned(&q, 4096));
	q = (struct blk_request){ .op = BLKIF_OP_DISCARD, .sector = 8, .nr_sectors = 9 };
	ck_assert(!blk_request_aligned(&q, 4096));
	q = (struct blk_request){ .op = BLKIF_OP_FLUSH_DISKCACHE, .sector = 3 };
	ck_assert(blk_request_aligned(&q, 4096));
}
END_TEST

START_TEST(indirect)
{
	struct blkif_request_segment seg[512];
	union blkif_sring_entry e;
	struct blkif_request_indirect *i = (void *)&e.req;
	struct blk_request q;

	memset(&e, 0, sizeof(e));
	i->operation = BLKIF_OP_INDIRECT;
	i->indirect_op = BLKIF_OP_READ;
	i->indirect_grefs[0] = 9;
	i->nr_segments = 257;
	ck_assert_int_eq(blk_request_parse(&e, &q), BLKIF_RSP_ERROR);
	i->nr_segments = 0;
	ck_assert_int_eq(blk_request_parse(&e, &q), BLKIF_RSP_ERROR);
	i->nr_segments = 65535;
	ck_assert_int_eq(blk_request_parse(&e, &q), BLKIF_RSP_ERROR);
	i->nr_segments = 256;
	ck_assert_int_eq(blk_request_parse(&e, &q), 0);
	ck_assert_uint_eq(q.nr_indirect, 1);
	ck_assert_uint_eq(q.indirect[0], 9);
	ck_assert_uint_eq(q.wire_op, BLKIF_OP_READ);
	for (unsigned int n = 0; n < 512; n++)
		seg[n] = (struct blkif_request_segment){ .gref = n, .first_sect = 0, .last_sect = 7 };
	blk_request_indirect(&q, 0, seg);
	ck_assert_int_eq(blk_request_check(&q, 2048, false), 0);
	ck_assert_int_eq(blk_request_check(&q, 2047, false), BLKIF_RSP_ERROR);
	seg[255].gref = 0;
	blk_request_indirect(&q, 0, seg);
	ck_assert_int_eq(blk_request_check(&q, 2048, false), BLKIF_RSP_ERROR);
	i->indirect_op = BLKIF_OP_INDIRECT;
	ck_assert_int_eq(blk_request_parse(&e, &q), BLKIF_RSP_EOPNOTSUPP);
	i->indirect_op = BLKIF_OP_FLUSH_DISKCACHE;
	ck_assert_int_eq(blk_request_parse(&e, &q), BLKIF_RSP_EOPNOTSUPP);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, sizes);
	tcase_add_test(c, impossible_indices);
	tcase_add_test(c, indices_wrap);
	tcase_add_test(c, requests);
	tcase_add_test(c, discards);
	tcase_add_test(c, sector_sizes);
	tcase_add_test(c, indirect);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
