/* SPDX-License-Identifier: MIT */
/*
 * The calls that go up: named here, made by the folder of the heading, done by one
 * further up (LAYERS). All other calls go to the caller's own folder or down.
 */
#ifndef X86_HOOKS_H
#define X86_HOOKS_H
#include "lib/types.h"

struct domain;
struct guest_paging;
struct vcpu;

/* --- from x86 --- */

/* sched/context.c, in the TLB flush interrupt: true: this idle CPU had a guest's tables loaded still; now CR3 is the idle root. */
bool sched_drop_lazy(void);
/* pv/root_fast.c, with each TLB flush: true: current's kernel was on a root that lacks changes, and is not any more; CR3 was written. */
bool pv_root_catch_up(void);

/* --- from domain --- */

/* control/shutdown.c: SCHEDOP_shutdown, a crash, and the like: pauses all vCPUs, tells domain 0 (VIRQ_DOM_EXC). */
void domain_shutdown(struct domain *d, uint32_t reason);
/* control/domain_destroy.c: the last reference went. */
void domain_free(struct domain *d);

/* p2m/guest_copy.c: what domain/uaccess.h does, for a vCPU of a PVH domain. Bytes not copied; 0 or -EFAULT. */
enum guest_copy { GUEST_COPY_from, GUEST_COPY_to, GUEST_COPY_clear };
unsigned long p2m_guest_copy(uint64_t va, void *buf, unsigned long n, enum guest_copy op);
int p2m_guest_cmpxchg(uint64_t va, uint64_t *old, uint64_t new);

/* --- from p2m --- */

/* hvm/: the registers of v, which is current, that say what its addresses mean (p2m/paging.h). */
void hvm_guest_paging(const struct vcpu *v, struct guest_paging *p);

/* --- from pv --- */

/* control/sched_op.c: a guest kernel's hlt is SCHEDOP_block. */
long do_sched_op(unsigned long cmd, unsigned long arg);
/*
 * p2m/reservation.c: for a domain that has a p2m. populate, an extent: 1, 0 (there is no chunk of that size) or an
 * error; decrease: how many of these frames it gave up, up to one that was not RAM, or a limit.
 */
int p2m_populate(struct domain *d, uint64_t gfn, unsigned int order, unsigned int flags);
unsigned int p2m_decrease(struct domain *d, const uint64_t *gfns, unsigned int n);

/* --- from sched --- */

/* control/mailbox.c, in idle context, one CPU at a time: one slice of domain 0's pending hypercall. */
void host_do_work(void);
/* entry/entry.S: leave for current's guest with guest_regs(), through pv_exit_work; the stack is given up. */
void exit_to_guest(void) __noreturn;
/* entry/entry.S: start over at the top of this CPU's stack (the idle loop after a context switch). */
void reset_stack_and_jump(void (*fn)(void) __noreturn) __noreturn;
/* vtime/, with the switch to v: vcpu_info.time and the time area; the runstate area (after v stopped, too: its queue is locked). */
void vtime_update(struct vcpu *v, bool force);
void vtime_update_runstate_area(struct vcpu *v);
/* hvm/: the CPU state of a PVH domain's vCPU, interrupts off; and its turns, at the top of the stack. */
void hvm_switch_from(struct vcpu *v);
void hvm_switch_to(struct vcpu *v);
void hvm_run(void) __noreturn;

/* --- from hvm --- */

struct cpu_user_regs;
/* control/hypercall.c: rax and so on are the guest's, rip is behind its vmmcall. */
void hvm_hypercall(struct cpu_user_regs *regs);
/* control/vcpu_op.c: halting for good is VCPUOP_down. */
long do_vcpu_op(unsigned long cmd, unsigned long vcpu, unsigned long arg);
#endif
