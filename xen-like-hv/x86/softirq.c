/* SPDX-License-Identifier: MIT */
#include "x86/softirq.h"
#include "x86/printk.h"
#include "x86/smp.h"
#include "x86/spinlock.h"

DEFINE_PER_CPU(uint32_t, softirq_pending);
static void (*handlers[NR_SOFTIRQS])(void);

void softirq_register(unsigned int nr, void (*fn)(void))
{
	BUG_ON(nr >= NR_SOFTIRQS || handlers[nr]);
	handlers[nr] = fn;
}

void softirq_raise(unsigned int nr)
{
	__atomic_fetch_or(&this_cpu(softirq_pending), 1u << nr, __ATOMIC_SEQ_CST);
}

void softirq_raise_cpu(unsigned int cpu, unsigned int nr)
{
	uint32_t old = __atomic_fetch_or(&per_cpu(softirq_pending, cpu), 1u << nr, __ATOMIC_SEQ_CST);

	/* Set already: whoever set it sent the IPI, or the CPU is about to look. */
	if (!(old & 1u << nr) && cpu != smp_cpu())
		smp_send_event_check(cpu);
}

void do_softirq(void)
{
	uint32_t pending;

	lockcheck_none("softirq");
	/* In rounds: what its own work raises again waits for all that are pending now. */
	while ((pending = READ_ONCE(this_cpu(softirq_pending))) != 0)
		for (; pending; pending &= pending - 1) {
			unsigned int nr = (unsigned int)__builtin_ctz(pending);

			/* Cleared before the work: what is raised meanwhile makes it run again. */
			__atomic_fetch_and(&this_cpu(softirq_pending), ~(1u << nr), __ATOMIC_SEQ_CST);
			if (handlers[nr])
				handlers[nr]();
		}
}
