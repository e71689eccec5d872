/* SPDX-License-Identifier: MIT */
#include "boot/smp_boot.h"
#include "domain/domain.h"
#include "hvm/hvm.h"
#include "mm/hv_pagetable.h"
#include "mm/page_alloc.h"
#include "pv/mmu.h"
#include "sched/sched.h"
#include "x86/desc.h"
#include "x86/lapic.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smp.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"
#include "x86/traps.h"
#include "x86/tsc.h"

/* boot/trampoline.S, copied to this page below 1 MiB. */
#define TRAMPOLINE_PADDR 0x8000u
extern const char trampoline_start[], trampoline_end[];
/* boot/head.S: what the trampoline's 64-bit end loads. */
extern uint64_t ap_boot_cr3, ap_boot_rsp;

/* The boot CPU's, before there is an allocator. head.S starts on boot_stack. */
extern char boot_stack[STACK_SIZE];
static char boot_ist[NR_IST][STACK_SIZE] __aligned(STACK_SIZE) __section(".bss.lazy");
static char boot_gdt_page[PAGE_SIZE] __aligned(4096);

_Static_assert(NR_IST == 1 << 2, "allocated as one chunk");

void boot_cpu_tables(void)
{
	gdt_init_cpu(0, paddr_to_virt(sym_to_paddr(boot_gdt_page)), boot_stack, boot_ist[0]);
}

/* At boot: a CPU that gets less than all stays out, and what it got is lost. */
static bool alloc_tables(unsigned int cpu)
{
	void *gdt_page = alloc_hv_page();
	struct page_info *stack = page_alloc(STACK_ORDER, 0), *ists = page_alloc(STACK_ORDER + 2, 0);

	if (!gdt_page || !stack || !ists)
		return false;
	gdt_init_cpu(cpu, gdt_page, page_to_virt(stack), page_to_virt(ists));
	return true;
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
	hvm_init_cpu();
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

	if (!alloc_tables(cpu))
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
