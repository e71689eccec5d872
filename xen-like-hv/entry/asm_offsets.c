/* SPDX-License-Identifier: MIT */
/* Offsets of structure members for the assembly files; see mk/hv.mk. */
#include "domain/domain.h"
#include "x86/cpu_info.h"

#define DEFINE(sym, val) __asm__ volatile("\n#@define " #sym " %c0" :: "i"((long)(val)))
#define OFFSET(sym, type, member) DEFINE(sym, offsetof(type, member))

/* The CPU aligns rsp0 to 16 before it pushes a frame. */
_Static_assert((sizeof(struct cpu_info) - offsetof(struct cpu_user_regs, es)) % 16 == 0, "rsp0 aligned");
/* entry.S reads the pending byte and the mask byte as one word. */
_Static_assert(offsetof(struct vcpu_info, evtchn_upcall_pending) == 0 &&
	       offsetof(struct vcpu_info, evtchn_upcall_mask) == 1, "upcall bytes");

void asm_offsets(void);
void asm_offsets(void)
{
	OFFSET(REGS_r15, struct cpu_user_regs, r15);
	OFFSET(REGS_r14, struct cpu_user_regs, r14);
	OFFSET(REGS_r13, struct cpu_user_regs, r13);
	OFFSET(REGS_r12, struct cpu_user_regs, r12);
	OFFSET(REGS_rbp, struct cpu_user_regs, rbp);
	OFFSET(REGS_rbx, struct cpu_user_regs, rbx);
	OFFSET(REGS_r11, struct cpu_user_regs, r11);
	OFFSET(REGS_r10, struct cpu_user_regs, r10);
	OFFSET(REGS_r9, struct cpu_user_regs, r9);
	OFFSET(REGS_r8, struct cpu_user_regs, r8);
	OFFSET(REGS_rax, struct cpu_user_regs, rax);
	OFFSET(REGS_rcx, struct cpu_user_regs, rcx);
	OFFSET(REGS_rdx, struct cpu_user_regs, rdx);
	OFFSET(REGS_rsi, struct cpu_user_regs, rsi);
	OFFSET(REGS_rdi, struct cpu_user_regs, rdi);
	OFFSET(REGS_error_code, struct cpu_user_regs, error_code);
	OFFSET(REGS_entry_vector, struct cpu_user_regs, entry_vector);
	OFFSET(REGS_rip, struct cpu_user_regs, rip);
	OFFSET(REGS_cs, struct cpu_user_regs, cs);
	OFFSET(REGS_rflags, struct cpu_user_regs, rflags);
	OFFSET(REGS_rsp, struct cpu_user_regs, rsp);
	OFFSET(REGS_ss, struct cpu_user_regs, ss);
	OFFSET(REGS_es, struct cpu_user_regs, es);
	DEFINE(REGS_sizeof, sizeof(struct cpu_user_regs));
	OFFSET(CPUINFO_current, struct cpu_info, cur);
	OFFSET(CPUINFO_cpu, struct cpu_info, cpu);
	OFFSET(CPUINFO_scratch, struct cpu_info, scratch);
	DEFINE(CPUINFO_sizeof, sizeof(struct cpu_info));
	/* Not kernel_sp: a guest may have put any address there. */
	OFFSET(VCPU_fast_sp, struct vcpu, pv.fast_sp);
	OFFSET(VCPU_syscall_cb, struct vcpu, pv.syscall_cb);
	OFFSET(VCPU_kernel_mode, struct vcpu, pv.kernel_mode);
	OFFSET(VCPU_nmi_pending, struct vcpu, pv.nmi_pending);
	OFFSET(VCPU_fast_root, struct vcpu, pv.fast_root);
	OFFSET(VCPU_fast_iret, struct vcpu, pv.fast_iret);
	OFFSET(VCPU_cr3_kernel, struct vcpu, pv.cr3_kernel);
	OFFSET(VCPU_cr3_user, struct vcpu, pv.cr3_user);
	OFFSET(VCPU_root_user, struct vcpu, pv.root_user);
	OFFSET(VCPU_root_opened, struct vcpu, pv.root_opened);
	OFFSET(VCPU_fast_nr, struct vcpu, pv.fast_nr);
	OFFSET(VCPU_fast_slot, struct vcpu, pv.fast_slot);
	OFFSET(VCPU_fast_kernel, struct vcpu, pv.fast_kernel);
	OFFSET(VCPU_fast_user, struct vcpu, pv.fast_user);
	OFFSET(VCPU_vcpu_info, struct vcpu, vcpu_info);
	OFFSET(VCPUINFO_pending, struct vcpu_info, evtchn_upcall_pending);
	OFFSET(VCPUINFO_mask, struct vcpu_info, evtchn_upcall_mask);
	OFFSET(IRET_rax, struct iret_context, rax);
	OFFSET(IRET_r11, struct iret_context, r11);
	OFFSET(IRET_rcx, struct iret_context, rcx);
	OFFSET(IRET_flags, struct iret_context, flags);
	OFFSET(IRET_rip, struct iret_context, rip);
	OFFSET(IRET_cs, struct iret_context, cs);
	OFFSET(IRET_rflags, struct iret_context, rflags);
	OFFSET(IRET_rsp, struct iret_context, rsp);
	OFFSET(IRET_ss, struct iret_context, ss);
}
