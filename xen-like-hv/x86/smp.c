/* SPDX-License-Identifier: MIT */
#include "x86/smp.h"
#include "domain/domain.h"
#include "drivers/lapic.h"
#include "lib/errno.h"
#include "lib/printk.h"
#include "mm/hv_pagetable.h"
#include "pv/mmu.h"
#include "sched/sched.h"
#include "time/timer.h"
#include "x86/desc.h"
#include "x86/irq.h"
#include "x86/page.h"
#include "x86/processor.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"
#include "x86/traps.h"

unsigned int nr_cpus_possible = 1;
uint32_t cpu_apic_id[NR_CPUS];
uint64_t cpu_online_map;
int ipi_tlb_vector, ipi_event_vector, ipi_stop_vector;
static int ipi_rendezvous_vector;

/* One at a time; who waits, for the others or for the lock, has interrupts on. */
static spinlock_t rendezvous_lock = SPINLOCK_INIT;
static volatile cpumask_t rendezvous_pending;

/* boot/trampoline.S, copied to this page below 1 MiB. */
#define TRAMPOLINE_PADDR 0x8000u
extern const char trampoline_start[], trampoline_end[];
/* boot/head.S: what the trampoline's 64-bit end loads. */
extern uint64_t ap_boot_cr3, ap_boot_rsp;

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

static void wait_ns(s_time_t ns)
{
	s_time_t end = NOW() + ns;

	while (NOW() < end)
		cpu_relax();
}

void cpu_start_secondary(void)
{
	unsigned int cpu = smp_cpu();

	cpu_init_control_regs();
	gdt_load_early(cpu);
	traps_init_cpu(cpu);
	pv_init_idle_root(cpu);
	pv_mmu_switch_to(per_cpu(idle_vcpu, cpu));
	tlb_set_idle_root(read_cr3());
	gdt_load_final(cpu);
	lapic_init_cpu();
	__atomic_or_fetch(&cpu_online_map, 1ULL << cpu, __ATOMIC_SEQ_CST);
	irq_enable();
	idle_loop();
}

/* Started, and seen online within a second: TCG on a loaded machine takes tens of milliseconds. */
static bool boot_cpu(unsigned int cpu)
{
	uint32_t apic = cpu_apic_id[cpu];
	s_time_t end, retry;

	if (gdt_alloc_cpu(cpu) != 0)
		return false;
	cpu_info_of(cpu)->cur = per_cpu(idle_vcpu, cpu);
	ap_boot_cr3 = sym_to_paddr(hv_l4_template);
	ap_boot_rsp = ((uint64_t)cpu_info_of(cpu)) & ~15UL;
	lapic_send_ipi(apic, LAPIC_ICR_INIT);
	/* A real CPU wants 10 ms here; a virtual one is ready at once. */
	wait_ns(cpu_features.hypervisor ? MICROSECS(20) : MILLISECS(10));
	lapic_send_ipi(apic, LAPIC_ICR_STARTUP | TRAMPOLINE_PADDR >> PAGE_SHIFT);
	end = NOW() + MILLISECS(3000);
	retry = NOW() + MILLISECS(200);
	while (!cpu_is_online(cpu) && NOW() < end) {
		cpu_relax();
		if (NOW() >= retry) {
			lapic_send_ipi(apic, LAPIC_ICR_STARTUP | TRAMPOLINE_PADDR >> PAGE_SHIFT);
			retry = end;
		}
	}
	return cpu_is_online(cpu);
}

void smp_boot_cpus(void)
{
	if (nr_cpus_possible < 2)
		return;
	memcpy(paddr_to_virt(TRAMPOLINE_PADDR), trampoline_start, (size_t)(trampoline_end - trampoline_start));
	for (unsigned int cpu = 1; cpu < nr_cpus_possible; cpu++) {
		if (!boot_cpu(cpu)) {
			/* It may still come up late, on the variables of the next: stop here. */
			printk("cpu%u did not start\n", cpu);
			return;
		}
	}
}
