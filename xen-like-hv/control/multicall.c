/* SPDX-License-Identifier: MIT */
/* Many hypercalls in one. */
#include "control/hypercall.h"
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "pv/trap.h"
#include "x86/softirq.h"

static long call_one(const struct multicall_entry *c)
{
	/* A batch in a batch has no place for its state. */
	hypercall_fn fn = hypercall_of(current->domain, c->op);

	if (c->op == __HYPERVISOR_multicall || !fn)
		return -ENOSYS;
	return fn(c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]);
}

#define LEFT_BY_IRET 1

/*
 * 0, -EFAULT, or -ERESTART_HC: the entry was preempted and says now how to go on.
 * LEFT_BY_IRET: the guest is somewhere else, perhaps in another mode; nothing is to be written.
 */
static long do_entry(struct vcpu *v, unsigned long entry)
{
	struct multicall_entry *c = &v->mc.call;
	unsigned int before;
	long ret;

	if (copy_from_guest(c, entry, 1))
		return -EFAULT;
	if (c->op == __HYPERVISOR_iret && !is_host_domain(v->domain) && !v->hvm) {
		do_iret();
		return LEFT_BY_IRET;
	}
	v->mc.preempted = false;
	v->mc.active = true;
	before = longest_begin(c->op);
	ret = call_one(c);
	longest_end(before);
	v->mc.active = false;
	if (v->mc.preempted)
		return copy_to_guest(entry, c, 1) ? -EFAULT : -ERESTART_HC;
	c->result = (xen_ulong_t)ret;
	return copy_to_guest(entry + offsetof(struct multicall_entry, result), &c->result, 1);
}

long do_multicall(unsigned long calls, unsigned long nr)
{
	struct vcpu *v = current;
	uint32_t left = (uint32_t)nr;
	long ret;

	if (v->mc.active)
		return -EINVAL;
	while (left) {
		ret = do_entry(v, calls);
		if (ret == -ERESTART_HC)
			goto preempted;
		if (ret == LEFT_BY_IRET)
			return -ERESTART_HC; /* rax is the frame's */
		if (ret)
			return ret;
		calls += sizeof(struct multicall_entry);
		if (--left && preempt_wanted())
			goto preempted;
	}
	return 0;

preempted:
	return hypercall_continuation(__HYPERVISOR_multicall, calls, left, 0, 0, 0);
}
