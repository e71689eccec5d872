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

/*
 * What a daemon that comes after this one has to know, in memory that outlives us. A response takes the place of some
 * request in the ring, so that those under way are here, too. One word of each says what it is; what else there is, is
 * written before that word, and a daemon may die between any two of these stores.
 */
#define BLK_KEPT_MAX 288u /* more than are under way, with those that wait for room */
enum blk_kept_state { BLK_KEPT_FREE, BLK_KEPT_TAKEN /* | its index << 8 */, BLK_KEPT_ANSWERED /* | the response's index << 8 */ };
struct blk_kept {
	uint32_t req_cons, rsp_prod;
	uint32_t unsynced;
	uint32_t spare[13];
	struct blk_kept_request {
		uint64_t word;
		uint64_t spare;
		union blkif_sring_entry e;
	} request[BLK_KEPT_MAX];
};
#define BLK_NOT_KEPT UINT16_MAX

struct blk_ring {
	blkif_sring_t *shared;
	uint32_t size;      /* entries, a power of two */
	uint32_t req_cons, rsp_prod;
	struct blk_kept *kept; /* NULL: not */
	uint16_t taken;     /* where the one is that was taken last */
	uint16_t nr_free, nr_redo;
	uint16_t free[BLK_KEPT_MAX];
	uint16_t redo[BLK_KEPT_MAX]; /* what another daemon left, the oldest last */
};

struct blk_segment {
	uint32_t ref;
	uint8_t first, last; /* sectors of the page */
};

struct blk_request {
	uint64_t id;
	uint16_t kept;       /* where in the ring's memory; not set by the parser */
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
/* Of a new ring, or (resume) one that another daemon had: what it had begun is what is taken first. */
void blk_ring_keep(struct blk_ring *r, struct blk_kept *kept, bool resume);
/*
 * 1: a copy of the next request, and r->taken; 0: there is none; -EPROTO: the producer index is impossible.
 * -EAGAIN: too many are under way.
 */
int blk_ring_take(struct blk_ring *r, union blkif_sring_entry *ret);
/* The one that was taken last goes back. */
void blk_ring_untake(struct blk_ring *r, uint16_t kept);
/* A look from outside: it would not be empty. */
bool blk_ring_waits(const struct blk_ring *r);
/* Nothing is left; the frontend is to ring for the next one. False: there is something after all. */
bool blk_ring_idle(struct blk_ring *r);
/* kept: the request's r->taken, or BLK_NOT_KEPT. */
void blk_ring_respond(struct blk_ring *r, uint16_t kept, uint64_t id, uint8_t op, int16_t status);
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
