/* SPDX-License-Identifier: MIT */
/* The hypercall table, and the way to it. */
#include "control/hypercall.h"
#include "control/small.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "host/host.h"
#include "hvm/hvm.h"
#include "lib/errno.h"
#include "pv/mmu.h"
#include "pv/trap.h"
#include "vtime/vtime.h"

/* All arguments go in registers: a handler that takes fewer ignores the rest. */
#define HANDLER(fn) ((hypercall_fn)(void (*)(void))(fn))

const hypercall_fn hypercall_table[NR_HYPERCALLS] = {
	[__HYPERVISOR_set_trap_table] = HANDLER(do_set_trap_table),
	[__HYPERVISOR_mmu_update] = HANDLER(do_mmu_update),
	[__HYPERVISOR_set_gdt] = HANDLER(do_set_gdt),
	[__HYPERVISOR_stack_switch] = HANDLER(do_stack_switch),
	[__HYPERVISOR_set_callbacks] = HANDLER(do_set_callbacks),
	[__HYPERVISOR_fpu_taskswitch] = HANDLER(do_fpu_taskswitch),
	[__HYPERVISOR_sched_op_compat] = HANDLER(do_sched_op_compat),
	[__HYPERVISOR_platform_op] = HANDLER(do_platform_op),
	[__HYPERVISOR_set_debugreg] = HANDLER(do_set_debugreg),
	[__HYPERVISOR_get_debugreg] = HANDLER(do_get_debugreg),
	[__HYPERVISOR_update_descriptor] = HANDLER(do_update_descriptor),
	[__HYPERVISOR_memory_op] = HANDLER(do_memory_op),
	[__HYPERVISOR_multicall] = HANDLER(do_multicall),
	[__HYPERVISOR_update_va_mapping] = HANDLER(do_update_va_mapping),
	[__HYPERVISOR_set_timer_op] = HANDLER(do_set_timer_op),
	[__HYPERVISOR_event_channel_op_compat] = HANDLER(do_event_channel_op_compat),
	[__HYPERVISOR_xen_version] = HANDLER(do_xen_version),
	[__HYPERVISOR_console_io] = HANDLER(do_console_io),
	[__HYPERVISOR_physdev_op_compat] = HANDLER(do_physdev_op_compat),
	[__HYPERVISOR_grant_table_op] = HANDLER(do_grant_table_op),
	[__HYPERVISOR_vm_assist] = HANDLER(do_vm_assist),
	[__HYPERVISOR_update_va_mapping_otherdomain] = HANDLER(do_update_va_mapping_otherdomain),
	[__HYPERVISOR_iret] = HANDLER(do_iret),
	[__HYPERVISOR_vcpu_op] = HANDLER(do_vcpu_op),
	[__HYPERVISOR_set_segment_base] = HANDLER(do_set_segment_base),
	[__HYPERVISOR_mmuext_op] = HANDLER(do_mmuext_op),
	[__HYPERVISOR_nmi_op] = HANDLER(do_nmi_op),
	[__HYPERVISOR_sched_op] = HANDLER(do_sched_op),
	[__HYPERVISOR_callback_op] = HANDLER(do_callback_op),
	[__HYPERVISOR_event_channel_op] = HANDLER(do_event_channel_op),
	[__HYPERVISOR_physdev_op] = HANDLER(do_physdev_op),
	[__HYPERVISOR_sysctl] = HANDLER(do_sysctl),
	[__HYPERVISOR_domctl] = HANDLER(do_domctl),
	[__HYPERVISOR_hvm_op] = HANDLER(do_hvm_op),
	[__HYPERVISOR_hypfs_op] = HANDLER(do_hypfs_op),
	[__HYPERVISOR_xenpmu_op] = HANDLER(do_xenpmu_op),
};

/* What is left for a guest that has its own page tables, descriptors and traps. */
const hypercall_fn hvm_hypercall_table[NR_HYPERCALLS] = {
	[__HYPERVISOR_memory_op] = HANDLER(do_memory_op),
	[__HYPERVISOR_multicall] = HANDLER(do_multicall),
	[__HYPERVISOR_set_timer_op] = HANDLER(do_set_timer_op),
	[__HYPERVISOR_xen_version] = HANDLER(do_xen_version),
	[__HYPERVISOR_console_io] = HANDLER(do_console_io),
	[__HYPERVISOR_grant_table_op] = HANDLER(do_grant_table_op),
	[__HYPERVISOR_vcpu_op] = HANDLER(do_vcpu_op),
	[__HYPERVISOR_sched_op] = HANDLER(do_sched_op),
	[__HYPERVISOR_event_channel_op] = HANDLER(do_event_channel_op),
	[__HYPERVISOR_hvm_op] = HANDLER(do_hvm_op),
};

void hvm_hypercall(struct cpu_user_regs *regs)
{
	uint32_t nr = (uint32_t)regs->rax;
	unsigned int before = longest_begin(nr);
	hypercall_fn fn = hypercall_of(current->domain, nr);
	long ret = fn ? fn(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8) : -ENOSYS;

	if (ret != -ERESTART_HC)
		regs->rax = (uint64_t)ret;
	longest_end(before);
}

/* A continuation has set rax itself; an iret has replaced all registers. */
void pv_hypercall(struct cpu_user_regs *regs)
{
	uint32_t nr = (uint32_t)regs->rax;
	unsigned int before = longest_begin(nr);
	long ret = -ENOSYS;

	if (likely(nr < NR_HYPERCALLS && hypercall_table[nr]))
		ret = hypercall_table[nr](regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8);
	if (likely(ret != -ERESTART_HC && nr != __HYPERVISOR_iret))
		regs->rax = (uint64_t)ret;
	longest_end(before);
	host_look();
}
