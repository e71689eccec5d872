/* SPDX-License-Identifier: MIT */
/* Frames on the guest kernel's stack: exceptions, callbacks, slow system calls. */
#include "pv/bounce.h"
#include "domain/uaccess.h"
#include "pv/mmu.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"

void pv_toggle_mode(struct vcpu *v)
{
	unsigned long flags = irq_save();

	toggle_guest_mode(v);
	irq_restore(flags);
}

void pv_crash_current(const char *why)
{
	struct vcpu *v = current;

	if (!v->domain->is_shutting_down)
		dump_regs(gprintk, guest_regs());
	domain_crash(v->domain, "vcpu %u: %s", v->vcpu_id, why);
	/* It must not run on, whatever domain_crash found to do. */
	softirq_raise(SCHEDULE_SOFTIRQ);
}

static unsigned int frame_words(struct vcpu *v, const struct cpu_user_regs *regs, uint64_t *w,
				unsigned int flags, uint32_t error_code, const uint16_t sel[4])
{
	bool masked = READ_ONCE(v->vcpu_info->evtchn_upcall_mask) != 0;
	unsigned int n = 0;

	w[n++] = regs->rcx;
	w[n++] = regs->r11;
	if (flags & BOUNCE_FAILSAFE)
		for (unsigned int i = 0; i < 4; i++)
			w[n++] = sel[i];
	if (flags & BOUNCE_ERROR_CODE)
		w[n++] = error_code;
	w[n++] = regs->rip;
	/* RPL says which mode it was; the saved upcall mask lies in the same word. */
	w[n++] = (v->pv.kernel_mode ? regs->cs & ~3UL : regs->cs) | (uint64_t)masked << 32;
	w[n++] = (regs->rflags & ~(FLAGS_IF | FLAGS_IOPL)) | (masked ? 0 : FLAGS_IF) |
		 (pv_architectural_iopl(v) ? (uint64_t)v->pv.iopl << 12 : 0);
	w[n++] = regs->rsp;
	w[n++] = regs->ss;
	return n;
}

void pv_bounce(uint64_t handler, unsigned int flags, uint32_t error_code, const uint16_t sel[4])
{
	struct cpu_user_regs *regs = guest_regs();
	struct vcpu *v = current;
	uint64_t w[12], sp;
	unsigned int n = frame_words(v, regs, w, flags, error_code, sel);

	sp = ((v->pv.kernel_mode ? regs->rsp : v->pv.kernel_sp) & ~15UL) - n * 8;
	if (!v->pv.kernel_mode)
		pv_toggle_mode(v);
	if (copy_to_guest_raw(sp, w, n * 8) != 0) {
		pv_crash_current("kernel stack not writable");
		return;
	}
	if (flags & BOUNCE_MASK_EVENTS)
		WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 1);
	regs->rip = handler;
	regs->cs = FLAT_KERNEL_CS;
	regs->ss = FLAT_KERNEL_SS;
	regs->rsp = sp;
	regs->rflags = (regs->rflags & FLAGS_GUEST & ~(FLAGS_TF | FLAGS_NT | FLAGS_RF | FLAGS_AC)) | FLAGS_IF | 2;
	regs->entry_vector = ENTRY_SYSRET_OK;
}

static void inject(unsigned int vector, uint32_t error_code, bool has_error_code)
{
	const struct trap_info *ti = &current->pv.traps[vector];
	unsigned int flags = 0;

	if (ti->address == 0) {
		gprintk("no handler for exception %u, error code 0x%x\n", vector, error_code);
		pv_crash_current("exception without a handler");
		return;
	}
	if (TI_GET_IF(ti))
		flags |= BOUNCE_MASK_EVENTS;
	if (has_error_code)
		flags |= BOUNCE_ERROR_CODE;
	pv_bounce(ti->address, flags, error_code, NULL);
}

void pv_inject_trap(uint32_t vector, uint32_t error_code, bool has_error_code)
{
	ASSERT(vector < 256);
	inject(vector, error_code, has_error_code);
}

void pv_inject_page_fault(uint64_t addr, uint32_t error_code)
{
	struct vcpu *v = current;

	WRITE_ONCE(v->vcpu_info->arch.cr2, addr);
	/* Both of its modes run in ring 3: say which it was. */
	error_code &= ~PFEC_user;
	if (!v->pv.kernel_mode)
		error_code |= PFEC_user;
	inject(TRAP_page_fault, error_code, true);
}

void pv_software_interrupt(struct cpu_user_regs *regs, uint8_t vector, unsigned int length)
{
	struct vcpu *v = current;
	const struct trap_info *ti = &v->pv.traps[vector];
	unsigned int cpl = v->pv.kernel_mode ? 1 : 3;

	if (ti->address == 0 || TI_GET_DPL(ti) < cpl) {
		inject(TRAP_gp_fault, (uint32_t)vector << 3 | 2, true);
		return;
	}
	regs->rip += length;
	pv_bounce(ti->address, TI_GET_IF(ti) ? BOUNCE_MASK_EVENTS : 0, 0, NULL);
}

/* --- from entry.S --- */

/* As a CPU with EFER.SCE clear has it. */
static void undefined_instruction(struct cpu_user_regs *regs, unsigned int length)
{
	regs->rip -= length;
	regs->entry_vector = 0;
	inject(TRAP_invalid_op, 0, false);
}

/* A user's system call that needed a closer look. */
void pv_syscall64(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (v->pv.syscall_cb == 0) {
		undefined_instruction(regs, 2);
		return;
	}
	pv_bounce(v->pv.syscall_cb, v->pv.syscall_mask_events ? BOUNCE_MASK_EVENTS : 0, 0, NULL);
	pv_update_fast_paths();
}

void pv_syscall32(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	if (v->pv.syscall32_cb == 0) {
		undefined_instruction(regs, 2);
		return;
	}
	pv_bounce(v->pv.syscall32_cb, v->pv.syscall32_mask_events ? BOUNCE_MASK_EVENTS : 0, 0, NULL);
}

/* It left no rip and no rsp: the frame has 0 for both. */
void pv_sysenter(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;

	regs->rflags = (regs->rflags & FLAGS_GUEST & ~FLAGS_TF) | FLAGS_IF | 2;
	if (v->pv.sysenter_cb == 0) {
		inject(TRAP_gp_fault, 0, true);
		return;
	}
	pv_bounce(v->pv.sysenter_cb, v->pv.sysenter_mask_events ? BOUNCE_MASK_EVENTS : 0, 0, NULL);
}

void pv_bounce_failed(struct cpu_user_regs *regs)
{
	pv_crash_current("kernel stack not writable on a system call");
}
