/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor knows of each machine frame. All-zero means free, never
 * used since boot and known to read as zero, so that RAM nobody used costs the
 * host nothing: not even its page_info is touched.
 *
 * count_info: PGC_ state and flags, and the general reference count. An
 * allocated page of a domain has PGC_allocated, which holds one reference. A
 * page of the hypervisor that no guest may map has PGC_hv and a count of 0, so
 * that a get_page() that was late for its last owner cannot add to it.
 * type_info: the type, its flags and the type count: how many uses need the
 * page to be of that type. The type can change only while the count is 0.
 * Both change by cmpxchg alone (domain/page_ref.c, pv/page_type.c).
 */
#ifndef MM_FRAMETABLE_H
#define MM_FRAMETABLE_H

#include "lib/types.h"
#include "x86/page.h"

struct page_info {
	uint64_t count_info;
	uint64_t type_info;
	uint32_t next, prev;   /* frame numbers: the owner's page list, or a free list; 0 ends it */
	uint16_t owner;        /* domid + 1; 0: none (free, or the hypervisor's) */
	uint8_t order;         /* of a free chunk, valid in its head */
	uint8_t flags;         /* PGF_* */
	uint32_t u;            /* tlb stamp: a use that a TLB may still know ended then */
};
_Static_assert(sizeof(struct page_info) == 32, "1/128 of all RAM is spent on these");

#define PGC_allocated   (1ULL << 63) /* owned, and the owner has not given it up */
#define PGC_hv          (1ULL << 62) /* the hypervisor's own (heap, tables, shared_info, grant frames) */
#define PGC_broken      (1ULL << 61)
#define PGC_count_mask  0xffffffffULL

#define PGT_none        (0ULL << 60)
#define PGT_l1          (1ULL << 60)
#define PGT_l2          (2ULL << 60)
#define PGT_l3          (3ULL << 60)
#define PGT_l4          (4ULL << 60)
#define PGT_seg_desc    (5ULL << 60)
#define PGT_writable    (7ULL << 60)
#define PGT_type_mask   (7ULL << 60)
#define PGT_validated   (1ULL << 59)
#define PGT_pinned      (1ULL << 58)
#define PGT_partial     (1ULL << 57) /* validation or teardown stopped half way, see pv/page_type.c */
#define PGT_locked      (1ULL << 56) /* an entry is being changed */
#define PGT_count_mask  0xffffffffULL
/* A table whose changes somebody follows: a validated one of a domain whose writes are logged (pv/shadow.h). */
#define PGT_watched     (1ULL << 43)
/* A table that is not validated: its entries below this index hold their references. */
#define PGT_done_shift  32
#define PGT_done_mask   (0x3ffULL << PGT_done_shift)
#define PGT_undo        (1ULL << 42) /* partial: validation failed, what it took is to be given back */

#define PGF_dirty       1u /* head of a free chunk that is not scrubbed */
#define PGF_head        2u /* head of a free chunk on a free list */
#define PGF_xenshare    4u /* hypervisor page that a guest may map (shared_info, grant frame, M2P) */
#define PGF_exec        8u /* was mapped executable since it was allocated; kept until it is zeroed */
#define PGF_out         16u /* head of a free chunk that the host is making zero */
#define PGF_written     32u /* since the tools asked last (domain/dirty_log.h) */

#define frame_table ((struct page_info *)FRAMETABLE_VIRT)
extern uint64_t max_page; /* frames are < max_page */
static inline struct page_info *mfn_to_page(mfn_t m) { return &frame_table[m.m]; }
static inline mfn_t page_to_mfn(const struct page_info *p) { return mfn((uint64_t)(p - frame_table)); }
static inline void *page_to_virt(const struct page_info *p) { return mfn_to_virt(page_to_mfn(p)); }
/* RAM that the frame table describes (not a hole, not a device). */
bool mfn_valid(mfn_t m);

/* Before an entry that allows execution is stored; the caller holds a reference. */
static inline void page_note_exec(struct page_info *pg)
{
	if (!(READ_ONCE(pg->flags) & PGF_exec))
		__atomic_fetch_or(&pg->flags, PGF_exec, __ATOMIC_RELAXED);
}
#endif
