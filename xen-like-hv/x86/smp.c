/* SPDX-License-Identifier: MIT */
#include "x86/smp.h"
#include "x86/irq.h"
#include "x86/lapic.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"
#include "x86/tsc.h"

unsigned int nr_cpus_possible = 1;
uint32_t cpu_apic_id[NR_CPUS];
uint64_t cpu_online_map;
int ipi_tlb_vector, ipi_event_vector, ipi_stop_vector;
static int ipi_rendezvous_vector;

/* One at a time; who waits, for the others or for the lock, has interrupts on. */
static spinlock_t rendezvous_lock = SPINLOCK_INIT;
static volatile cpumask_t rendezvous_pending;

static void ipi_event(void)
{
	/* What it is for is in softirq_pending and vcpu_info, seen on the way out. */
}

static void ipi_stop(void)
{
	__atomic_and_fetch(&cpu_online_map, ~(1ULL << smp_cpu()), __ATOMIC_SEQ_CST);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void ipi_rendezvous(void)
{
	__atomic_and_fetch(&rendezvous_pending, ~(1ULL << smp_cpu()), __ATOMIC_SEQ_CST);
}

void smp_rendezvous(cpumask_t mask)
{
	mask &= cpu_online_map & ~(1ULL << smp_cpu());
	if (!mask)
		return;
	ASSERT(read_rflags() & RFLAGS_IF);
	lockcheck_may_wait();
	spin_lock(&rendezvous_lock);
	__atomic_store_n(&rendezvous_pending, mask, __ATOMIC_SEQ_CST);
	smp_send_ipi_mask(mask, ipi_rendezvous_vector);
	while (__atomic_load_n(&rendezvous_pending, __ATOMIC_SEQ_CST))
		cpu_relax();
	spin_unlock(&rendezvous_lock);
}

static int need_vector(irq_handler fn)
{
	int v = irq_register(fn);

	if (v < 0)
		panic("no interrupt vector left\n");
	return v;
}

void smp_init(void)
{
	ipi_event_vector = need_vector(ipi_event);
	ipi_tlb_vector = need_vector(tlb_flush_ipi);
	ipi_stop_vector = need_vector(ipi_stop);
	ipi_rendezvous_vector = need_vector(ipi_rendezvous);
	cpu_online_map = 1;
}

void smp_send_ipi_mask(cpumask_t mask, int vector)
{
	for (mask &= cpu_online_map; mask; mask &= mask - 1)
		lapic_send_ipi(cpu_apic_id[__builtin_ctzll(mask)], LAPIC_ICR_FIXED | vector);
}

void smp_send_event_check(unsigned int cpu)
{
	smp_send_ipi_mask(1ULL << cpu, ipi_event_vector);
}

void smp_stop_others(void)
{
	cpumask_t others = cpu_online_map & ~(1ULL << smp_cpu());
	s_time_t end = NOW() + MILLISECS(20);

	if (!others)
		return;
	smp_send_ipi_mask(others, ipi_stop_vector);
	while ((cpu_online_map & others) && NOW() < end)
		cpu_relax();
}
