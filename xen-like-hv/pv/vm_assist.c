/* SPDX-License-Identifier: MIT */
/* vm_assist: how a guest wants some corners of the ABI to behave. */
#include "pv/bounce.h"
#include "pv/mmu_private.h"
#include "x86/softirq.h"

/* The quick system call and iret leave IOPL out of their frames. Each vCPU sees to its own. */
static void recompute_fast_paths(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu (d, v, i) {
		__atomic_fetch_or(&v->pv.nmi_pending, PENDING_FAST_PATHS, __ATOMIC_SEQ_CST);
		/* One that does not run, or not there any more, passes through the exit before it does. */
		if (v != current && READ_ONCE(v->is_running))
			softirq_raise_cpu(READ_ONCE(v->processor), KICK_SOFTIRQ);
	}
}

static void changed(struct domain *d, uint64_t bits)
{
	if (bits & 1UL << VMASST_TYPE_architectural_iopl)
		recompute_fast_paths(d);
}

void vm_assist_set(struct domain *d, uint64_t bits)
{
	bits &= PV_VM_ASSIST_KNOWN;
	changed(d, __atomic_exchange_n(&d->pv.vm_assist, bits, __ATOMIC_SEQ_CST) ^ bits);
}

long do_vm_assist(unsigned long cmd, unsigned long type)
{
	struct domain *d = current->domain;
	uint64_t bit = 1UL << (type & 63), old;

	if (type >= 64 || !(PV_VM_ASSIST_KNOWN & bit))
		return cmd == VMASST_CMD_enable || cmd == VMASST_CMD_disable ? -EINVAL : -ENOSYS;
	switch (cmd) {
	case VMASST_CMD_enable:
		old = __atomic_fetch_or(&d->pv.vm_assist, bit, __ATOMIC_SEQ_CST);
		changed(d, bit & ~old);
		return 0;
	case VMASST_CMD_disable:
		old = __atomic_fetch_and(&d->pv.vm_assist, ~bit, __ATOMIC_SEQ_CST);
		changed(d, bit & old);
		return 0;
	}
	return -ENOSYS;
}
