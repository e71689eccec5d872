/* SPDX-License-Identifier: MIT */
#include "pv/cpu_policy.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "pv/trap.h"
#include "x86/msr.h"
#include "x86/printk.h"
#include "x86/processor.h"

#define EXTENDED 0x80000000u
#define CACHES_MAX 6u
#define F1_ECX_DYNAMIC (1u << 27 | 1u << 31) /* OSXSAVE, HYPERVISOR */
#define F1_EDX_TOPOLOGY (1u << 28)           /* HTT */
#define E1_ECX_TOPOLOGY (1u << 1)            /* CMP_LEGACY */
/* Not told under TCG, where they are slow; whoever was told of them goes on with them. */
#define F7_EBX_FSGSBASE 1u
#define F7_EBX_ERMS (1u << 9)
#define F7_EDX_FSRM (1u << 4)

struct cpu_policy {
	unsigned int n;
	xen_cpuid_leaf_t leaf[CPU_POLICY_LEAVES];
};

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xd;
}

/* Xen's tools number the topology's, too, of which we tell nothing: they refuse the list without. */
static bool is_numbered(uint32_t leaf)
{
	return has_subleaves(leaf) || leaf == 0xb;
}

static const xen_cpuid_leaf_t *find(const struct cpu_policy *p, uint32_t leaf, uint32_t sub)
{
	for (unsigned int i = 0; i < p->n; i++)
		if (p->leaf[i].leaf == leaf && (!has_subleaves(leaf) || p->leaf[i].subleaf == sub))
			return &p->leaf[i];
	return NULL;
}

bool cpu_policy_leaf(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	const xen_cpuid_leaf_t *l = d && d->pv.cpu_policy ? find(d->pv.cpu_policy, leaf, sub) : NULL;

	if (!l)
		return false;
	r[0] = l->a;
	r[1] = l->b;
	r[2] = l->c;
	r[3] = l->d;
	return true;
}

/* The n'th number of the list that every policy has. */
static bool nth_number(unsigned int n, uint32_t *leaf, uint32_t *sub)
{
	uint32_t r[4], max, subs;

	pv_cpuid_default(0, 0, r);
	max = r[0];
	for (*leaf = 0; *leaf <= max; ++*leaf) {
		subs = *leaf == 4 ? CACHES_MAX : *leaf == 7 ? 2 : *leaf == 0xd ? 3 : 1;
		if (n < subs) {
			*sub = is_numbered(*leaf) ? n : XEN_CPUID_NO_SUBLEAF;
			return true;
		}
		n -= subs;
	}
	pv_cpuid_default(EXTENDED, 0, r);
	*leaf = EXTENDED + n;
	*sub = XEN_CPUID_NO_SUBLEAF;
	return *leaf <= r[0];
}

bool cpu_policy_nth(const struct domain *d, enum cpu_policy_kind kind, unsigned int n, xen_cpuid_leaf_t *ret)
{
	uint32_t leaf, sub, in, r[4];

	if (!nth_number(n, &leaf, &sub))
		return false;
	in = sub == XEN_CPUID_NO_SUBLEAF ? 0 : sub;
	if (kind == CPU_POLICY_raw)
		cpuid_count(leaf, in, &r[0], &r[1], &r[2], &r[3]);
	else if (!cpu_policy_leaf(d, leaf, in, r))
		pv_cpuid_default(leaf, in, r);
	*ret = (xen_cpuid_leaf_t){ leaf, sub, r[0], r[1], r[2], r[3] };
	return true;
}

static const uint32_t msrs[CPU_POLICY_MSRS] = { MSR_PLATFORM_INFO, MSR_ARCH_CAPS };

/* No faulting of CPUID, no promises about speculation. */
void cpu_policy_msr(unsigned int n, xen_msr_entry_t *ret)
{
	*ret = (xen_msr_entry_t){ .idx = msrs[n] };
}

/* ERMS and FSRM are promises about speed; FSGSBASE has instructions, which this machine must know. */
static uint32_t hidden_7b(void)
{
	return F7_EBX_ERMS | (cpu_features.fsgsbase ? F7_EBX_FSGSBASE : 0);
}

/* Features that a leaf of this machine's lacks. The rest of it is what the machine is like, and hurts nobody. */
static bool lacks(const xen_cpuid_leaf_t *l)
{
	uint32_t r[4], sub = has_subleaves(l->leaf) ? l->subleaf : 0;

	pv_cpuid_default(l->leaf, sub, r);
	switch (l->leaf) {
	case 0:
		return l->b != r[1] || l->c != r[2] || l->d != r[3];
	case 1:
		return (l->c & ~(r[2] | F1_ECX_DYNAMIC)) || (l->d & ~(r[3] | F1_EDX_TOPOLOGY));
	case 7:
		if (sub == 0)
			return (l->b & ~(r[1] | hidden_7b())) || (l->c & ~r[2]) || (l->d & ~(r[3] | F7_EDX_FSRM));
		return sub == 1 && (l->a & ~r[0]);
	case 0xd:
		if (sub == 0)
			return (l->a & ~r[0]) || (l->d & ~r[3]);
		return sub == 1 ? (l->a & ~r[0]) != 0 : sub == 2 && l->a && (l->a != r[0] || l->b != r[1]);
	case EXTENDED + 1:
		return (l->c & ~(r[2] | E1_ECX_TOPOLOGY)) || (l->d & ~(r[3] | F1_EDX_TOPOLOGY));
	case EXTENDED + 7:
		return (l->d & ~r[3]) != 0;
	case EXTENDED + 8:
		return (l->b & ~r[1]) != 0;
	}
	return false;
}

int cpu_policy_check_leaf(const xen_cpuid_leaf_t *l, struct cpu_policy_fault *fault)
{
	bool bad_sub = has_subleaves(l->leaf) ? l->subleaf >= 64 : l->subleaf != XEN_CPUID_NO_SUBLEAF && l->subleaf >= 64;

	if (!bad_sub && !lacks(l))
		return 0;
	fault->leaf = l->leaf;
	fault->subleaf = l->subleaf;
	return bad_sub ? -ERANGE : -EINVAL;
}

int cpu_policy_check_msr(const xen_msr_entry_t *m, struct cpu_policy_fault *fault)
{
	for (unsigned int i = 0; i < CPU_POLICY_MSRS; i++)
		if (m->idx == msrs[i] && m->flags == 0 && m->val == 0)
			return 0;
	fault->msr = m->idx;
	for (unsigned int i = 0; i < CPU_POLICY_MSRS; i++)
		if (m->idx == msrs[i])
			return -EINVAL;
	return m->flags ? -EINVAL : -ERANGE;
}

/* Leaves that are in nobody's list are dropped; how far the lists go is for us to say. */
int cpu_policy_set(struct domain *d, const xen_cpuid_leaf_t *leaves, unsigned int n)
{
	struct cpu_policy *p = d->pv.cpu_policy ? d->pv.cpu_policy : xzalloc(struct cpu_policy);
	uint32_t leaf, sub, r[4];
	unsigned int i, k;

	if (!p)
		return -ENOMEM;
	d->pv.cpu_policy = p;
	for (i = 0; nth_number(i, &leaf, &sub) && i < CPU_POLICY_LEAVES; i++) {
		xen_cpuid_leaf_t l = { 0 };

		(void)cpu_policy_nth(d, CPU_POLICY_default, i, &l);
		for (k = 0; k < n; k++)
			if (leaves[k].leaf == leaf && (!has_subleaves(leaf) || leaves[k].subleaf == sub))
				l = leaves[k];
		l.subleaf = sub;
		if (leaf == 0 || leaf == EXTENDED) {
			pv_cpuid_default(leaf, 0, r);
			l.a = min(l.a, r[0]);
		}
		p->leaf[i] = l;
		p->n = max(p->n, i + 1);
	}
	return 0;
}

void cpu_policy_free(struct domain *d)
{
	xfree(d->pv.cpu_policy);
	d->pv.cpu_policy = NULL;
}
