/* SPDX-License-Identifier: MIT */
/* Events that domain 0 sends: bits in shared memory instead of hypercalls. */
#include "event/private.h"
#include "host/host.h"
#include "sched/sched.h"
#include "x86/softirq.h"

#define MAX_ROUNDS 8

/* Cleared before the sending: a bit that is set again meanwhile is sent again. */
static void send_word(unsigned int word)
{
	uint64_t bits = __atomic_exchange_n(&node_shared->host_send[word], 0, __ATOMIC_SEQ_CST);

	for (; bits; bits &= bits - 1)
		(void)evtchn_send(host_domain, word * 64 + (unsigned int)__builtin_ctzll(bits));
}

static void send_host_bits(void)
{
	unsigned int round;

	for (round = 0; round < MAX_ROUNDS; round++) {
		uint64_t sel = __atomic_exchange_n(&node_shared->host_send_sel, 0, __ATOMIC_SEQ_CST);

		if (!sel)
			return;
		/* Whether an idle CPU does well to watch, is told by what idle CPUs find. */
		if (is_idle_vcpu(current))
			host_heard();
		for (; sel; sel &= sel - 1)
			send_word((unsigned int)__builtin_ctzll(sel));
	}
	/* The host is faster than we are: let others have a turn. */
	softirq_raise(EVENT_SEND_SOFTIRQ);
}

void event_boot(void)
{
	softirq_register(EVENT_SEND_SOFTIRQ, send_host_bits);
}
