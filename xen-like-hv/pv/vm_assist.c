/* SPDX-License-Identifier: MIT */
/* vm_assist: how a guest wants some corners of the ABI to behave. */
#include "pv/mmu_private.h"

/* m2p_strict would hide the table from user mode; that is not done, so it is refused. */
#define VM_ASSIST_KNOWN \
	((1UL << VMASST_TYPE_4gb_segments) | (1UL << VMASST_TYPE_4gb_segments_notify) | \
	 (1UL << VMASST_TYPE_writable_pagetables) | (1UL << VMASST_TYPE_pae_extended_cr3) | \
	 (1UL << VMASST_TYPE_architectural_iopl) | (1UL << VMASST_TYPE_runstate_update_flag))

long do_vm_assist(unsigned long cmd, unsigned long type)
{
	struct domain *d = current->domain;
	bool enable = cmd == VMASST_CMD_enable;
	struct vcpu *v;
	unsigned int i;

	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -ENOSYS;
	if (type >= 64 || !(VM_ASSIST_KNOWN >> type & 1))
		return -EINVAL;
	if (enable)
		__atomic_or_fetch(&d->pv.vm_assist, 1UL << type, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&d->pv.vm_assist, ~(1UL << type), __ATOMIC_SEQ_CST);
	if (type == VMASST_TYPE_runstate_update_flag)
		for_each_vcpu (d, v, i)
			v->vtime.runstate_update_flag = enable;
	return 0;
}
