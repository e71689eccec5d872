/* SPDX-License-Identifier: MIT */
/*
 * Reads its disk without end, for measurements of many at once: 4 KiB at a time, anywhere; with "stream" on its command line
 * 44 KiB behind each other, eight requests under way. The host counts. Wants xvda, of a MiB or more.
 */
#include "blkfront.h"

const char test_name[] = "blk-reader";

#define DEPTH 8u
#define SEGMENTS BLKIF_MAX_SEGMENTS_PER_REQUEST
#define SECTORS (SEGMENTS * 8u)
#define DISK_SECTORS 2048u

static uint8_t ring_pages[PAGE_SIZE << BLKFRONT_MAX_ORDER] page_aligned;
static uint8_t data[DEPTH * SEGMENTS][PAGE_SIZE] page_aligned;
static uint32_t ref[DEPTH * SEGMENTS];
static struct blkfront disk;
static uint64_t place;

static void stream_one(unsigned int slot)
{
	struct blkif_request *q = &blkfront_slot(&disk)->req;

	q->operation = BLKIF_OP_READ;
	q->nr_segments = SEGMENTS;
	q->id = slot;
	q->sector_number = place;
	for (unsigned int i = 0; i < SEGMENTS; i++)
		q->seg[i] = (struct blkif_request_segment){ .gref = ref[slot * SEGMENTS + i], .last_sect = 7 };
	place = (place + SECTORS) % (DISK_SECTORS - SECTORS);
}

static void stream(void)
{
	uint64_t slot;

	for (unsigned int i = 0; i < DEPTH; i++)
		stream_one(i);
	blkfront_push(&disk);
	for (;;) {
		EXPECT(blkfront_answer(&disk, &slot), BLKIF_RSP_OKAY);
		stream_one((unsigned int)slot % DEPTH);
		blkfront_push(&disk);
	}
}

static void read_anywhere(void)
{
	for (;;) {
		place = place * 6364136223846793005ull + 1442695040888963407ull;
		EXPECT(blkfront_one(&disk, BLKIF_OP_READ, (place >> 33) % (DISK_SECTORS / 8) * 8, ref[0], 0, 7), BLKIF_RSP_OKAY);
	}
}

void test_main(void)
{
	xenbus_setup();
	blkfront_init(&disk, 51712, ring_pages);
	if (!blkfront_exists(&disk)) {
		test_skip("no disk: it is for make bench");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(ref); i++)
		ref[i] = grant_page(data[i], false);
	if (!blkfront_connect(&disk, 0, true)) {
		test_error("the disk cannot be connected");
		return;
	}
	printk("READS\n");
	if (strncmp((const char *)start_info->cmd_line, "stream", 6))
		read_anywhere();
	stream();
}
