/* SPDX-License-Identifier: MIT */
/* Requests as no honest frontend makes them. */
#include "abuse.h"

#define OK BLKIF_RSP_OKAY
#define ERR BLKIF_RSP_ERROR
#define NOTSUPP BLKIF_RSP_EOPNOTSUPP

static uint64_t sectors(const struct blkfront *f)
{
	char path[200], back[160];

	snprintf(path, sizeof(path), "%s/backend", f->dev);
	if (xs_read(path, back, sizeof(back)))
		return 0;
	snprintf(path, sizeof(path), "%s/sectors", back);
	return xs_read_number(path);
}

static int segments(struct blkfront *f, uint8_t op, uint8_t nr, uint32_t ref0, uint32_t ref1, uint8_t last0, uint8_t first1)
{
	struct blkif_request *q = &blkfront_slot(f)->req;

	q->operation = op;
	q->nr_segments = nr;
	q->seg[0] = (struct blkif_request_segment){ .gref = ref0, .first_sect = 0, .last_sect = last0 };
	q->seg[1] = (struct blkif_request_segment){ .gref = ref1, .first_sect = first1, .last_sect = 7 };
	blkfront_push(f);
	return blkfront_answer(f, NULL);
}

static void places(struct blkfront *f)
{
	uint64_t end = sectors(f), bad[] = { end, end - 7, end + 1, ~0ul, ~0ul - 6, 1ul << 55, (1ul << 55) - 1, 1ul << 63 };

	CHECK(end >= 2048, "a disk of %lu sectors", end);
	EXPECT(blkfront_one(f, BLKIF_OP_READ, end - 8, abuse_ref[0], 0, 7), OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT(blkfront_one(f, BLKIF_OP_READ, bad[i], abuse_ref[0], 0, 7), ERR);
		EXPECT(blkfront_one(f, BLKIF_OP_WRITE, bad[i], abuse_ref[0], 0, 7), ERR);
		EXPECT(blkfront_one(f, BLKIF_OP_FLUSH_DISKCACHE, bad[i], abuse_ref[0], 0, 7), ERR);
	}
}

static void shapes(struct blkfront *f)
{
	static const uint8_t bad[][2] = { { 7, 0 }, { 0, 8 }, { 8, 8 }, { 0, 255 }, { 255, 0 }, { 255, 255 }, { 1, 0 } };
	static const uint8_t counts[] = { 0, 12, 13, 128, 255 };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, abuse_ref[0], bad[i][0], bad[i][1]), ERR);
		EXPECT(blkfront_one(f, BLKIF_OP_WRITE, 0, abuse_ref[0], bad[i][0], bad[i][1]), ERR);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT(segments(f, BLKIF_OP_READ, counts[i], abuse_ref[0], abuse_ref[1], 7, 0), ERR);
		EXPECT(segments(f, BLKIF_OP_WRITE, counts[i], abuse_ref[0], abuse_ref[1], 7, 0), ERR);
	}
	EXPECT(segments(f, BLKIF_OP_FLUSH_DISKCACHE, 255, abuse_ref[0], abuse_ref[1], 7, 0), ERR);
	/* The same sectors of a page twice: no place for two contents; the same content twice is one. */
	EXPECT(segments(f, BLKIF_OP_READ, 2, abuse_ref[0], abuse_ref[0], 7, 0), ERR);
	EXPECT(segments(f, BLKIF_OP_READ, 2, abuse_ref[0], abuse_ref[0], 4, 4), ERR);
	EXPECT(segments(f, BLKIF_OP_READ, 2, abuse_ref[0], abuse_ref[0], 3, 4), OK);
	EXPECT(segments(f, BLKIF_OP_WRITE, 2, abuse_ref[0], abuse_ref[0], 7, 0), OK);
	/* No operation. Barriers were not offered. */
	for (unsigned int op = 7; op < 256; op += 31)
		EXPECT(blkfront_one(f, (uint8_t)op, 0, abuse_ref[0], 0, 7), NOTSUPP);
	EXPECT(blkfront_one(f, BLKIF_OP_WRITE_BARRIER, 0, abuse_ref[0], 0, 7), NOTSUPP);
	EXPECT(blkfront_one(f, BLKIF_OP_RESERVED_1, 0, abuse_ref[0], 0, 7), NOTSUPP);
	EXPECT(segments(f, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0, 0), OK);
	EXPECT(blkfront_one(f, BLKIF_OP_FLUSH_DISKCACHE, 8, abuse_ref[0], 0, 7), OK);
}

static void refs(struct blkfront *f)
{
	static const uint32_t bad[] = { 2047, 2048, 0x7fffffff, 0x80000000, 0xffffffff };
	uint32_t other = grant_page(abuse_data[1], false);

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(blkfront_one(f, BLKIF_OP_WRITE, 0, bad[i], 0, 7) == ERR, "grant %#x is good", bad[i]);
		CHECK(segments(f, BLKIF_OP_READ, 2, abuse_ref[0], bad[i], 7, 0) == ERR, "grant %#x is good for a read", bad[i]);
	}
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, abuse_ro_ref, 0, 7), ERR);
	grant_entry(other)->domid = 5; /* somebody else's */
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, other, 0, 7), ERR);
	grant_entry(other)->domid = 0;
	grant_entry(other)->frame = 0xffffffff; /* no frame of ours */
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, other, 0, 7), ERR);
	grant_entry(other)->frame = 0; /* the hypervisor's */
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, other, 0, 7), ERR);
	grant_entry(other)->frame = (uint32_t)l4_mfn(); /* a page table */
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, other, 0, 7), ERR);
	CHECK(grant_end(other), "a refused grant is still mapped");
}

void abuse_requests(struct blkfront *f, bool persistent)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		abuse_data[2][i] = (uint8_t)(i * 7 + persistent);
	EXPECT(blkfront_one(f, BLKIF_OP_WRITE, 16, abuse_ref[2], 0, 7), OK);
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 16, abuse_ref[3], 0, 7), OK);
	CHECK(!memcmp(abuse_data[2], abuse_data[3], PAGE_SIZE), "what is read is not what was written");
	places(f);
	shapes(f);
	refs(f);
	abuse_alive(f);
}

static int indirect(struct blkfront *f, uint8_t op, uint16_t nr, uint64_t sector, uint32_t page)
{
	struct blkif_request_indirect *q = (void *)blkfront_slot(f);

	q->operation = BLKIF_OP_INDIRECT;
	q->indirect_op = op;
	q->nr_segments = nr;
	q->sector_number = sector;
	for (unsigned int i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
		q->indirect_grefs[i] = page;
	blkfront_push(f);
	return blkfront_answer(f, NULL);
}

void abuse_indirect(struct blkfront *f)
{
	static const uint16_t counts[] = { 0, 257, 512, 513, 4096, 4097, 65535 };
	static const uint8_t ops[] = { BLKIF_OP_INDIRECT, BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE, BLKIF_OP_WRITE_BARRIER, 255 };
	struct blkif_request_segment *s = (void *)abuse_data[15];

	memset(s, 0, PAGE_SIZE);
	for (unsigned int i = 0; i < 512; i++)
		s[i] = (struct blkif_request_segment){ .gref = abuse_ref[i % 14], .first_sect = 0, .last_sect = 7 };
	EXPECT(indirect(f, BLKIF_OP_READ, 14, 0, abuse_ref[15]), OK);
	EXPECT(indirect(f, BLKIF_OP_READ, 15, 0, abuse_ref[15]), ERR); /* the first page again */
	EXPECT(indirect(f, BLKIF_OP_WRITE, 256, 0, abuse_ref[15]), OK);
	EXPECT(indirect(f, BLKIF_OP_WRITE, 256, 2048 - 256 * 8 + ~0ul - 4096, abuse_ref[15]), ERR);
	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++)
		EXPECT(indirect(f, BLKIF_OP_WRITE, counts[i], 0, abuse_ref[15]), ERR);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		EXPECT(indirect(f, ops[i], 4, 0, abuse_ref[15]) < 0, 1);
	EXPECT(indirect(f, BLKIF_OP_READ, 4, 0, 0xffffffff), ERR);
	EXPECT(indirect(f, BLKIF_OP_READ, 4, 0, 2047), ERR);
	s[3].gref = 0xffffffff;
	EXPECT(indirect(f, BLKIF_OP_READ, 4, 0, abuse_ref[15]), ERR);
	s[3].gref = abuse_ref[3];
	s[3].last_sect = 8;
	EXPECT(indirect(f, BLKIF_OP_READ, 4, 0, abuse_ref[15]), ERR);
	s[3].last_sect = 7;
	/* The page of segments is filled by its own request. */
	s[2].gref = abuse_ref[15];
	EXPECT(indirect(f, BLKIF_OP_READ, 4, 0, abuse_ref[15]), OK);
	memset(s, 0xff, PAGE_SIZE);
	EXPECT(indirect(f, BLKIF_OP_WRITE, 256, 0, abuse_ref[15]), ERR);
	abuse_alive(f);
}

static int discard(struct blkfront *f, uint64_t sector, uint64_t nr, uint8_t flag)
{
	struct blkif_request_discard *q = (void *)blkfront_slot(f);

	q->operation = BLKIF_OP_DISCARD;
	q->flag = flag;
	q->sector_number = sector;
	q->nr_sectors = nr;
	blkfront_push(f);
	return blkfront_answer(f, NULL);
}

void abuse_discard(struct blkfront *f)
{
	uint64_t end = sectors(f);
	const uint64_t bad[][2] = {
		{ 0, 0 }, { 0, ~0ul }, { ~0ul, 1 }, { ~0ul, ~0ul }, { 1, ~0ul }, { end, 1 }, { end - 1, 2 }, { 0, end + 1 },
		{ 1ul << 55, 1 }, { 0, 1ul << 55 }, { 1ul << 63, 1ul << 63 }, { 8, ~0ul - 7 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(discard(f, bad[i][0], bad[i][1], 0) == ERR, "discard of %#lx sectors at %#lx", bad[i][1], bad[i][0]);
	/* Secure discard is a promise: without support it is refused, not done by half. */
	EXPECT(discard(f, 0, 8, BLKIF_DISCARD_SECURE) < 0, 1);
	EXPECT(discard(f, 16, 8, 0), OK);
	memset(abuse_data[3], 0xee, PAGE_SIZE);
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 16, abuse_ref[3], 0, 7), OK);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		if (abuse_data[3][i]) {
			test_failed("what was discarded is there");
			break;
		}
	EXPECT(discard(f, 0, end, 0), OK);
	abuse_alive(f);
}

void abuse_readonly(struct blkfront *f)
{
	struct blkif_request *q;

	abuse_alive(f);
	EXPECT(blkfront_one(f, BLKIF_OP_WRITE, 0, abuse_ref[0], 0, 7), ERR);
	EXPECT(blkfront_one(f, BLKIF_OP_FLUSH_DISKCACHE, 0, abuse_ref[0], 0, 7), ERR);
	EXPECT(discard(f, 0, 8, 0) < 0, 1);
	q = &blkfront_slot(f)->req;
	q->operation = BLKIF_OP_FLUSH_DISKCACHE;
	blkfront_push(f);
	EXPECT(blkfront_answer(f, NULL), OK);
	abuse_alive(f);
}
