/* SPDX-License-Identifier: MIT */
/*
 * TLB flushing. A clock counts flushes: a page remembers the clock when its
 * last mapping of a kind went away, a CPU when it last flushed all, so that a
 * page can be reused without a flush where every CPU has flushed since.
 * All of these wait for the other CPUs: call them with interrupts on and no
 * irqsave lock held.
 */
#ifndef X86_TLB_H
#define X86_TLB_H
#include "x86/cpu_info.h"
struct page_info;
/*
 * A stamp, never 0. It is good for uses that had ended, for all CPUs to see, before
 * it is taken: a locked operation stands between the store that ended the use and
 * this. And for no use that can begin after it: claim first, then take it.
 */
uint32_t tlb_clock_now(void);
/* The later of two stamps, 0: none. By their distance from now: right for any age that fits. */
static inline uint32_t tlb_later(uint32_t a, uint32_t b)
{
	uint32_t now = tlb_clock_now(); /* after both were taken, or the later might look ancient */

	if (!a || !b)
		return a | b;
	return now - a <= now - b ? a : b;
}
/* CPUs of mask that may still hold entries made before stamp. */
cpumask_t tlb_flush_filter(cpumask_t mask, uint32_t stamp);
void flush_tlb_mask(cpumask_t mask);                   /* everything */
void flush_tlb_va_mask(cpumask_t mask, uint64_t va);   /* one page */
void flush_tlb_local(void);                            /* reload CR3 */
void flush_tlb_va_local(uint64_t va);
/* Also notes the flush. Not from interrupt handlers. */
void write_cr3(uint64_t cr3);
/* This CPU's idle root, which maps nothing of a guest: loads it. On it a CPU is left out of flushes. */
void tlb_set_idle_root(uint64_t cr3);
/* A guest with nested tables is about to run while the idle root is loaded: flushes must ask this CPU, until the next write_cr3. */
void tlb_guest_on_idle_root(void);
#endif
