/* SPDX-License-Identifier: MIT */
/* The host as domain 0: mailbox, argument arena, doorbells (public/node.h). */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include "lib/types.h"
#include "public/node.h"
extern struct node_shared *node_shared;
void host_init(void);                      /* ivshmem found, arena allocated, magic written */
void host_ring(unsigned int vector);       /* hypervisor to host doorbell */
void *host_arena(uint64_t handle, uint64_t len); /* NULL: outside the arena */
bool host_work_pending(void);              /* the mailbox has a request: some CPU should run idle's worker */
void host_do_work(void);                   /* in idle context: one slice of the pending hypercall */
#endif
