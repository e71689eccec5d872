/* SPDX-License-Identifier: MIT */
/* The iret hypercall; bounce.S does the plain cases by itself. */
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"

/* Replaces all that a hypercall's result could go to. The exit path then delivers what became unmasked. */
long do_iret(void)
{
	struct cpu_user_regs *regs = guest_regs();
	struct vcpu *v = current;
	struct iret_context f;

	if (is_host_domain(v->domain))
		return -EPERM;
	if (copy_from_guest_raw(&f, regs->rsp, sizeof(f)) != 0) {
		pv_crash_current("iret frame not readable");
		return 0;
	}
	/* RPL 3 means user. */
	if ((f.cs & 3) == 3) {
		if (!v->pv.user_base) {
			pv_crash_current("iret to user mode without user page tables");
			return 0;
		}
		pv_toggle_mode(v);
	}
	if (pv_architectural_iopl(v))
		v->pv.iopl = f.rflags >> 12 & 3;
	regs->rax = f.rax;
	regs->rip = f.rip;
	regs->rflags = (f.rflags & FLAGS_GUEST) | FLAGS_IF | 2;
	regs->rsp = f.rsp;
	if (f.flags & VGCF_in_syscall) {
		regs->cs = FLAT_RING3_CS64;
		regs->ss = FLAT_RING3_SS64;
		regs->entry_vector = ENTRY_SYSRET_OK;
	} else {
		regs->cs = f.cs | 3;
		regs->ss = f.ss | 3;
		regs->rcx = f.rcx;
		regs->r11 = f.r11;
		regs->entry_vector = 0;
	}
	WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, !(f.rflags & FLAGS_IF));
	v->pv.in_nmi = 0;
	pv_update_fast_paths();
	return 0;
}
