/* SPDX-License-Identifier: MIT */
/* The host as domain 0: mailbox, argument arena, doorbells (public/node.h). */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include "lib/types.h"
#include "public/node.h"
extern struct node_shared *node_shared;
void host_init(const void *shared_info);   /* ivshmem found, arena allocated, magic written; domain 0's shared_info */
void host_ready(void);                     /* all CPUs are up: NODE_STATE_READY */
void host_ring(unsigned int vector);       /* hypervisor to host doorbell */
/* The same, left out while the host polls the shared words. */
void host_ring_if_asleep(unsigned int vector);
/* host/doorbell.c, from the interrupt: HOST_SOFTIRQ or EVENT_SEND_SOFTIRQ */
void host_doorbell(unsigned int softirq);
void *host_arena(uint64_t handle, uint64_t len); /* NULL: outside the arena */
bool host_work_pending(void);              /* the mailbox has a request: some CPU should run idle's worker */
#endif
