/* SPDX-License-Identifier: MIT */
/* The host's doorbells: interrupts of CPU 0, which may be in the middle of something long. */
#include "host/host.h"
#include "x86/softirq.h"

/*
 * What is still pending here was not heard: the host rings again after a while,
 * and then any other CPU that gets around to it shall do the work.
 */
static void pass_on(uint32_t unheard)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		for (uint32_t m = cpu != smp_cpu() ? unheard : 0; m; m &= m - 1)
			softirq_raise_cpu(cpu, (unsigned int)__builtin_ctz(m));
}

void host_doorbell(unsigned int softirq)
{
	uint32_t pending = READ_ONCE(this_cpu(softirq_pending));

	softirq_raise(softirq);
	if (unlikely(pending & 1u << softirq))
		pass_on(pending & (1u << HOST_SOFTIRQ | 1u << EVENT_SEND_SOFTIRQ));
}
