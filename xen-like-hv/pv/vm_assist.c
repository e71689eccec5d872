/* SPDX-License-Identifier: MIT */
/* vm_assist: how a guest wants some corners of the ABI to behave. */
#include "pv/bounce.h"
#include "pv/mmu_private.h"

long do_vm_assist(unsigned long cmd, unsigned long type)
{
	struct domain *d = current->domain;
	bool enable = cmd == VMASST_CMD_enable;
	struct vcpu *v;
	unsigned int i;

	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -ENOSYS;
	if (type >= 64 || !(PV_VM_ASSIST_KNOWN >> type & 1))
		return -EINVAL;
	if (enable)
		__atomic_or_fetch(&d->pv.vm_assist, 1UL << type, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&d->pv.vm_assist, ~(1UL << type), __ATOMIC_SEQ_CST);
	/* The quick system call and iret leave IOPL out of their frames. */
	if (type == VMASST_TYPE_architectural_iopl)
		for_each_vcpu (d, v, i)
			pv_update_fast_paths(v);
	if (type == VMASST_TYPE_runstate_update_flag)
		for_each_vcpu (d, v, i)
			v->vtime.runstate_update_flag = enable;
	return 0;
}
