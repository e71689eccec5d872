/* SPDX-License-Identifier: MIT */
/* What sched/ keeps in a vCPU and in a domain. */
#ifndef DOMAIN_VCPU_SCHED_H
#define DOMAIN_VCPU_SCHED_H
#include "time/timer.h"
#include "x86/cpu_info.h"
#include "x86/spinlock.h"

struct vcpu;

/* Embedded in struct vcpu; sched/ alone writes it, under the run queue's lock. */
struct sched_unit {
	struct vcpu *next, *prev;  /* run queue */
	s_time_t vtime;            /* virtual run time; while neither queued nor running: the lead
	                            * (the lag, if negative) over its last run queue's clock */
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

/* Embedded in struct domain; all zero is a valid start. */
struct sched_dom {
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
