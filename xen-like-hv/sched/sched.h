/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where. Weighted fair: a domain's virtual time grows as it
 * runs, the slower the larger its weight; the least one runs next. Idle CPUs
 * halt.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H
#include "domain/domain.h"

void sched_init(void);
int sched_init_vcpu(struct vcpu *v);
void sched_destroy_vcpu(struct vcpu *v);
bool vcpu_runnable(const struct vcpu *v);
void vcpu_wake(struct vcpu *v);          /* after a flag or count went away; any context */
void vcpu_sleep_nosync(struct vcpu *v);  /* after a flag or count was set */
void vcpu_sleep_sync(struct vcpu *v);    /* and wait until it left its CPU (not for current) */
void vcpu_kick(struct vcpu *v);          /* make it pass through the exit path soon (an event is pending) */
void vcpu_unblock(struct vcpu *v);       /* ends SCHEDOP_block or _poll; any context */
void vcpu_yield(void);                   /* current, at the next exit */
void vcpu_pause(struct vcpu *v);         /* counted; sync */
void vcpu_unpause(struct vcpu *v);
void domain_pause(struct domain *d);     /* counted; sync; d is not current's */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft); /* NULL: as it is */
int sched_set_params(struct domain *d, uint32_t weight, uint32_t cap_percent);
struct xen_domctl_getvcpuinfo;
s_time_t vcpu_run_time(struct vcpu *v);
/* This CPU was busy for v's domain since start (a timer): whom that interrupted does not pay. */
void sched_charge_work(struct vcpu *v, s_time_t start);
void vcpu_runstate_publish(struct vcpu *v); /* to its registered area */
void vcpu_runstate_get(struct vcpu *v, int *state, s_time_t *entry, s_time_t ns[4]);
/* Run by each CPU once it is up. Never returns. */
void idle_loop(void) __noreturn;
void host_heard(void); /* domain 0 asked for something: an idle CPU watches out for more if it was quick */
void schedule(void); /* SCHEDULE_SOFTIRQ */
#endif
