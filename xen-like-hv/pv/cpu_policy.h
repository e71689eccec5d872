/* SPDX-License-Identifier: MIT */
/*
 * What CPUID tells a domain. By default what this machine can do; a restored
 * domain is told what it was told when it started, which its kernel chose its
 * code by. The public structures: xen_cpuid_leaf_t, xen_msr_entry_t.
 */
#ifndef PV_CPU_POLICY_H
#define PV_CPU_POLICY_H
#include "domain/domain.h"

#define CPU_POLICY_LEAVES 64u /* more than there are */
#define CPU_POLICY_MSRS 2u

enum cpu_policy_kind { CPU_POLICY_raw, CPU_POLICY_default };

struct cpu_policy_fault {
	uint32_t leaf, subleaf, msr; /* ~0: not that */
};

/* The domain's own word for a leaf: false, there is none. */
bool cpu_policy_leaf(const struct domain *d, uint32_t leaf, uint32_t sub, uint32_t r[4]);
/* The n'th leaf of a policy, d NULL: the machine's; false: there are no more. */
bool cpu_policy_nth(const struct domain *d, enum cpu_policy_kind kind, unsigned int n, xen_cpuid_leaf_t *ret);
void cpu_policy_msr(unsigned int n, xen_msr_entry_t *ret);
/* Anything at all. 0; -EINVAL: this machine cannot do that; -ERANGE: no such thing. Then *fault says what. */
int cpu_policy_check_leaf(const xen_cpuid_leaf_t *l, struct cpu_policy_fault *fault);
int cpu_policy_check_msr(const xen_msr_entry_t *m, struct cpu_policy_fault *fault);
/* All leaves were checked. d has never run. 0, -ENOMEM */
int cpu_policy_set(struct domain *d, const xen_cpuid_leaf_t *leaves, unsigned int n);
void cpu_policy_free(struct domain *d);
#endif
