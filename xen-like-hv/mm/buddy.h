/* SPDX-License-Identifier: MIT */
/* The allocator's free lists: chunks of 2^order frames, in two zones, in three kinds. */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H
#include "mm/frametable.h"
#include "mm/page_alloc.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"

#define NR_ZONES 2
#define ZONE_LOW 0
#define ZONE_HIGH 1
#define FRAME_4G (1UL << (32 - PAGE_SHIFT))

/* Only buddies of one kind merge. The order is that in which they are taken. */
enum chunk_kind {
	CHUNK_clean,  /* reads as zero */
	CHUNK_dirty,  /* what its last owner left is still there */
	CHUNK_code,   /* the same, and it may have been executed: see mm/page_dirty.c */
	NR_CHUNK_KINDS
};

/* Protects the lists, the allocator's counts and the page_info of free chunks' heads. */
extern spinlock_t heap_lock;
extern uint64_t buddy_pages[NR_CHUNK_KINDS]; /* on the lists */

static inline unsigned int zone_of(uint64_t m) { return m < FRAME_4G ? ZONE_LOW : ZONE_HIGH; }
static inline struct page_info *page_at(uint64_t m) { return mfn_to_page(mfn(m)); }

/* The lock is held for these. stamp: when a TLB may last have learnt of one of the frames; 0: none can. */
void buddy_insert(uint64_t m, unsigned int order, enum chunk_kind kind, uint32_t stamp);
/* 0: the lists have none. Larger chunks are split. */
uint64_t buddy_take(unsigned int zone, enum chunk_kind kind, unsigned int order, uint32_t *stamp);
/* The largest of a kind in either zone, cut to *order when it is larger; *order: what it is. 0: none. */
uint64_t buddy_take_largest(enum chunk_kind kind, unsigned int *order, uint32_t *stamp);

/* No lock is held: waits until no TLB knows frames that were given up at that time. */
void flush_stale(uint32_t stamp);
#endif
