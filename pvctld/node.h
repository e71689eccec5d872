/* SPDX-License-Identifier: MIT */
/* The node's machine: its RAM, its doorbells and its QEMU process. */
#ifndef PVCTLD_NODE_H
#define PVCTLD_NODE_H

#include "libpvctl.h"
#include "pvctld/loop.h"
#include "public/node.h"
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
	char accel[8];
	uint32_t cpus;
	bool down;
	char why[220];
	struct loop_fd death, done, log;
};

void node_init(struct node *n);
/* RAM of n->ram_bytes, and the doorbells. */
int node_make_memory(struct node *n, struct pvctl_error *err);
/* Memory, doorbells, QEMU; returns when the hypervisor says that it is ready. */
int node_start(struct daemon *d, struct pvctl_error *err);
/* Takes part in the loop: QEMU's death, panics. */
int node_watch(struct daemon *d, struct pvctl_error *err);
/* Kills and reaps QEMU when it still runs. */
void node_kill(struct node *n);
void node_fini(struct daemon *d);
/* len bytes of RAM at a machine address, or NULL when they are not all RAM or not contiguous. */
void *node_map(const struct node *n, uint64_t paddr, uint64_t len);
static inline uint64_t node_low_bytes(const struct node *n)
{
	return n->ram_bytes < NODE_LOW_BYTES ? n->ram_bytes : NODE_LOW_BYTES;
}

/* qemu.c */
int qemu_choose_accel(const char *want, char ret[8], struct pvctl_error *err);
int qemu_queue_handshake(struct node *n, int *ret_fd, struct pvctl_error *err);
/* iv_fd: QEMU's end of the handshake socket. */
int qemu_spawn(struct daemon *d, int iv_fd, struct pvctl_error *err);
/* Why did it not start? Fills *err from its exit status, its own words and the hypervisor's log. */
int qemu_explain(struct daemon *d, int status, struct pvctl_error *err);

#endif
