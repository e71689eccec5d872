/* SPDX-License-Identifier: MIT */
/* The host as domain 0: mailbox, argument arena, doorbells (public/node.h). */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include "lib/types.h"
#include "public/node.h"
extern struct node_shared *node_shared;
void host_init(void);                      /* ivshmem found, arena allocated, magic written */
void host_ready(void);                     /* all CPUs are up: NODE_STATE_READY */
void host_ring(unsigned int vector);       /* hypervisor to host doorbell */
/* The same, left out while the host polls the shared words. */
void host_ring_if_asleep(unsigned int vector);
/* host/doorbell.c, from the interrupt: HOST_SOFTIRQ or EVENT_SEND_SOFTIRQ */
void host_doorbell(unsigned int softirq);
void *host_arena(uint64_t handle, uint64_t len); /* NULL: outside the arena */
bool host_work_pending(void);              /* the mailbox has a request: some CPU should run idle's worker */
/*
 * In idle context, one CPU at a time: one slice of the pending hypercall. A
 * handler that was preempted returns what hypercall_continuation gave, which
 * for domain 0 calls host_continue.
 */
void host_do_work(void);
/* The pending call goes on with these arguments: the mailbox answers AGAIN. */
void host_continue(unsigned int op, const unsigned long args[5]);
/* NODE_OP_SHUTDOWN, SHUTDOWN of the node: all CPUs stop, QEMU leaves with 33. */
void node_shutdown(void) __noreturn;
#endif
