/* SPDX-License-Identifier: MIT */
/*
 * Machine frames, in buddy chunks of order 0..18.
 *
 * page_alloc gives frames that read as zero (never used, or scrubbed by the
 * hypervisor or the host), stale TLB entries already flushed. Domain pages go through
 * domain/pages.h, which keeps the owner's accounts.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/frametable.h"

#define MAX_ORDER 18
#define ALLOC_BELOW_4G 1u
#define ALLOC_NO_GATHER 2u /* the caller does page_gather where it can be preempted, and comes again */

/* What a domain may still take of pages set aside for it. Under the heap's lock. */
struct page_claim {
	uint64_t outstanding;
};

struct page_info *page_alloc(unsigned int order, unsigned int flags); /* NULL: none left that nobody claims */
/* The same, off what was claimed first. NULL: page_alloc. The owner's accounts are not touched. */
struct page_info *page_alloc_for(struct page_claim *claim, unsigned int order, unsigned int flags);
/* What guests could map, unscrubbed: the scrubbing comes before its next use. */
void page_free(struct page_info *pg);
/* The same for n frames, count_info 0; code: PGF_exec is set on some of them. */
void page_free_run(struct page_info *pg, uint64_t n, bool code);
/*
 * mm/page_dirty.c: zeroes some of the free frames that are dirty and in chunks of less than that order, so that they
 * merge. Takes no longer than a millisecond; false: there was nothing to gain.
 */
bool page_gather(unsigned int order);
/*
 * m, or where it lies in RAM that nobody has had since boot, the end of that. Without a lock: what is handed out
 * for the first time meanwhile may be left out.
 */
uint64_t page_skip_virgin(uint64_t m);
void page_alloc_init(void);  /* boot: takes what memmap.h has left */
uint64_t free_pages_total(void);
uint64_t dirty_pages_total(void); /* of those: not scrubbed yet */
uint64_t claimed_pages_total(void);
/*
 * Sets aside pages for a domain yet to be built (XENMEM_claim_pages): what it
 * may still take, in place of what it had claimed before; 0 drops the claim.
 * 0 or -ENOMEM; making a claim smaller always works.
 */
int claim_pages(struct page_claim *claim, uint64_t pages);

/* One zeroed page for the hypervisor, by its direct-map address. */
void *alloc_hv_page(void);
void free_hv_page(void *va);
#endif
