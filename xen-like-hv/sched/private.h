/* SPDX-License-Identifier: MIT */
/* What the files of sched/ share. */
#ifndef SCHED_PRIVATE_H
#define SCHED_PRIVATE_H
#include "domain/domain.h"
#include "sched/sched.h"

#define SLICE_MAX MILLISECS(6)
#define SLICE_MIN MILLISECS(2)
#define SLICE_ROUND MILLISECS(24)    /* all that wait should have had a turn by then */
#define WAKEUP_CREDIT MILLISECS(3)
#define WAKEUP_GRANULARITY MICROSECS(500)
#define BALANCE_PERIOD MILLISECS(30)
#define CAP_PERIOD MILLISECS(30)
#define WEIGHT_DEFAULT 256u
#define WEIGHT_MAX 65535u
/* Domain 0's hypercalls, while vCPUs wait for the same CPU: so much of each window. */
#define HOST_SLICE MILLISECS(1)
#define HOST_WINDOW MILLISECS(2)

/*
 * One for each physical CPU. A vCPU that is queued or current here has this
 * CPU as v->processor; v->processor changes only under the lock of the old CPU
 * and while the vCPU is not running. Interrupt handlers wake vCPUs: irqsave.
 */
struct run_queue {
	spinlock_t lock;
	struct vcpu *curr;           /* what schedule() chose last; the idle vCPU at first */
	struct vcpu *head;           /* waiting, by virtual time */
	uint32_t nr;                 /* how many wait */
	s_time_t clock;              /* virtual time: the least of all here, never goes back */
	s_time_t slice_end;          /* when the slice timer fires; 0: not set */
	s_time_t next_balance;
	struct timer slice;
	bool flush_lazy;             /* somebody waits for the lazy vCPU to be saved */
	/* domain 0's hypercalls in idle context */
	bool host_wanted, host_running;
	s_time_t host_start, host_window, host_used;
	/*
	 * The idle loop runs with the registers and page tables of this vCPU still
	 * loaded (its is_running stays set), to save the switch when it comes back.
	 * Touched by its own CPU only, interrupts off.
	 */
	struct vcpu *lazy;
} __aligned(64);

extern struct run_queue run_queues[NR_CPUS];
extern volatile cpumask_t idle_cpus;    /* changed atomically */

/* core.c */
struct run_queue *vcpu_lock(struct vcpu *v, unsigned long *flags); /* the queue of v->processor */
void vcpu_unlock(struct run_queue *rq, unsigned long flags);
/* The lock is held. Makes rq's CPU call schedule() at `when` at the latest. */
void rq_limit_slice(struct run_queue *rq, s_time_t when);
bool rq_host_allowed(struct run_queue *rq, s_time_t now);
int runstate_of(const struct vcpu *v); /* when not running */

/* fair.c: the order among the vCPUs of one run queue; its lock is held */
void fair_enqueue(struct run_queue *rq, struct vcpu *v, bool wakeup, s_time_t now);
void fair_requeue(struct run_queue *rq, struct vcpu *v); /* the one that ran */
void fair_dequeue(struct run_queue *rq, struct vcpu *v); /* it goes elsewhere, or to sleep */
struct vcpu *fair_take(struct run_queue *rq, struct vcpu *v); /* it is to run */
void fair_charge(struct run_queue *rq, struct vcpu *v, s_time_t now);
void fair_leave(struct run_queue *rq, struct vcpu *v);   /* it ran and goes to sleep */
bool fair_preempts(struct run_queue *rq, const struct vcpu *v);
s_time_t fair_slice(const struct run_queue *rq);
/* Caps: 0, or when v's domain may run again. */
s_time_t cap_exhausted_until(struct domain *d, s_time_t now);
s_time_t cap_left(struct domain *d, s_time_t now); /* INT64_MAX without a cap */

/* runstate.c; the lock is held */
void runstate_change(struct vcpu *v, int state, s_time_t now);

/* affinity.c */
unsigned int pick_cpu(const struct vcpu *v);
struct vcpu *steal_vcpu(struct run_queue *rq, unsigned int cpu, uint32_t min_waiting, s_time_t now);

/* context.c */
void context_switch(struct vcpu *prev, struct vcpu *next); /* interrupts off, no lock; returns never */
void flush_lazy_here(struct run_queue *rq);                /* interrupts off */
bool drop_lazy_here(struct vcpu *v);

/* idle.c */
void host_softirq(void);
bool host_request_free(void); /* the mailbox has a request that no CPU works on */
#endif
