/* SPDX-License-Identifier: MIT */
/* A small machine for the direct-paging code: frames, a domain or two, guest "memory" that is ours. */
#ifndef TESTS_HV_HARNESS_H
#define TESTS_HV_HARNESS_H
#include "pv/mmu_private.h"

extern unsigned int continuations;       /* of the calls below */
extern unsigned int gathers;             /* so often page_gather finds something to do */
extern unsigned int preempt_one_in;      /* 0: never; n: each check with a chance of 1/n */
extern void (*shim_hook)(const char *what);     /* at each hv_delay_point, see shim/lib/delay.h */
extern void (*shim_flushed)(unsigned int cpu);  /* that CPU's TLB is empty at this moment */
extern void (*shim_freed)(uint64_t m, uint64_t n); /* these frames go to the next owner */
void clock_set(uint64_t now);            /* of the TLB stamps */
bool somebody_waits(void);               /* in smp_rendezvous, for a CPU with interrupts off or on */
extern unsigned int flushes;             /* flush_tlb_mask and flush_tlb_va_mask calls so far */

extern struct domain *known_domain;      /* for whoever looks for one by its number */
void harness_init(void);
extern unsigned int code_freed;          /* frames freed that were mapped executable */
struct domain *new_domain(domid_t id, unsigned int vcpus);
void run_as(struct vcpu *v, unsigned int cpu); /* the calling thread becomes a CPU that runs v */
struct page_info *new_page(struct domain *d);
uint64_t *page_words(struct page_info *pg);
uint64_t pte_for(const struct page_info *pg, uint64_t flags);
uint64_t free_frames(void);

/* Hypercalls as a guest makes them, continuations followed to the end. */
long call_mmu_update(uint64_t ptr, uint64_t val);
long call_memory_op(unsigned int op, void *arg);
long call_mmuext(unsigned int cmd, uint64_t arg1);
long call_update_va(uint64_t va, uint64_t val, uint64_t flags);
long set_entry(struct page_info *table, unsigned int slot, uint64_t val);
long pin(struct page_info *pg, int level);
long unpin(struct page_info *pg);

/*
 * Counts all references anew from what tables, pins, bases and descriptor windows
 * of d hold, and compares with the frame table. Aborts with a message on a difference.
 */
void audit(struct domain *d);
/* Dying, torn down with preemption, everything given back. foreign: pages others still hold. */
void destroy_domain(struct domain *d, uint64_t foreign);
uint32_t rnd(void);
#endif
