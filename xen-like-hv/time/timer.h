/* SPDX-License-Identifier: MIT */
/* The hypervisor's clock and per-CPU one-shot timers (run in TIMER_SOFTIRQ). */
#ifndef TIME_TIMER_H
#define TIME_TIMER_H
#include "lib/types.h"

s_time_t NOW(void); /* ns since boot; monotonic on a CPU and across CPUs */

/* Embedded where it is used; time/timer.c alone writes it. */
struct timer {
	s_time_t expires;
	void (*fn)(void *data);      /* in softirq context, interrupts on, no lock held */
	void *data;
	struct timer *left, *right, *parent; /* leftist heap of its CPU */
	uint16_t cpu;
	uint8_t dist;
	uint8_t state;               /* TIMER_* */
};
enum { TIMER_DEAD, TIMER_IDLE, TIMER_QUEUED };
void timers_init(void);
void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu);
void timer_set(struct timer *t, s_time_t expires); /* in the past: as soon as possible */
void timer_stop(struct timer *t);
void timer_migrate(struct timer *t, unsigned int cpu);
void timer_kill(struct timer *t); /* stops it, and waits until fn no longer runs */

/* time/tsc.c: how the TSC becomes time; the same factors go to guests. */
struct tsc_scale { uint32_t mul_frac; int8_t shift; };
extern struct tsc_scale tsc_scale;
uint64_t tsc_read(void);
s_time_t tsc_to_ns(uint64_t tsc);
extern uint32_t tsc_khz;
/* drivers/lapic.c: arms this CPU's timer interrupt (0: disarm). */
void lapic_timer_set(s_time_t expires);
#endif
