/* SPDX-License-Identifier: MIT */
/*
 * A page that was executed is lent to the block backend, filled from the disk
 * with other code, and executed again. QEMU's TCG does not see stores that
 * another process makes, so that a backend that writes into the page itself has
 * the guest run the old code. Wants xvda, whose first MiB it overwrites.
 */
#include "blkfront.h"

const char test_name[] = "blk-trap1";

#define CODES 16u
#define ROUNDS 3000u

static uint8_t ring_pages[PAGE_SIZE << BLKFRONT_MAX_ORDER] page_aligned;
static uint8_t data[PAGE_SIZE] page_aligned, list[PAGE_SIZE] page_aligned;
static uint8_t code[2][PAGE_SIZE] page_aligned;
static struct blkfront disk;
static uint32_t data_ref, list_ref, code_ref[2];

/* mov $value, %eax; ret - at the start of each sector. */
static void make_code(uint8_t *page, uint32_t value)
{
	for (unsigned int i = 0; i < 8; i++) {
		uint8_t *p = page + i * 512;
		uint32_t v = value * 8 + i;

		memset(p, 0xcc, 512);
		p[0] = 0xb8;
		memcpy(p + 1, &v, 4);
		p[5] = 0xc3;
	}
}

static uint32_t run(unsigned int page, unsigned int sector)
{
	uint32_t (*volatile fn)(void) = (uint32_t (*)(void))(uintptr_t)(code[page] + sector * 512);

	return fn();
}

static int read_indirect(uint64_t sector)
{
	struct blkif_request_segment *s = (void *)list;
	struct blkif_request_indirect *q = (void *)blkfront_slot(&disk);

	s[0] = (struct blkif_request_segment){ .gref = code_ref[0], .last_sect = 7 };
	s[1] = (struct blkif_request_segment){ .gref = code_ref[1], .last_sect = 7 };
	q->operation = BLKIF_OP_INDIRECT;
	q->indirect_op = BLKIF_OP_READ;
	q->nr_segments = 2;
	q->sector_number = sector;
	q->indirect_grefs[0] = list_ref;
	blkfront_push(&disk);
	return blkfront_answer(&disk, NULL);
}

static unsigned int stale;

static void expect_code(unsigned int page, uint32_t value)
{
	for (unsigned int s = 0; s < 8; s++)
		stale += run(page, s) != value * 8 + s;
}

static void whole_pages(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int k = i * 7 % (CODES - 1), page = i & 1;

		if (i % 3) {
			EXPECT(blkfront_one(&disk, BLKIF_OP_READ, k * 8, code_ref[page], 0, 7), BLKIF_RSP_OKAY);
			expect_code(page, k);
		} else {
			EXPECT(read_indirect(k * 8), BLKIF_RSP_OKAY);
			expect_code(0, k);
			expect_code(1, k + 1);
		}
	}
	CHECK(!stale, "old code ran %u times", stale);
}

/* Only some sectors of a page change. */
static void sectors(void)
{
	stale = 0;
	EXPECT(blkfront_one(&disk, BLKIF_OP_READ, 0, code_ref[0], 0, 7), BLKIF_RSP_OKAY);
	expect_code(0, 0);
	for (unsigned int i = 1; i < ROUNDS / 4; i++) {
		unsigned int k = i % CODES, s = i % 8;

		EXPECT(blkfront_one(&disk, BLKIF_OP_READ, k * 8 + s, code_ref[0], s, s), BLKIF_RSP_OKAY);
		stale += run(0, s) != k * 8 + s;
		stale += run(0, (s + 1) % 8) % 8 != (s + 1) % 8;
	}
	CHECK(!stale, "old code ran %u times where single sectors changed", stale);
}

void test_main(void)
{
	xenbus_setup();
	blkfront_init(&disk, 51712, ring_pages);
	if (!blkfront_exists(&disk)) {
		test_skip("no disk: the block tests run it with one");
		return;
	}
	data_ref = grant_page(data, false);
	list_ref = grant_page(list, false);
	code_ref[0] = grant_page(code[0], false);
	code_ref[1] = grant_page(code[1], false);
	/* Without persistent grants: with them a frontend promises to copy out of the lent pages itself. */
	if (!blkfront_connect(&disk, 0, false)) {
		test_error("the disk cannot be connected");
		return;
	}
	for (unsigned int k = 0; k < CODES; k++) {
		make_code(data, k);
		EXPECT(blkfront_one(&disk, BLKIF_OP_WRITE, k * 8, data_ref, 0, 7), BLKIF_RSP_OKAY);
	}
	whole_pages();
	sectors();
	CHECK(blkfront_reset(&disk), "the backend does not let go");
	CHECK(grant_end(code_ref[0]) && grant_end(code_ref[1]), "the pages are still mapped");
}
