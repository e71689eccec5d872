/* SPDX-License-Identifier: MIT */
/*
 * The clock advances with each flush of everything. Inside it has 64 bits; a
 * page keeps the lower 32, which are read as the latest time that fits: never
 * earlier than the truth, so a wrap costs a flush too many, not one too few.
 */
#include "x86/tlb.h"
#include "lib/errno.h"
#include "x86/hooks.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smp.h"
#include "x86/spinlock.h"

static uint64_t tlb_clock = 1;
static struct { uint64_t flushed, idle_root; } __aligned(64) tlb_cpu[NR_CPUS];

/*
 * CPUs on their idle root: no guest mapping there, none left in the TLB, and
 * the next guest's root comes with a CR3 write. Nobody needs to wake them.
 */
static volatile cpumask_t on_idle_root;

/* One flush request at a time; the requester spins with interrupts on. */
static spinlock_t flush_lock = SPINLOCK_INIT;
static uint64_t flush_va;
static volatile cpumask_t flush_pending;
#define FLUSH_ALL 1UL /* in flush_va: no page address */

uint32_t tlb_clock_now(void)
{
	uint32_t now = (uint32_t)__atomic_load_n(&tlb_clock, __ATOMIC_SEQ_CST);

	/* 0 says "no use" where it is kept. */
	while (unlikely(!now))
		now = (uint32_t)__atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
	return now;
}

cpumask_t tlb_flush_filter(cpumask_t mask, uint32_t stamp)
{
	uint64_t now = __atomic_load_n(&tlb_clock, __ATOMIC_SEQ_CST), then;
	cpumask_t left;

	/* The caller's locked operation on the page stands between the end of its uses and these looks. */
	mask &= ~on_idle_root;
	left = mask;
	then = (now & ~0xffffffffULL) | stamp;
	if (then > now)
		then -= min(then, 1ULL << 32);
	for (cpumask_t m = mask; m; m &= m - 1) {
		unsigned int cpu = __builtin_ctzll(m);

		if (READ_ONCE(tlb_cpu[cpu].flushed) > then)
			left &= ~(1ULL << cpu);
	}
	return left;
}

void tlb_set_idle_root(uint64_t cr3)
{
	tlb_cpu[smp_cpu()].idle_root = cr3;
	write_cr3(cr3);
}

void tlb_guest_on_idle_root(void)
{
	/* Ordered before the first look at the nested tables, and before that at their generation. */
	__atomic_and_fetch(&on_idle_root, ~(1ULL << smp_cpu()), __ATOMIC_SEQ_CST);
}

void write_cr3(uint64_t cr3)
{
	unsigned int cpu = smp_cpu();
	cpumask_t me = 1ULL << cpu;
	bool idle = cr3 == tlb_cpu[cpu].idle_root;
	uint64_t t;

	/* Before the first entry of the new root can be cached; the CR3 write orders the two. */
	if (!idle && (on_idle_root & me))
		__atomic_and_fetch(&on_idle_root, ~me, __ATOMIC_SEQ_CST);
	/* The time is taken before the flush: what goes stale in between is not covered by it. */
	t = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
	hv_delay_point("flush: the time is taken");
	__asm__ volatile("mov %0, %%cr3" :: "r"(cr3) : "memory");
	hv_delay_point("flush: done, not told");
	WRITE_ONCE(tlb_cpu[cpu].flushed, t);
	if (idle && !(on_idle_root & me))
		__atomic_or_fetch(&on_idle_root, me, __ATOMIC_SEQ_CST);
}

/* Also from the IPI, in the middle of a write_cr3: leaves on_idle_root alone. */
void flush_tlb_local(void)
{
	unsigned long flags;
	uint64_t t;

	if (unlikely(pv_root_catch_up()))
		return;
	flags = irq_save();
	t = __atomic_add_fetch(&tlb_clock, 1, __ATOMIC_SEQ_CST);
	__asm__ volatile("mov %0, %%cr3" :: "r"(read_cr3()) : "memory");
	WRITE_ONCE(tlb_cpu[smp_cpu()].flushed, t);
	irq_restore(flags);
}

void flush_tlb_va_local(uint64_t va)
{
	if (unlikely(pv_root_catch_up()))
		return;
	__asm__ volatile("invlpg (%0)" :: "r"(va) : "memory");
}

static void flush_here(uint64_t va)
{
	if (va == FLUSH_ALL)
		flush_tlb_local();
	else
		flush_tlb_va_local(va);
}

void tlb_flush_ipi(void)
{
	cpumask_t me = 1ULL << smp_cpu();

	if (!(__atomic_load_n(&flush_pending, __ATOMIC_ACQUIRE) & me))
		return;
	if (!sched_drop_lazy())
		flush_here(flush_va);
	__atomic_and_fetch(&flush_pending, ~me, __ATOMIC_RELEASE);
}

static void flush_mask(cpumask_t mask, uint64_t va)
{
	cpumask_t me = 1ULL << smp_cpu();

	mask &= cpu_online_map;
	if (mask & me)
		flush_here(va);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	mask &= ~me & ~on_idle_root;
	if (!mask)
		return;
	ASSERT(read_rflags() & RFLAGS_IF);
	lockcheck_may_wait();
	spin_lock(&flush_lock);
	flush_va = va;
	__atomic_store_n(&flush_pending, mask, __ATOMIC_RELEASE);
	smp_send_ipi_mask(mask, ipi_tlb_vector);
	while (__atomic_load_n(&flush_pending, __ATOMIC_ACQUIRE))
		cpu_relax();
	spin_unlock(&flush_lock);
}

void flush_tlb_mask(cpumask_t mask)
{
	flush_mask(mask, FLUSH_ALL);
}

void flush_tlb_va_mask(cpumask_t mask, uint64_t va)
{
	flush_mask(mask, va & PAGE_MASK);
}
