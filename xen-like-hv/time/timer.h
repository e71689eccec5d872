/* SPDX-License-Identifier: MIT */
/* Per-CPU one-shot timers (run in TIMER_SOFTIRQ). */
#ifndef TIME_TIMER_H
#define TIME_TIMER_H
#include "lib/leftist.h"
#include "x86/tsc.h"

/* Embedded where it is used; time/timer.c alone writes it. */
struct timer {
	s_time_t expires;
	void (*fn)(void *data);      /* in softirq context, interrupts on, no lock held */
	void *data;
	struct leftist node;         /* in the heap of its CPU */
	uint16_t cpu;
	uint8_t state;               /* TIMER_* */
};
enum { TIMER_DEAD, TIMER_IDLE, TIMER_QUEUED };
void timers_init(void);
void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
void timer_set(struct timer *t, s_time_t expires); /* in the past: as soon as possible */
void timer_stop(struct timer *t);
void timer_migrate(struct timer *t, unsigned int cpu);
void timer_kill(struct timer *t); /* stops it, and waits until fn no longer runs */

#endif
