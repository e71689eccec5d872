/* SPDX-License-Identifier: MIT */
/* Between the files of p2m/. */
#ifndef P2M_PRIVATE_H
#define P2M_PRIVATE_H
#include "p2m/p2m.h"
#include "pv/mmu.h"
#include "x86/page.h"

#define P2M_ENTRIES 512u
#define P2M_TYPE_SHIFT 9 /* in the three bits that the hardware leaves to us */
/*
 * In a leaf: its type allows writes, and there is a reference for that. PTE_W goes and comes while writes are logged, and is for
 * CPUs alone (p2m/log.c).
 */
#define P2M_WRITES (1ULL << P2M_TYPE_SHIFT)
/* Of the log: a number's entry, present or not, is another than when it was told last; a table is to be looked at. */
#define P2M_changed (1ULL << 52)
#define P2M_touched (1ULL << P2M_TYPE_SHIFT)

static inline enum p2m_type pte_p2m_type(pte_t e)
{
	return e & PTE_P ? (enum p2m_type)((e & PTE_AVAIL) >> P2M_TYPE_SHIFT) : P2M_hole;
}

/* The nested walk is one of user accesses; A and D are set from the start, so that the hardware has nothing to store. */
static inline pte_t p2m_entry(mfn_t m, enum p2m_type t)
{
	return m.m << PAGE_SHIFT | (pte_t)t << P2M_TYPE_SHIFT | PTE_P | PTE_U | PTE_A | PTE_D |
	       (p2m_writable(t) ? PTE_W : 0);
}

/* table.c; p2m->lock is held */
/* The entry of gfn with the frame that it names for gfn itself, whatever its size; 0: a hole. */
pte_t p2m_walk(const struct p2m *p2m, uint64_t gfn);
/* The same; *pages: how many gfns from this one on the entry is about, which of a hole may be many. */
pte_t p2m_walk_far(const struct p2m *p2m, uint64_t gfn, uint64_t *pages);
/* The 4 KiB entry of gfn; make: tables that lack are made, a large entry is split. NULL: none, or no memory (make). */
pte_t *p2m_slot(struct p2m *p2m, uint64_t gfn, bool make);
/* The entry of level 2 over gfn. */
pte_t *p2m_slot_large(struct p2m *p2m, uint64_t gfn, bool make);
/* The log is to look at the table of gfn's entry, which there is. */
void p2m_touch(struct p2m *p2m, uint64_t gfn);

/* change.c */
/* An entry's references: general, and as writable. get: false; put: what was there is no more to be reached. */
bool p2m_get_refs(struct page_info *pg, struct domain *owner, enum p2m_type t);
void p2m_put_refs(pte_t e);
/* All that d's CPUs know of entries that were changed before. Interrupts on, no lock. */
void p2m_flush(struct domain *d);
#endif
