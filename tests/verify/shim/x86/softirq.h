/* SPDX-License-Identifier: MIT */
/* Preemption whenever the search likes. */
#ifndef X86_SOFTIRQ_H
#define X86_SOFTIRQ_H
#include "x86/cpu_info.h"
enum { TIMER_SOFTIRQ, EVENT_SEND_SOFTIRQ, SCHEDULE_SOFTIRQ, HOST_SOFTIRQ, RCU_SOFTIRQ, KICK_SOFTIRQ, LOG_SOFTIRQ, NR_SOFTIRQS };
DECLARE_PER_CPU(uint32_t, softirq_pending);
void softirq_register(unsigned int nr, void (*fn)(void));
void softirq_raise(unsigned int nr);
void do_softirq(void);
static inline bool softirqs_pending(void) { return READ_ONCE(this_cpu(softirq_pending)) != 0; }
bool preempt_wanted(void);
void softirq_raise_cpu(unsigned int cpu, unsigned int nr);
#endif
