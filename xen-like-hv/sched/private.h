/* SPDX-License-Identifier: MIT */
/* What the files of sched/ share. */
#ifndef SCHED_PRIVATE_H
#define SCHED_PRIVATE_H
#include "domain/domain.h"
#include "sched/sched.h"

#define SLICE_MAX MILLISECS(6)
#define SLICE_MIN MILLISECS(2)
#define SLICE_ROUND MILLISECS(24)    /* all that wait should have had a turn by then */
#define SLICE_LEAST MILLISECS(1)
#define ROUND_MAX MILLISECS(50)
#define WAKEUP_CREDIT MILLISECS(3)
#define WAKEUP_GRANULARITY MICROSECS(500)
#define BALANCE_PERIOD MILLISECS(3)
#define PULL_LAG MILLISECS(2)        /* so much before the one that would run: worth a move */
#define DRIFT MILLISECS(200)         /* a lag of more than so much of its own time, to both: the clocks have drifted apart */
#define DRIFT_APART MILLISECS(400)   /* in virtual time; they have, too */
#define WRONGED_LAG MILLISECS(12)    /* so far behind who runs elsewhere: its CPU is not for those who wake, */
#define WRONGED_LOAD 3u              /* but as good as one where so many more wait */
#define STARVED MILLISECS(70)        /* a domain that waits for longer has a turn out of order, */
#define MERCY_PERIOD MILLISECS(6)    /* one of them in so much time */
#define FOREVER MILLISECS(1000000)   /* longer than any time that counts; its products with weights fit */
#define CAP_PERIOD MILLISECS(30)
#define LOOK_MAX 32u                 /* of those that wait: so many are looked at in turn, at a time */
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
	struct leftist *first;       /* shares of the domains with vCPUs that wait: a heap, the least first */
	struct vcpu *ring;           /* one of those that wait: where the next look begins */
	uint32_t nr;                 /* how many wait */
	uint32_t cpu;                /* whose queue this is */
	uint32_t heaviest;           /* weight among them when one was picked, */
	uint32_t heaviest_elsewhere; /* and in other queues at the last balancing */
	vtime_t clock;               /* virtual time: the least of all here, never goes back */
	vtime_t least;               /* of those that wait; may be too small when one left */
	vtime_t running;             /* of the one that runs, when it was picked */
	vtime_t ahead;               /* less this, it can be compared with another CPU's; grows only */
	s_time_t slice_end;          /* when the slice timer fires, or fired; 0: not set */
	s_time_t next_balance;       /* when it looks what there is for it elsewhere; others clear it, as a hint */
	s_time_t next_call;          /* when it has others look here, if somebody waits */
	s_time_t mercy;              /* when a starving one had its turn */
	cpumask_t spill;             /* where those that wait may run */
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
/* Where somebody waits. Changed atomically, a bit by its own CPU; read as a hint. */
extern volatile cpumask_t contended_cpus;

static inline unsigned int cpu_of(const struct run_queue *rq)
{
	return rq->cpu;
}

/* As a pointer that the compiler keeps: else it finds each field anew from the number. */
static inline struct run_queue *this_rq(unsigned int cpu)
{
	struct run_queue *rq = &run_queues[cpu];

	__asm__("" : "+r"(rq));
	return rq;
}

static inline uint32_t weight_of(const struct vcpu *v)
{
	return READ_ONCE(v->domain->sched_weight); /* never 0 */
}

static inline struct sched_share *share_of(const struct run_queue *rq, const struct vcpu *v)
{
	return &v->domain->sched_share[cpu_of(rq)];
}

/* Positive: a is later than b. */
static inline s_time_t vt_diff(vtime_t a, vtime_t b)
{
	return (s_time_t)(a - b);
}

static inline vtime_t vt_min(vtime_t a, vtime_t b)
{
	return vt_diff(a, b) < 0 ? a : b;
}

static inline vtime_t vt_max(vtime_t a, vtime_t b)
{
	return vt_diff(a, b) > 0 ? a : b;
}

/* A virtual time of rq on the scale that all queues share. */
static inline vtime_t rq_common(const struct run_queue *rq, vtime_t vtime)
{
	return vtime - rq->ahead;
}

/* core.c */
struct run_queue *vcpu_lock(struct vcpu *v, unsigned long *flags); /* the queue of v->processor */
void vcpu_unlock(struct run_queue *rq, unsigned long flags);
/* The lock is held. Makes rq's CPU call schedule() at `when` at the latest. */
void rq_limit_slice(struct run_queue *rq, s_time_t when);
bool rq_host_allowed(struct run_queue *rq, s_time_t now);
int runstate_of(const struct vcpu *v); /* when not running */

/* order.c: those that wait, under the queue's lock */
void order_add(struct run_queue *rq, struct vcpu *v);
void order_del(struct run_queue *rq, struct vcpu *v);
void order_changed(struct run_queue *rq, struct sched_share *s); /* after its vtime or served changed */
/* Of d's vCPUs that wait here the one that used least; NULL: none waits. */
struct vcpu *order_sibling(const struct run_queue *rq, const struct domain *d);
/* Somebody waits: the first of them, and the least virtual time of the others, if there are any. */
const struct sched_share *order_least(const struct run_queue *rq); /* NULL: nobody waits */
struct vcpu *order_first(const struct run_queue *rq);
vtime_t order_second(const struct run_queue *rq);

/* fair.c: the order among the vCPUs of one run queue; its lock is held */
void fair_enqueue(struct run_queue *rq, struct vcpu *v, bool wakeup, s_time_t now);
void fair_requeue(struct run_queue *rq, struct vcpu *v); /* the one that ran */
void fair_dequeue(struct run_queue *rq, struct vcpu *v, bool sleeps); /* or it goes elsewhere */
struct vcpu *fair_pick(struct run_queue *rq, s_time_t now);
void fair_take(struct run_queue *rq, struct vcpu *v);    /* it is to run */
void fair_charge(struct run_queue *rq, struct vcpu *v, s_time_t now);
void fair_charge_work(struct run_queue *rq, struct vcpu *v, s_time_t ns, s_time_t now);
void fair_leave(struct run_queue *rq, struct vcpu *v);   /* it ran and goes to sleep */
bool fair_preempts(const struct run_queue *rq, const struct vcpu *v);
bool fair_before(const struct run_queue *rq, const struct vcpu *a, const struct vcpu *b);
/* Is this lag in virtual time more than ns of v's CPU time? */
bool fair_worth(const struct run_queue *rq, const struct vcpu *v, s_time_t lag, s_time_t ns);
s_time_t fair_slice(const struct run_queue *rq, const struct vcpu *v);

/* cap.c. Asked before the calls, to save them; a cap may be gone by the time of the call. */
static inline bool has_cap(const struct domain *d)
{
	return unlikely(READ_ONCE(d->sched_cap) != 0);
}
void cap_charge(struct domain *d, s_time_t ns, s_time_t now);
/* 0, or when v's domain may run again. */
s_time_t cap_exhausted_until(struct domain *d, s_time_t now);
s_time_t cap_left(struct domain *d, s_time_t now); /* INT64_MAX without a cap */

/* runstate.c; the lock is held */
void runstate_change(struct vcpu *v, int state, s_time_t now);

/* affinity.c */
unsigned int pick_cpu(const struct vcpu *v);
cpumask_t allowed_cpus(const struct vcpu *v);
cpumask_t preferred_cpus(const struct vcpu *v);

/* balance.c; rq is this CPU's, locked */
bool balance_pull(struct run_queue *rq, unsigned int cpu, const struct vcpu *first, s_time_t now);
void balance_call(const struct run_queue *rq, const struct vcpu *v);
uint32_t balance_heaviest(unsigned int cpu); /* that waits at another */
/* vtime; or how far that CPU is, of those where v may run and somebody waits, which is furthest behind: on rq's scale */
vtime_t balance_least(const struct run_queue *rq, const struct vcpu *v, vtime_t vtime);

/* context.c */
void context_switch(struct vcpu *prev, struct vcpu *next); /* interrupts off, no lock; returns never */
void flush_lazy_here(struct run_queue *rq);                /* interrupts off */
bool drop_lazy_here(struct vcpu *v);

/* idle.c */
void host_softirq(void);
bool host_request_free(void); /* the mailbox has a request that no CPU works on */
#endif
