/* SPDX-License-Identifier: MIT */
/* Work that interrupt handlers put off to the next safe point (exit to a guest, idle). */
#ifndef X86_SOFTIRQ_H
#define X86_SOFTIRQ_H
#include "x86/cpu_info.h"
#include "x86/debug.h"
enum { TIMER_SOFTIRQ, EVENT_SEND_SOFTIRQ /* host_send bits; before who blocks for one of them is switched out */, SCHEDULE_SOFTIRQ, HOST_SOFTIRQ /* mailbox */, RCU_SOFTIRQ, KICK_SOFTIRQ /* nothing but the way through the exit path */, LOG_SOFTIRQ /* host/: a doorbell for the log is due later */, NR_SOFTIRQS };
DECLARE_PER_CPU(uint32_t, softirq_pending); /* written by its own CPU, or atomically */
void softirq_register(unsigned int nr, void (*fn)(void));
void softirq_raise(unsigned int nr);                       /* here */
void softirq_raise_cpu(unsigned int cpu, unsigned int nr); /* there, with an IPI if it may sleep or run a guest */
void do_softirq(void);                                     /* interrupts on, no lock held */
static inline bool softirqs_pending(void) { return READ_ONCE(this_cpu(softirq_pending)) != 0; }
/* A long operation should make a continuation of itself now. */
static inline bool preempt_wanted(void)
{
	lockcheck_none("a look whether to stop");
	longest_checked();
	return softirqs_pending();
}
#endif
