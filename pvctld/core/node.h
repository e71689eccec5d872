/* SPDX-License-Identifier: MIT */
/* The node's machine: its RAM and its doorbells. */
#ifndef PVCTLD_CORE_NODE_H
#define PVCTLD_CORE_NODE_H

#include "libpvctl.h"
#include "public/node.h"
#include "pvctld/base/loop.h"
#include <sys/types.h>

struct daemon;

#define NODE_LOW_BYTES  0x80000000ull  /* q35 with max-ram-below-4g=2G */
#define NODE_HIGH_PADDR 0x100000000ull

struct node {
	int ram_fd, shm_fd, iv_sock;
	uint8_t *ram;
	uint64_t ram_bytes;
	volatile struct node_shared *shared;
	int host_efd[NODE_NR_VECTORS]; /* rung by the hypervisor */
	int hv_efd[NODE_NR_VECTORS];   /* rung by us */
	pid_t qemu_pid;
	int qemu_pidfd;
	int status_fd;           /* what QEMU ended with, once it has */
	unsigned int qemu_version; /* 0: it did not say */
	int jail_fd;             /* -1: QEMU is not in a jail, or has said what is in force */
	unsigned int confined;   /* flags of jail/jail.h */
	char accel[8];
	uint32_t cpus;
	bool down;
	char why[220];
	struct loop_fd death, done, log;
};

void node_init(struct node *n);
/* RAM of n->ram_bytes, and the doorbells. */
int node_make_memory(struct node *n, struct pvctl_error *err);
/* len bytes of RAM at a machine address, or NULL when they are not all RAM or not contiguous. */
void *node_map(const struct node *n, uint64_t paddr, uint64_t len);
static inline uint64_t node_low_bytes(const struct node *n)
{
	return n->ram_bytes < NODE_LOW_BYTES ? n->ram_bytes : NODE_LOW_BYTES;
}

#endif
