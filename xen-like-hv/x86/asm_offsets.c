/* SPDX-License-Identifier: MIT */
/* Offsets of structure members for the assembly files; see mk/hv.mk. */
#include "domain/domain.h"
#include "x86/cpu_info.h"

#define DEFINE(sym, val) __asm__ volatile("\n#@define " #sym " %c0" :: "i"((long)(val)))
#define OFFSET(sym, type, member) DEFINE(sym, offsetof(type, member))

void asm_offsets(void);
void asm_offsets(void)
{
	OFFSET(REGS_r15, struct cpu_user_regs, r15);
	OFFSET(REGS_rax, struct cpu_user_regs, rax);
	OFFSET(REGS_rcx, struct cpu_user_regs, rcx);
	OFFSET(REGS_r11, struct cpu_user_regs, r11);
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
	OFFSET(VCPU_kernel_sp, struct vcpu, pv.kernel_sp);
	OFFSET(VCPU_kernel_ss, struct vcpu, pv.kernel_ss);
	OFFSET(VCPU_syscall_cb, struct vcpu, pv.syscall_cb);
	OFFSET(VCPU_kernel_mode, struct vcpu, pv.kernel_mode);
	OFFSET(VCPU_syscall_mask_events, struct vcpu, pv.syscall_mask_events);
	OFFSET(VCPU_cr3_kernel, struct vcpu, pv.cr3_kernel);
	OFFSET(VCPU_cr3_user, struct vcpu, pv.cr3_user);
	OFFSET(VCPU_vcpu_info, struct vcpu, vcpu_info);
	OFFSET(VCPU_domain, struct vcpu, domain);
}
