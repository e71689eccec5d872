/* SPDX-License-Identifier: MIT */
/* The node's machine: its QEMU process. */
#ifndef PVCTLD_NODE_H
#define PVCTLD_NODE_H

#include "pvctld/core/daemon.h"

/* What the options say. */
void node_set_size(struct daemon *d);
/* Memory, doorbells, QEMU; returns when the hypervisor says that it is ready. */
int node_start(struct daemon *d, struct pvctl_error *err);
/* adopt.c: for a later daemon; and what an earlier one has left of it. */
int node_keep(struct daemon *d, struct pvctl_error *err);
int node_adopt(struct daemon *d, struct pvctl_error *err);
/* Takes part in the loop: QEMU's death, panics. */
int node_watch(struct daemon *d, struct pvctl_error *err);
/* Kills and reaps QEMU when it still runs. */
void node_kill(struct node *n);
void node_fini(struct daemon *d);

/* qemu.c */
/* qemu_version.c: 0 when it cannot be asked. */
#define QEMU_VERSION(major, minor) ((major) * 100u + (minor))
unsigned int qemu_version(const struct daemon *d);
const char *qemu_program(const struct daemon *d);
int qemu_queue_handshake(struct node *n, int *ret_fd, struct pvctl_error *err);
/* The spawner's: on d->node.ram_fd; iv_fd is QEMU's end of the handshake socket. Fills in what d->node has of QEMU. */
int qemu_start(struct daemon *d, int iv_fd, struct pvctl_error *err);
/* Why did it not start? Fills *err from its exit status, its own words and the hypervisor's log. */
int qemu_explain(struct daemon *d, int status, struct pvctl_error *err);

#endif
