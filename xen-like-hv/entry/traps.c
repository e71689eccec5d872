/* SPDX-License-Identifier: MIT */
/*
 * Exceptions. A guest's go to its own kernel unless the MMU or the emulator
 * can make the instruction work; the hypervisor's are expected (exception
 * table, LDT pages mapped on demand), or bugs.
 */
#include "pv/bounce.h"
#include "pv/emul.h"
#include "pv/mmu.h"
#include "x86/cpu_info.h"
#include "x86/extable.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/smap.h"
#include "x86/smp.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"
#include "x86/traps.h"

#define GP_IDT 2u /* bit of the error code: an IDT entry's number */

extern const char iret_failed[], iret_again[];

static bool in_ldt_window(uint64_t addr)
{
	return addr >= LDT_VIRT && addr < LDT_VIRT + LDT_MAX_PAGES * PAGE_SIZE;
}

/* Ring 0 took it: interrupts are as off as they were, for most fixups care. */
static void hypervisor_fault(struct cpu_user_regs *regs, uint64_t cr2)
{
	uint64_t fixup = extable_search(regs->rip);
	bool done;

	/* A selector in the guest's LDT, loaded by an iret or a segment move of ours. */
	if (regs->entry_vector == TRAP_page_fault && in_ldt_window(cr2)) {
		irq_enable();
		done = pv_ldt_fault(current, cr2);
		hv_delay_point("an interrupt may leave work here");
		irq_disable();
		if (done) {
			/* Straight back, the exit would not see what an interrupt left to do. */
			if (fixup == (uint64_t)iret_failed)
				regs->rip = (uint64_t)iret_again;
			return;
		}
	}
	if (fixup && regs->entry_vector == TRAP_page_fault && unlikely(current->domain->pv.shadow)) {
		irq_enable();
		done = pv_fault_in(cr2, regs->error_code);
		irq_disable();
		/* Where interrupts are off, as in bounce.S, nobody looks for what one of ours left: let another come. */
		if (!(regs->rflags & FLAGS_IF) && softirqs_pending())
			smp_send_event_check(smp_cpu());
		if (done)
			return;
	}
	if (fixup) {
		if (regs->entry_vector != TRAP_page_fault || !pv_retry_guest_access())
			regs->rip = fixup;
		return;
	}
	printk("fault in the hypervisor, address %016lx\n", cr2);
	dump_regs(printk, regs);
	BUG();
}

static void guest_page_fault(struct cpu_user_regs *regs, uint64_t addr)
{
	if (regs->error_code & PFEC_reserved) {
		pv_crash_current("reserved bit in a page table");
		return;
	}
	if (pv_far_fault(regs, regs->error_code))
		return;
	if (!pv_mmu_fault(regs, addr, regs->error_code))
		pv_inject_page_fault(addr, regs->error_code);
}

/*
 * `int n` faults on its gate's DPL. The instruction itself is asked, not the
 * error code, which QEMU 7.2 gets wrong in long mode.
 */
static void guest_gp_fault(struct cpu_user_regs *regs)
{
	uint8_t vector;

	if ((regs->error_code & GP_IDT) && pv_insn_is_int(regs, &vector)) {
		pv_software_interrupt(regs, vector, 2);
		return;
	}
	if (regs->error_code == 0 && pv_emulate_privileged_op(regs))
		return;
	pv_inject_trap(TRAP_gp_fault, regs->error_code, true);
}

/* As the ABI has it, TS is cleared before the guest's handler runs. */
static void guest_no_device(void)
{
	struct vcpu *v = current;

	if (v->pv.cr0_guest & CR0_TS)
		fpu_set_ts(v, false);
	pv_inject_trap(TRAP_no_device, 0, false);
}

static void guest_debug(uint64_t dr6)
{
	struct vcpu *v = current;

	v->pv.dr6 |= dr6 & 0xe00f;
	pv_inject_trap(TRAP_debug, 0, false);
}

static void guest_breakpoint(const struct cpu_user_regs *regs)
{
	pv_breakpoint(regs->rip - 1);
	pv_inject_trap(TRAP_int3, 0, false);
}

static uint64_t take_dr6(void)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%dr6" :: "r"(DR6_INIT));
	return dr6;
}

static bool has_error_code(unsigned int vector)
{
	return vector == TRAP_alignment || (vector >= TRAP_invalid_tss && vector <= TRAP_page_fault);
}

void do_exception(struct cpu_user_regs *regs)
{
	unsigned int vector = regs->entry_vector;
	uint64_t extra = 0;
	unsigned int before;

	longest_irqs_off();
	smap_check_closed();
	/* Before anything can take another exception. */
	if (likely(vector == TRAP_page_fault))
		extra = read_cr2();
	else if (vector == TRAP_debug)
		extra = take_dr6();
	if (unlikely(!guest_mode(regs))) {
		hypervisor_fault(regs, extra);
		return;
	}
	irq_enable();
	before = longest_begin(LONGEST_EXCEPTION);
	if (vector >= TRAP_invalid_tss && vector <= TRAP_gp_fault)
		regs->error_code = pv_far_error_code(regs);
	if (vector == TRAP_page_fault)
		guest_page_fault(regs, extra);
	else if (vector == TRAP_gp_fault)
		guest_gp_fault(regs);
	else if (vector == TRAP_no_device)
		guest_no_device();
	else if (vector == TRAP_debug)
		guest_debug(extra);
	else if (vector == TRAP_int3)
		guest_breakpoint(regs);
	else if (vector != TRAP_invalid_op || !pv_emulate_forced_cpuid(regs))
		pv_inject_trap(vector, regs->error_code, has_error_code(vector));
	longest_end(before);
}

void do_guest_int80(struct cpu_user_regs *regs)
{
	regs->rip -= 2;
	pv_software_interrupt(regs, 0x80, 2);
}

/*
 * In ring 0: a guest's watchpoint on memory that the hypervisor touched for it,
 * or one that waited for the instruction after `mov ss`; or TF, which sysenter
 * leaves set. Nobody waits for any of them.
 */
void do_ist_debug(struct cpu_user_regs *regs)
{
	take_dr6();
	regs->rflags &= ~FLAGS_TF;
}

/* Nothing sends any. Firmware or a management controller may. */
void do_nmi(struct cpu_user_regs *regs)
{
	static unsigned long count;

	__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
}

void do_fatal(struct cpu_user_regs *regs)
{
	printk("%s\n", regs->entry_vector == TRAP_double_fault ? "double fault" : "machine check");
	/* On a stack of its own, where there is no current. */
	dump_regs(printk, regs);
	BUG();
}
