/* SPDX-License-Identifier: MIT */
/* The pages of domains: references, owners, accounts. */
#ifndef DOMAIN_PAGES_H
#define DOMAIN_PAGES_H
#include "mm/page_alloc.h"

struct domain;

/* page_ref.c: references. get_page fails unless d owns the page now. */
bool __must_check get_page(struct page_info *pg, struct domain *d);
void put_page(struct page_info *pg);
/* A further reference to a page on which the caller holds one: false only on overflow. */
bool __must_check get_page_known(struct page_info *pg);
/* The same, and never refused: for a user that has at most one of each page, which the limit leaves room for. */
void get_page_once(struct page_info *pg);
struct domain *page_owner(const struct page_info *pg); /* NULL: none; no reference taken */
/* domain_pages.c tells page_ref.c who is behind pg->owner: a domain from its first page to its last. */
int page_owner_enter(struct domain *d);
void page_owner_leave(struct domain *d);

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
