/* SPDX-License-Identifier: MIT */
/* What sched/ keeps in a vCPU and in a domain. */
#ifndef DOMAIN_VCPU_SCHED_H
#define DOMAIN_VCPU_SCHED_H
#include "lib/leftist.h"
#include "time/timer.h"
#include "x86/cpu_info.h"
#include "x86/spinlock.h"

struct vcpu;

/*
 * Virtual time (sched/fair.c). A domain of the least weight with 32 vCPUs runs through half of its range in 13 days:
 * only differences mean something (vt_diff).
 */
typedef uint64_t vtime_t;

/* Embedded in struct vcpu; sched/ alone writes it, under the run queue's lock. */
struct sched_unit {
	struct vcpu *next, *prev;  /* the ring of those that wait in its run queue */
	vtime_t vtime;             /* its domain's where it was last, on the scale of all queues */
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
	vtime_t vtime;             /* virtual time of its vCPUs here */
	s_time_t used;             /* the sibling that used most, of those that had a turn */
	s_time_t served;           /* when it last ran here, or came */
	s_time_t total;            /* sched_dom.total when the last one left */
	uint32_t nr;               /* of its vCPUs: waiting or running here */
	uint32_t waiting;          /* of them */
	struct leftist node;       /* while some wait: in the heap of sched/order.c */
};

/* Embedded in struct domain; all zero is a valid start. */
struct sched_dom {
	volatile uint32_t active;  /* vCPUs that wait or run, on all CPUs; atomically */
	s_time_t total;            /* CPU time on all CPUs, as it was charged; atomically */
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
#endif
