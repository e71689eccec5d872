/* SPDX-License-Identifier: MIT */
/*
 * A block ring (xen/io/blkif.h, the 64-bit layout) as its backend sees it: pure
 * code over shared memory. Whatever lies there may change at any time, so that
 * indices and requests are read once, into memory of our own, and checked there.
 */
#ifndef BLOCK_RING_H
#define BLOCK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/blkif.h>

#define BLK_SECTOR 512u
#define BLK_PAGE_SECTORS 8u
#define BLK_MAX_SEGMENTS 256u /* told to the frontend */
#define BLK_PAGE_SEGMENTS (4096u / sizeof(struct blkif_request_segment))
#define BLK_MAX_ORDER 4u
#define BLK_MAX_PAGES (1u << BLK_MAX_ORDER)

struct blk_ring {
	blkif_sring_t *shared;
	uint32_t size;      /* entries, a power of two */
	uint32_t req_cons, rsp_prod;
};

struct blk_segment {
	uint32_t ref;
	uint8_t first, last; /* sectors of the page */
};

struct blk_request {
	uint64_t id;
	uint64_t sector, nr_sectors;
	uint8_t wire_op;     /* for the response */
	uint8_t op;          /* what is to be done; never BLKIF_OP_INDIRECT */
	uint8_t discard_flag;
	uint16_t nr_segments;
	uint16_t nr_indirect; /* pages that hold the segments; 0: they are here */
	uint32_t indirect[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	struct blk_segment segment[BLK_MAX_SEGMENTS];
};

/* Entries of a ring of that many pages. */
uint32_t blk_ring_entries(unsigned int pages);
void blk_ring_init(struct blk_ring *r, void *shared, unsigned int pages);
/* 1: a copy of the next request; 0: there is none; -EPROTO: the producer index is impossible. */
int blk_ring_take(struct blk_ring *r, union blkif_sring_entry *ret);
/* Nothing is left; the frontend is to ring for the next one. False: there is something after all. */
bool blk_ring_idle(struct blk_ring *r);
void blk_ring_respond(struct blk_ring *r, uint64_t id, uint8_t op, int16_t status);
/* Shows the responses. True: the frontend wants to be told. */
bool blk_ring_push(struct blk_ring *r);

/* A copied entry into a request. BLKIF_RSP_OKAY, or the status to refuse it with (id and wire_op are filled then, too). */
int blk_request_parse(const union blkif_sring_entry *e, struct blk_request *ret);
/* A copy of its n-th page of segments. */
void blk_request_indirect(struct blk_request *q, unsigned int n, const void *page);
/* With all segments there: BLKIF_RSP_OKAY, or the status to refuse it with. */
int blk_request_check(struct blk_request *q, uint64_t disk_sectors, bool readonly);
/* A checked one, as a whole: its segments may be cut anywhere. */
bool blk_request_aligned(const struct blk_request *q, uint32_t sector_size);

#endif
