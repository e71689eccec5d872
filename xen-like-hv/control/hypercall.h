/* SPDX-License-Identifier: MIT */
/* The hypercall table. */
#ifndef CONTROL_HYPERCALL_H
#define CONTROL_HYPERCALL_H
#include "domain/domain.h"
#include "x86/hooks.h"

typedef long (*hypercall_fn)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);
#define NR_HYPERCALLS 64
extern const hypercall_fn hypercall_table[NR_HYPERCALLS]; /* NULL: -ENOSYS */

extern const hypercall_fn hvm_hypercall_table[NR_HYPERCALLS]; /* of PVH domains */

/* What nr is for d; NULL: -ENOSYS. */
static inline hypercall_fn hypercall_of(const struct domain *d, uint64_t nr)
{
	if (nr >= NR_HYPERCALLS)
		return NULL;
	return unlikely(d->is_hvm) ? hvm_hypercall_table[nr] : hypercall_table[nr];
}

/* From the entry path: a hypercall of current's guest kernel; nr in rax, args in
 * rdi, rsi, rdx, r10, r8; the result goes to rax unless a continuation was made. */
void pv_hypercall(struct cpu_user_regs *regs);

long do_multicall(unsigned long calls, unsigned long nr);
long do_xen_version(unsigned long cmd, unsigned long arg);
long do_console_io(unsigned long cmd, unsigned long count, unsigned long buf);
long do_sched_op_compat(unsigned long cmd, unsigned long arg);
long do_memory_op(unsigned long cmd, unsigned long arg);
long do_domctl(unsigned long arg);
long do_sysctl(unsigned long arg);
long do_platform_op(unsigned long arg);
long do_xenpmu_op(unsigned long op, unsigned long arg);

/* control/domain_create.c */
struct xen_domctl_createdomain;
int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, struct domain **ret);
int vcpu_create(struct domain *d, unsigned int id);
/* Takes it apart as far as it may go now: 0 done, -ERESTART_HC again (destroydomain). */
int domain_kill(struct domain *d);
void domain_create_host_and_idle(void); /* boot: nr_cpus_possible is known, the other CPUs are not started yet */
#endif
