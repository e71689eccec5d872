/* SPDX-License-Identifier: MIT */
/* XEN_DOMCTL_get_cpu_policy, set_cpu_policy, XEN_SYSCTL_get_cpu_policy. */
#include "control/private.h"
#include "mm/heap.h"
#include "pv/cpu_policy.h"

#define LEAVES_IN_MAX 1024u
#define MSRS_IN_MAX 64u

/* Handles and room of either operation. No room at all: a question for the numbers. */
struct out {
	uint64_t leaves, msrs;
	uint32_t nr_leaves, nr_msrs;
};

static int write_policy(const struct domain *d, enum cpu_policy_kind kind, struct out *o)
{
	xen_cpuid_leaf_t l;
	xen_msr_entry_t m;
	uint32_t n = 0, i;

	while (cpu_policy_nth(d, kind, n, &l)) {
		if (o->leaves != 0 && n >= o->nr_leaves)
			return -ENOBUFS;
		if (o->leaves != 0 && copy_to_guest(o->leaves + n * sizeof(l), &l, 1))
			return -EFAULT;
		n++;
	}
	if (o->msrs != 0 && o->nr_msrs < CPU_POLICY_MSRS)
		return -ENOBUFS;
	for (i = 0; i < CPU_POLICY_MSRS && o->msrs != 0; i++) {
		cpu_policy_msr(i, &m);
		if (copy_to_guest(o->msrs + i * sizeof(m), &m, 1))
			return -EFAULT;
	}
	o->nr_leaves = n;
	o->nr_msrs = CPU_POLICY_MSRS;
	return 0;
}

int sysctl_get_cpu_policy(struct xen_sysctl *op)
{
	struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;
	struct out o = { handle_addr(p->leaves), handle_addr(p->msrs), p->nr_leaves, p->nr_msrs };
	enum cpu_policy_kind kind = CPU_POLICY_default;
	int ret;

	if (p->_rsvd != 0)
		return -EINVAL;
	switch (p->index) {
	case XEN_SYSCTL_cpu_policy_raw:
	case XEN_SYSCTL_cpu_policy_host:
		kind = CPU_POLICY_raw;
		break;
	case XEN_SYSCTL_cpu_policy_pv_max:
	case XEN_SYSCTL_cpu_policy_pv_default:
		break;
	case XEN_SYSCTL_cpu_policy_hvm_max:
	case XEN_SYSCTL_cpu_policy_hvm_default:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
	ret = write_policy(NULL, kind, &o);
	if (ret == 0) {
		p->nr_leaves = o.nr_leaves;
		p->nr_msrs = o.nr_msrs;
	}
	return ret;
}

int domctl_get_cpu_policy(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
	struct out o = { handle_addr(p->leaves), handle_addr(p->msrs), p->nr_leaves, p->nr_msrs };
	int ret = is_host_domain(d) ? -EINVAL : write_policy(d, CPU_POLICY_default, &o);

	if (ret == 0) {
		p->nr_leaves = o.nr_leaves;
		p->nr_msrs = o.nr_msrs;
	}
	return ret;
}

static int check_msrs(const struct xen_domctl_cpu_policy *p, struct cpu_policy_fault *fault)
{
	xen_msr_entry_t m;
	int ret = 0;

	for (uint32_t i = 0; i < p->nr_msrs && ret == 0; i++) {
		ret = copy_from_guest(&m, handle_at(p->msrs, i), 1);
		if (ret == 0)
			ret = cpu_policy_check_msr(&m, fault);
	}
	return ret;
}

static int set(const struct xen_domctl_cpu_policy *p, struct domain *d, xen_cpuid_leaf_t *leaves,
	       struct cpu_policy_fault *fault)
{
	int ret;

	if (copy_from_guest(leaves, handle_addr(p->leaves), p->nr_leaves))
		return -EFAULT;
	for (uint32_t i = 0; i < p->nr_leaves; i++) {
		ret = cpu_policy_check_leaf(&leaves[i], fault);
		if (ret != 0)
			return ret;
	}
	ret = check_msrs(p, fault);
	return ret != 0 ? ret : cpu_policy_set(d, leaves, p->nr_leaves);
}

/* Before it runs for the first time: what it was told then is what it goes by. */
int domctl_set_cpu_policy(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
	struct cpu_policy_fault fault = { ~0u, ~0u, ~0u };
	xen_cpuid_leaf_t *leaves;
	int ret;

	if (is_host_domain(d) || d->is_dying != DOMDYING_alive)
		return -EINVAL;
	if (d->creation_finished)
		return -EEXIST;
	if (p->nr_leaves > LEAVES_IN_MAX || p->nr_msrs > MSRS_IN_MAX)
		return -E2BIG;
	leaves = xzalloc_array(xen_cpuid_leaf_t, max(p->nr_leaves, 1u));
	if (leaves == NULL)
		return -ENOMEM;
	ret = set(p, d, leaves, &fault);
	xfree(leaves);
	p->err_leaf = fault.leaf;
	p->err_subleaf = fault.subleaf;
	p->err_msr = fault.msr;
	return ret;
}
