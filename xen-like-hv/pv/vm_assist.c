/* SPDX-License-Identifier: MIT */
/* vm_assist: how a guest wants some corners of the ABI to behave. */
#include "pv/bounce.h"
#include "pv/mmu_private.h"
#include "x86/softirq.h"

long do_vm_assist(unsigned long cmd, unsigned long type)
{
	struct domain *d = current->domain;
	bool enable = cmd == VMASST_CMD_enable;
	uint64_t bit = 1UL << (type & 63), old;
	struct vcpu *v;
	unsigned int i;

	if (cmd != VMASST_CMD_enable && cmd != VMASST_CMD_disable)
		return -ENOSYS;
	if (type >= 64 || !(PV_VM_ASSIST_KNOWN & bit))
		return -EINVAL;
	old = enable ? __atomic_fetch_or(&d->pv.vm_assist, bit, __ATOMIC_SEQ_CST) :
		       __atomic_fetch_and(&d->pv.vm_assist, ~bit, __ATOMIC_SEQ_CST);
	/* The quick system call and iret leave IOPL out of their frames. Each vCPU sees to its own. */
	if (type == VMASST_TYPE_architectural_iopl && !(old & bit) == enable)
		for_each_vcpu (d, v, i) {
			__atomic_fetch_or(&v->pv.nmi_pending, PENDING_FAST_PATHS, __ATOMIC_SEQ_CST);
			/* One that does not run, or not there any more, passes through the exit before it does. */
			if (v != current && READ_ONCE(v->is_running))
				softirq_raise_cpu(READ_ONCE(v->processor), KICK_SOFTIRQ);
		}
	if (type == VMASST_TYPE_runstate_update_flag)
		for_each_vcpu (d, v, i)
			v->vtime.runstate_update_flag = enable;
	return 0;
}
