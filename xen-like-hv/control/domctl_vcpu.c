/* SPDX-License-Identifier: MIT */
/* Operations on a domain's vCPUs and how they are scheduled. */
#include "control/private.h"
#include "hvm/hvm.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "pv/trap.h"
#include "sched/sched.h"

static struct vcpu *find_vcpu(struct domain *d, uint32_t id)
{
	return id < d->max_vcpus && !is_host_domain(d) ? d->vcpu[id] : NULL;
}

/* Creates those that are missing: a second call after -ENOMEM goes on. */
int domctl_max_vcpus(struct xen_domctl *op, struct domain *d)
{
	unsigned int i;
	int ret = 0;

	if (op->u.max_vcpus.max != d->max_vcpus || is_host_domain(d))
		return -EINVAL;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	for (i = 0; i < d->max_vcpus && ret == 0; i++)
		if (d->vcpu[i] == NULL)
			ret = vcpu_create(d, i);
	return ret;
}

/* The domain is paused: none of its vCPUs is on its way through a hypercall. */
static int set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int ret;

	if (!vcpu_context_claim(v))
		return -EBUSY;
	ret = v->hvm ? hvm_set_context(v, c) : pv_set_context(v, c);
	if (ret == 0) {
		if (c->flags & VGCF_online)
			__atomic_and_fetch(&v->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST);
		else
			__atomic_or_fetch(&v->pause_flags, VPF_down, __ATOMIC_SEQ_CST);
	}
	vcpu_context_release(v);
	return ret;
}

int domctl_setvcpucontext(struct xen_domctl *op, struct domain *d)
{
	struct vcpu *v = find_vcpu(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *c;
	int ret;

	if (v == NULL || handle_addr(op->u.vcpucontext.ctxt) == 0)
		return -EINVAL;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	c = xzalloc(struct vcpu_guest_context);
	if (c == NULL)
		return -ENOMEM;
	ret = copy_from_guest(c, handle_addr(op->u.vcpucontext.ctxt), 1);
	if (ret == 0) {
		domain_pause(d);
		ret = set_context(v, c);
		domain_unpause(d);
	}
	xfree(c);
	return ret;
}

int domctl_getvcpucontext(struct xen_domctl *op, struct domain *d)
{
	struct vcpu *v = find_vcpu(d, op->u.vcpucontext.vcpu);
	struct vcpu_guest_context *c;
	int ret;

	if (v == NULL)
		return -EINVAL;
	if (!v->is_initialised)
		return -ENODATA;
	c = xzalloc(struct vcpu_guest_context);
	if (c == NULL)
		return -ENOMEM;
	vcpu_pause(v);
	if (d->is_hvm)
		hvm_get_context(v, c);
	else
		pv_get_context(v, c);
	vcpu_unpause(v);
	if (!(v->pause_flags & VPF_down))
		c->flags |= VGCF_online;
	ret = copy_to_guest(handle_addr(op->u.vcpucontext.ctxt), c, 1);
	xfree(c);
	return ret;
}

/* Of the triggers, a PV guest knows the NMI alone. */
int domctl_sendtrigger(struct xen_domctl *op, struct domain *d)
{
	struct vcpu *v = find_vcpu(d, op->u.sendtrigger.vcpu);

	if (op->u.sendtrigger.trigger != XEN_DOMCTL_SENDTRIGGER_NMI)
		return -ENOSYS;
	if (v == NULL || !v->is_initialised)
		return -ESRCH;
	if (d->is_hvm) {
		hvm_send_nmi(v);
		return 0;
	}
	__atomic_fetch_or(&v->pv.nmi_pending, PENDING_NMI, __ATOMIC_SEQ_CST);
	vcpu_unblock(v);
	vcpu_kick(v);
	return 0;
}

int domctl_setvcpuaffinity(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
	bool set_hard = a->flags & XEN_VCPUAFFINITY_HARD, set_soft = a->flags & XEN_VCPUAFFINITY_SOFT;
	struct vcpu *v = find_vcpu(d, a->vcpu);
	uint64_t hard = 0, soft = 0;
	int ret = 0;

	if (v == NULL)
		return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
	if ((!set_hard && !set_soft) ||
	    a->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE))
		return -EINVAL;
	if (set_hard)
		ret = ctl_bitmap_read(&a->cpumap_hard, &hard);
	if (ret == 0 && set_soft)
		ret = ctl_bitmap_read(&a->cpumap_soft, &soft);
	if (ret != 0)
		return ret;
	if ((set_hard && !(hard & cpu_online_map)) || (set_soft && soft == 0))
		return -EINVAL;
	ret = sched_set_affinity(v, set_hard ? &hard : NULL, set_soft ? &soft : NULL);
	if (ret != 0)
		return ret;
	/* What took effect. */
	hard = v->sched.hard_affinity & cpu_online_map;
	if (set_hard)
		ret = ctl_bitmap_write(&a->cpumap_hard, hard, NR_CPUS);
	if (ret == 0 && set_soft)
		ret = ctl_bitmap_write(&a->cpumap_soft, v->sched.soft_affinity & hard, NR_CPUS);
	return ret;
}

int domctl_getvcpuaffinity(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
	struct vcpu *v = find_vcpu(d, a->vcpu);
	int ret = 0;

	if (v == NULL)
		return a->vcpu < d->max_vcpus ? -ESRCH : -EINVAL;
	if (a->flags & XEN_VCPUAFFINITY_HARD)
		ret = ctl_bitmap_write(&a->cpumap_hard, v->sched.hard_affinity, NR_CPUS);
	if (ret == 0 && a->flags & XEN_VCPUAFFINITY_SOFT)
		ret = ctl_bitmap_write(&a->cpumap_soft, v->sched.soft_affinity, NR_CPUS);
	return ret;
}

/* credit and credit2 have the same two parameters at the same place. */
int domctl_scheduler_op(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;
	uint32_t weight, cap;

	if (s->sched_id != XEN_SCHEDULER_CREDIT && s->sched_id != XEN_SCHEDULER_CREDIT2)
		return -EINVAL;
	switch (s->cmd) {
	case XEN_DOMCTL_SCHEDOP_getinfo:
		s->u.credit.weight = d->sched_weight;
		s->u.credit.cap = d->sched_cap;
		return 0;
	case XEN_DOMCTL_SCHEDOP_putinfo:
		/* Its calls have a slice of each window, whatever its weight were. */
		if (is_host_domain(d))
			return -EOPNOTSUPP;
		/* These two values say "as it is". */
		weight = s->u.credit.weight != 0 ? s->u.credit.weight : d->sched_weight;
		cap = s->u.credit.cap != UINT16_MAX ? s->u.credit.cap : d->sched_cap;
		if (cap > 100 * d->max_vcpus)
			return -EINVAL;
		return sched_set_params(d, weight, cap);
	default:
		return -EINVAL;
	}
}

int domctl_nodeaffinity_set(struct xen_domctl *op, struct domain *d)
{
	uint64_t nodes;
	int ret = ctl_bitmap_read(&op->u.nodeaffinity.nodemap, &nodes);

	if (ret != 0)
		return ret;
	return nodes & 1 ? 0 : -EINVAL; /* there is node 0 alone */
}

int domctl_nodeaffinity_get(struct xen_domctl *op, struct domain *d)
{
	return ctl_bitmap_write(&op->u.nodeaffinity.nodemap, 1, 64);
}
