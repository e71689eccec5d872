/* SPDX-License-Identifier: MIT */
/* Inside control/: the tools' operations and the life of domains. */
#ifndef CONTROL_PRIVATE_H
#define CONTROL_PRIVATE_H

#include "control/hypercall.h"
#include "domain/domain.h"
#include "domain/uaccess.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include <xen/domctl.h>
#include <xen/sysctl.h>

/* shutdown.c; domain_shutdown is in x86/hooks.h */
void domain_resume(struct domain *d);
/* Shut down, and none of its vCPUs is still on its way off a CPU. Not from a vCPU of d. */
bool domain_is_quiet_shut_down(struct domain *d);

/* domain_create.c, domain_destroy.c */
struct vcpu_info *vcpu_info_nowhere(void);
/* Takes shared_info and registered vcpu_info pages away from d, which must not run again. */
void domain_drop_shared_info(struct domain *d);

/* sched_op.c: d does not run any more */
void watchdog_destroy(struct domain *d);

/*
 * Handlers of one domctl: op is the hypervisor's copy, written back to the
 * caller after 0 where the table says so. They may return -ERESTART_HC: the
 * whole call is made again. d is referenced. Domain 0 makes one call at a time
 * (sched/idle.c), so these need no lock among themselves.
 */
typedef int (*domctl_fn)(struct xen_domctl *op, struct domain *d);

/* vcpu_op.c: false: another caller is giving v its context */
bool __must_check vcpu_context_claim(struct vcpu *v);
void vcpu_context_release(struct vcpu *v);

/* domctl_info.c */
int domctl_getdomaininfo(struct xen_domctl *op, struct domain *d);
int domctl_getvcpuinfo(struct xen_domctl *op, struct domain *d);
int domctl_getpageframeinfo3(struct xen_domctl *op, struct domain *d);
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info);
uint64_t promised_pages(uint32_t id, uint64_t at_least); /* NODE_OP_PROMISED */

/* domctl_vcpu.c */
int domctl_max_vcpus(struct xen_domctl *op, struct domain *d);
int domctl_setvcpucontext(struct xen_domctl *op, struct domain *d);
int domctl_getvcpucontext(struct xen_domctl *op, struct domain *d);
int domctl_sendtrigger(struct xen_domctl *op, struct domain *d);
int domctl_setvcpuaffinity(struct xen_domctl *op, struct domain *d);
int domctl_getvcpuaffinity(struct xen_domctl *op, struct domain *d);
int domctl_scheduler_op(struct xen_domctl *op, struct domain *d);
int domctl_nodeaffinity_set(struct xen_domctl *op, struct domain *d);
int domctl_nodeaffinity_get(struct xen_domctl *op, struct domain *d);

/* domctl_state.c */
int domctl_getvcpuextstate(struct xen_domctl *op, struct domain *d);
int domctl_setvcpuextstate(struct xen_domctl *op, struct domain *d);
int domctl_get_ext_vcpucontext(struct xen_domctl *op, struct domain *d);
int domctl_set_ext_vcpucontext(struct xen_domctl *op, struct domain *d);
int domctl_get_vcpu_msrs(struct xen_domctl *op, struct domain *d);
int domctl_set_vcpu_msrs(struct xen_domctl *op, struct domain *d);

/* hvmcontext.c */
int domctl_gethvmcontext(struct xen_domctl *op, struct domain *d);
int domctl_sethvmcontext(struct xen_domctl *op, struct domain *d);

/* cpu_policy_op.c */
int domctl_get_cpu_policy(struct xen_domctl *op, struct domain *d);
int domctl_set_cpu_policy(struct xen_domctl *op, struct domain *d);
int sysctl_get_cpu_policy(struct xen_sysctl *op);

/* physmap.c */
long memory_physmap(unsigned int op, uint64_t start, unsigned long arg);

/* shadow_op.c */
int domctl_shadow_op(struct xen_domctl *op, struct domain *d);
int log_off(struct domain *d); /* also of a domain that dies: 0, -ERESTART_HC */

/* bitmap.c: masks of up to 64 bits in a xenctl_bitmap. 0, -EINVAL, -EFAULT. */
int ctl_bitmap_read(const struct xenctl_bitmap *bm, uint64_t *ret);
int ctl_bitmap_write(const struct xenctl_bitmap *bm, uint64_t value, unsigned int bits);

/* sysctl_keys.c */
void debug_key(char key);
/* audit.c: debug key t */
void audit_all(void);

#endif
