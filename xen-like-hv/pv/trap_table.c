/* SPDX-License-Identifier: MIT */
/* The virtual IDT. */
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "x86/printk.h"
#include "x86/softirq.h"

/* A list of trap_info ended by one with address 0; no list: all handlers go. */
long do_set_trap_table(unsigned long traps)
{
	struct vcpu *v = current;
	struct trap_info t;

	if (is_host_domain(v->domain))
		return -EPERM;
	if (traps == 0) {
		memset(v->pv.traps, 0, 256 * sizeof(*v->pv.traps));
		return 0;
	}
	for (;; traps += sizeof(t)) {
		/* A guest may make the list as long as its address space. */
		if (preempt_wanted())
			return hypercall_continuation(__HYPERVISOR_set_trap_table, traps, 0, 0, 0, 0);
		if (copy_from_guest(&t, traps, 1))
			return -EFAULT;
		if (t.address == 0)
			return 0;
		if (!is_canonical(t.address))
			return -EINVAL;
		v->pv.traps[t.vector] = t;
	}
}
