/* SPDX-License-Identifier: MIT */
/* The order in which everything comes to life. */
#include "boot/boot.h"
#include "boot/smp_boot.h"
#include "control/hypercall.h"
#include "domain/domain.h"
#include "drivers/acpi.h"
#include "drivers/uart.h"
#include "event/evtchn.h"
#include "host/host.h"
#include "hvm/hvm.h"
#include "lib/cmdline.h"
#include "mm/hv_pagetable.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "pv/emul.h"
#include "pv/mmu.h"
#include "sched/sched.h"
#include "vtime/vtime.h"
#include "x86/conring.h"
#include "x86/crash.h"
#include "x86/desc.h"
#include "x86/extable.h"
#include "x86/lapic.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smap.h"
#include "x86/smp.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"
#include "x86/traps.h"
#include "x86/tsc.h"

static void open_serial(void)
{
	if (uart_init())
		conring_serial = uart_write;
}

static void console_init(void)
{
	open_serial();
	crash_open_serial = open_serial;
	conring_always_serial = cmdline_flag("serial");
	printk("xen-like-hv %s\n", HV_VERSION);
}

static void boot_cpu_init(void)
{
	cpu_features_init();
	smap_init();
	cpu_init_control_regs();
	extable_init();
	boot_cpu_tables();
	gdt_load_early(0);
	traps_init_cpu(0);
}

static void local_apic_init(void)
{
	paddr_t regs = lapic_registers();
	void *mapped = regs ? hv_iomap(regs, PAGE_SIZE) : NULL;

	if (regs && !mapped)
		panic("cannot map the local APIC\n");
	lapic_init(mapped);
}

/* From here on it is an idle CPU like the others. */
static void become_idle(void)
{
	get_cpu_info()->cur = per_cpu(idle_vcpu, 0);
	pv_far_init();
	pv_init_idle_root(0);
	pv_mmu_switch_to(current);
	tlb_set_idle_root(read_cr3());
	gdt_load_final(0);
	hvm_init_cpu();
}

void hv_main(uint32_t start_info_paddr)
{
	start_info_read(start_info_paddr);
	console_init();
	hv_delay_init();
	boot_cpu_init();
	memmap_finish();
	acpi_init(boot_rsdp);
	hv_pagetable_init();
	page_alloc_init();
	printk("%lu MiB of RAM, %u CPUs\n", total_pages >> 8, nr_cpus_possible);
	local_apic_init();
	tsc_init((uint32_t)cmdline_u64("tsc_khz", 0), acpi_pm_timer_port);
	smp_init();
	lapic_timer_init();
	sched_init();
	event_boot();
	domain_create_host_and_idle();
	become_idle();
	wallclock_init(cmdline_u64("epoch_ns", 0));
	host_init(host_domain->shared_info);
	irq_enable();
	smp_boot_cpus();
	host_ready();
	idle_loop();
}
