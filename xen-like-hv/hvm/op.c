/* SPDX-License-Identifier: MIT */
/* HVMOP_*: parameters of a domain, and how its vCPUs hear of events. */
#include "domain/uaccess.h"
#include "event/evtchn.h"
#include "hvm/private.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include <xen/hvm/hvm_op.h>

#define FIRST_VECTOR 16u
#define CALLBACK_TYPE(val) ((val) >> 56)

/* What the tools may set; the guest reads all of it. */
static bool is_known(uint32_t index)
{
	switch (index) {
	case HVM_PARAM_CALLBACK_IRQ:
	case HVM_PARAM_STORE_PFN:
	case HVM_PARAM_STORE_EVTCHN:
	case HVM_PARAM_PAE_ENABLED:
	case HVM_PARAM_CONSOLE_PFN:
	case HVM_PARAM_CONSOLE_EVTCHN:
	case HVM_PARAM_TRIPLE_FAULT_REASON:
	case HVM_PARAM_VM_GENERATION_ID_ADDR:
	case HVM_PARAM_TIMER_MODE:
	case HVM_PARAM_IDENT_PT:
		return true;
	}
	return false;
}

static bool may_set(const struct domain *d, uint32_t index)
{
	return is_host_domain(current->domain) || (d == current->domain && index == HVM_PARAM_CALLBACK_IRQ);
}

/* There are no interrupt lines, so only a vector can be one's callback. */
static int set_callback(struct domain *d, uint64_t val)
{
	uint8_t vector = (uint8_t)val;

	if (CALLBACK_TYPE(val) != HVM_PARAM_CALLBACK_TYPE_VECTOR) {
		/* Linux asks for one that never comes, as a sign to old tools. */
		d->hvm->callback_vector = 0;
		return 0;
	}
	if (vector < FIRST_VECTOR)
		return -EINVAL;
	WRITE_ONCE(d->hvm->callback_vector, vector);
	return 0;
}

static int set_param(struct domain *d, const struct xen_hvm_param *p)
{
	int ret = 0;

	if (!may_set(d, p->index))
		return -EPERM;
	if (!is_known(p->index))
		return -EINVAL;
	if (p->index == HVM_PARAM_CALLBACK_IRQ)
		ret = set_callback(d, p->value);
	if (p->index == HVM_PARAM_TRIPLE_FAULT_REASON && p->value > SHUTDOWN_MAX)
		ret = -EINVAL;
	if (ret == 0)
		WRITE_ONCE(d->hvm->params[p->index], p->value);
	return ret;
}

static int get_param(struct domain *d, struct xen_hvm_param *p)
{
	if (!is_known(p->index))
		return -EINVAL;
	p->value = READ_ONCE(d->hvm->params[p->index]);
	return 0;
}

static long op_param(unsigned long arg, bool set)
{
	struct xen_hvm_param p;
	struct domain *d;
	int ret;

	if (copy_from_guest(&p, arg, 1))
		return -EFAULT;
	if (p.index >= HVM_NR_PARAMS)
		return -EINVAL;
	ret = resolve_domain_arg(p.domid, &d);
	if (ret != 0)
		return ret;
	if (!d->is_hvm)
		ret = -EINVAL;
	else
		ret = set ? set_param(d, &p) : get_param(d, &p);
	release_domain_arg(d);
	if (ret == 0 && !set && copy_to_guest(arg, &p, 1))
		ret = -EFAULT;
	return ret;
}

static long op_upcall_vector(unsigned long arg)
{
	struct domain *d = current->domain;
	struct xen_hvm_evtchn_upcall_vector u;
	struct vcpu *v;

	if (!d->is_hvm)
		return -EINVAL;
	if (copy_from_guest(&u, arg, 1))
		return -EFAULT;
	if (u.vector < FIRST_VECTOR)
		return -EINVAL;
	if (u.vcpu >= d->max_vcpus || !(v = d->vcpu[u.vcpu]))
		return -ENOENT;
	WRITE_ONCE(v->hvm->upcall_vector, u.vector);
	return 0;
}

long do_hvm_op(unsigned long cmd, unsigned long arg)
{
	if (!current->domain->is_hvm && !is_host_domain(current->domain))
		return -ENOSYS;
	switch (cmd) {
	case HVMOP_set_param:
		return op_param(arg, true);
	case HVMOP_get_param:
		return op_param(arg, false);
	case HVMOP_set_evtchn_upcall_vector:
		return op_upcall_vector(arg);
	case HVMOP_flush_tlbs:
		/* Each CPU of a guest flushes its own. */
		return -ENOSYS;
	case HVMOP_pagetable_dying:
		return 0; /* a hint about shadows, of which there are none */
	}
	return -ENOSYS;
}
