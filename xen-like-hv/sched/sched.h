/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where. Weighted fair: a domain's virtual time grows as it
 * runs, the slower the larger its weight; the least one runs next. Idle CPUs
 * halt.
 */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H
#include "x86/cpu_info.h"
#include "x86/spinlock.h"
#include "time/timer.h"

struct domain;
struct vcpu;

/* Embedded in struct vcpu; sched/ alone writes it, under the run queue's lock. */
struct sched_unit {
	struct vcpu *next, *prev;  /* run queue */
	s_time_t vtime;            /* its domain's where it was last, on the scale of all queues */
	s_time_t used;             /* CPU time, as it counts beside its siblings */
	s_time_t last_start;       /* when it last got the CPU */
	s_time_t run_ns;           /* total */
	cpumask_t hard_affinity, soft_affinity;
	bool on_queue;
	bool yielded;              /* vcpu_yield: others first, once */
	struct timer cap_timer;    /* parked until then: over its cap */
	/* runstate, as the public vcpu_runstate_info has it */
	int runstate;              /* RUNSTATE_* */
	s_time_t runstate_entry;
	s_time_t runstate_ns[4];
};

/* A domain on one CPU; under that run queue's lock. */
struct sched_share {
	s_time_t vtime;            /* virtual time of its vCPUs here */
	s_time_t used;             /* the sibling that used most, of those that had a turn */
	s_time_t served;           /* when it last ran here, or came */
	uint32_t nr;               /* of its vCPUs: waiting or running here */
};

/* Embedded in struct domain; all zero is a valid start. */
struct sched_dom {
	struct sched_share share[NR_CPUS];
	volatile uint32_t active;  /* vCPUs that wait or run, on all CPUs; atomically */
	s_time_t work_ns;          /* CPU time of work for it outside of its vCPUs; atomically */
	spinlock_t lock;           /* irqsave, inside the run queue's lock */
	s_time_t cap_window;       /* start of the accounting period */
	s_time_t cap_used;         /* CPU time in it, debt of earlier ones included */
	struct timer watchdog[2];  /* SCHEDOP_watchdog */
	bool watchdog_on[2];
};

/* Why a vCPU may not run: bits of v->pause_flags; 0 = runnable. */
#define VPF_down     1u  /* VCPUOP_up not called yet, or VCPUOP_down */
#define VPF_blocked  2u  /* SCHEDOP_block, SCHEDOP_poll */
#define VPF_parked   4u  /* over its cap */
/* besides: v->pause_count and d->pause_count */

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
/* control/sched_op.c */
void watchdog_destroy(struct domain *d);
/* Run by each CPU once it is up. Never returns. */
void idle_loop(void) __noreturn;
void host_heard(void); /* domain 0 asked for something: an idle CPU watches out for more if it was quick */
void schedule(void); /* SCHEDULE_SOFTIRQ */
/* Interrupts off. True: this idle CPU had a guest's tables loaded still; now CR3 is the idle root. */
bool sched_drop_lazy(void);

/*
 * Context switch hooks, called by sched/context.c on the CPU that switches,
 * interrupts off: x86 and pv state from the CPU into v and back. When they
 * return, guest_regs() has been copied to or from v->regs by context.c.
 */
void pv_ctxt_switch_from(struct vcpu *v); /* pv/context.c */
void pv_ctxt_switch_to(struct vcpu *v);
void pv_mmu_switch_to(struct vcpu *v);    /* pv/root.c: load v's root into CR3 (the idle root for an idle vCPU) */
#endif
