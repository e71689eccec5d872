/* SPDX-License-Identifier: MIT */
/*
 * Tables for the hardware while a domain's writes are logged.
 *
 * A guest with direct paging reads its own tables. An entry in which the
 * hypervisor had cleared W in place would mislead it: fork() would find nothing
 * to take away, and what the hypervisor gives back on the next write would be
 * shared by two processes. So while writes are logged, CPUs walk copies: of a
 * table T the shadow S(T), of which the guest knows nothing. S(T) of an L1 has
 * its entries without W until the page is written; S(T) of an L2 or L3 has
 * shadows in place of tables. Roots are copies anyway; theirs name S(L3).
 *
 * A shadow entry allows at most what the guest's allows, and names no frame
 * that the guest's entry does not. That holds because
 *
 *   - all entries of shadows change under shadow_lock;
 *   - who changes T's entry (PGT_locked held) stores it, then S(T)'s from what
 *     T has then, then drops what the old entry referred to;
 *   - S(T) is made while T is locked, and PGT_watched is set by then: who locks T
 *     later knows that there may be one;
 *   - S(T) goes before T's entries give back their references (put_page_type).
 *
 * So under shadow_lock: an S(T) that is found belongs to a validated T; what
 * T's entry names is referenced, as the one who takes it out cannot drop it
 * before he had the lock; the same goes for the next table below.
 *
 * Interleavings of a change (CPU A: T's entry from a to b) with a fault that
 * fills in S(T)'s (CPU B, under shadow_lock):
 *
 *   B reads a, A stores b            A's update of S(T) waits for B and puts b there; only
 *                                    then a's references are dropped
 *   A stores b, B reads b            b's references were taken before; A stores it once more
 *   A has T locked, without S(T)     S(T) is made under T's lock: after A, of b
 *   A unlinks the table below T      S(T)'s entry is zero before A drops the count that keeps
 *                                    the lower table and its shadow
 *   A lets T go                      T's shadow is taken off under shadow_lock before T's
 *                                    entries drop anything; no table named T then, so no
 *                                    shadow names S(T). CPUs may have it cached: its frame
 *                                    is used again after a flush, see shadow_take()
 *
 * With a round of the log (shadow_round.c; the reader clears flags first, all
 * of them, then closes what is open, then flushes):
 *
 *   B marks the page, then opens the entry, both under the lock: if the mark came before the
 *   reader cleared it, the page is told in this round, and the entry was open before the
 *   closing, which takes the lock for each table, looks at it: it is closed. If after: the mark
 *   stays for the next round, whether the closing found the entry or not.
 *   A write between mark, closing and flush: the page is told, and copied after the flush.
 *   D and A in the guest's entry are set when the shadow's becomes writable or present, as the
 *   hardware would, and T counts as written: it is told with what it names.
 *
 * Without memory for a shadow the guest's own table is linked in its place, and
 * from then on (shadow.failed) every page counts as written.
 */
#ifndef PV_SHADOW_H
#define PV_SHADOW_H
#include "domain/dirty_log.h"
#include "mm/frametable.h"

/* What a root has for the L4 entry e of l4. Caller: l4 is locked, or nothing of d runs. */
uint64_t shadow_root_entry(struct domain *d, const struct page_info *l4, uint64_t e);
void shadow_root_group(struct domain *d, const struct page_info *l4, uint64_t *dst, const uint64_t *src); /* eight */
/* T, locked, has a new entry; before what the old one referred to is dropped. */
void shadow_l1_changed(struct domain *d, struct page_info *table, unsigned int slot);
void shadow_upper_changed(struct domain *d, struct page_info *table, unsigned int slot);
/* A watched table is claimed, to be taken down. */
void shadow_table_gone(struct page_info *table);

/*
 * An access that the guest's tables under l4 allow and the hardware's did not.
 * true: it may go through now. false: the shadows had it. v is current, interrupts on.
 */
bool shadow_fault(struct vcpu *v, struct page_info *l4, uint64_t addr, bool write);

/* watch marks all tables, or takes all marks off; arm(off) also forgets all shadows; release: their frames. */
extern const struct log_machine shadow_log;
#endif
