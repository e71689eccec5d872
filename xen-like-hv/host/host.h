/* SPDX-License-Identifier: MIT */
/* The host as domain 0: mailbox, argument arena, doorbells (public/node.h). */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include "lib/types.h"
#include "public/node.h"
#include "x86/softirq.h"
extern struct node_shared *node_shared;
void host_init(const void *shared_info);   /* ivshmem found, arena allocated, magic written; domain 0's shared_info */
void host_ready(void);                     /* all CPUs are up: NODE_STATE_READY */
void host_ring(unsigned int vector);       /* hypervisor to host doorbell */
/* The same, left out while the host polls the shared words. */
void host_ring_if_asleep(unsigned int vector);
/* host/doorbell.c, from the interrupt: HOST_SOFTIRQ or EVENT_SEND_SOFTIRQ */
void host_doorbell(unsigned int softirq);
void *host_arena(uint64_t handle, uint64_t len); /* NULL: outside the arena */
/* Domain 0 has sent events, perhaps without a doorbell. */
static inline bool host_sends(void)
{
	return READ_ONCE(node_shared->host_send_sel) != 0;
}
/* On the way to a guest. */
static inline void host_look(void)
{
	if (unlikely(host_sends()))
		softirq_raise(EVENT_SEND_SOFTIRQ);
}
void host_cpu_runs(void);                  /* this CPU is about to run a guest */
void host_cpu_halts(void);                 /* it looks once more after this, and halts */
bool host_work_pending(void);              /* the mailbox has a request: some CPU should run idle's worker */
#endif
