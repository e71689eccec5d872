/* SPDX-License-Identifier: MIT */
/*
 * Machine frames, in buddy chunks of order 0..18.
 *
 * page_alloc gives frames that read as zero (never used, or scrubbed by the
 * hypervisor or the host), stale TLB entries already flushed. Domain pages go through
 * domain_page_* below, which keep the owner's accounts.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "mm/frametable.h"

#define MAX_ORDER 18
#define ALLOC_BELOW_4G 1u

struct page_info *page_alloc(unsigned int order, unsigned int flags); /* NULL: none left that nobody claims */
/* The same, off what d has claimed first. NULL d: page_alloc. The owner's accounts are not touched. */
struct page_info *page_alloc_for(struct domain *d, unsigned int order, unsigned int flags);
/* What guests could map, unscrubbed: the scrubbing comes before its next use. */
void page_free(struct page_info *pg);
/* The same for n frames, count_info 0; code: PGF_exec is set on some of them. */
void page_free_run(struct page_info *pg, uint64_t n, bool code);
void page_alloc_init(void);  /* boot: takes what memmap.h has left */
uint64_t free_pages_total(void);
uint64_t dirty_pages_total(void); /* of those: not scrubbed yet */
uint64_t claimed_pages_total(void);
/*
 * Sets aside pages for a domain yet to be built (XENMEM_claim_pages): what it
 * may still take, in place of what it had claimed before; 0 drops the claim.
 * 0 or -ENOMEM; making a claim smaller always works.
 */
int domain_claim_pages(struct domain *d, uint64_t pages);

/* One zeroed page for the hypervisor, by its direct-map address. */
void *alloc_hv_page(void);
void free_hv_page(void *va);

/*
 * 2^order pages for d, counted against d->max_pages, which nobody can refer to
 * yet: the caller sets what must be right before that, their M2P entries above
 * all, and publishes or abandons them. NULL with *err = -ENOMEM (none left),
 * -E2BIG (over max_pages) or -EINVAL (d dies).
 */
struct page_info *domain_page_prepare(struct domain *d, unsigned int order, unsigned int flags, int *err);
/* Now d's: PGC_allocated, one reference each, on d's page list. -EINVAL: d dies, they are abandoned. */
int domain_page_publish(struct domain *d, struct page_info *pg, unsigned int order);
void domain_page_abandon(struct domain *d, struct page_info *pg, unsigned int order);
/* Both steps, where the frames' M2P entries do not matter. */
struct page_info *domain_page_alloc(struct domain *d, unsigned int order, unsigned int flags, int *err);
/* Called by put_page when the last reference went: accounts, frees. */
void domain_page_release(struct page_info *pg);
/* Takes an owned page from d when only PGC_allocated's reference is left (exchange, transfer): 0 or -EBUSY. */
int domain_page_steal(struct domain *d, struct page_info *pg);
/* Without the flush of d's TLB entries of it, which the caller does before anybody else gets the page. */
int domain_page_steal_noflush(struct domain *d, struct page_info *pg);
/* A page stolen and not wanted any more; its M2P entry goes with it. */
void stolen_page_free(struct page_info *pg);
/*
 * Teardown: a batch of the pages on the list *from. Those that nothing but their
 * owner refers to are freed. Of the others, those that need no work before their
 * references can go (neither pinned nor partial) move to the list *to; the first
 * that does is returned, with a reference, still on its list. to NULL: all do.
 * NULL: the batch is over; *more: the list is not.
 */
struct page_info *domain_pages_drop(struct domain *d, uint32_t *from, uint32_t *to, bool *more);
/* From the list on which it is to another; the caller holds a reference. */
void domain_page_move(struct domain *d, struct page_info *pg, uint32_t *to);
/* Gives a stolen or new page to d: 0 or -E2BIG / -EINVAL (dying). */
int domain_page_assign(struct domain *d, struct page_info *pg);
/* A hypervisor page that d's guest may map writable or read-only (shared_info,
 * grant frames): PGC_hv|PGC_allocated, owner d, PGT_writable or PGT_none
 * with one type reference when read-only, so that it can never be a page table. */
void share_hv_page_with_guest(void *va, struct domain *d, bool readonly);
/* Ends the sharing and gives the page up: it is freed, at once or with the last mapping's put_page. */
void unshare_hv_page(void *va);
#endif
