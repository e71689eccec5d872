/* SPDX-License-Identifier: MIT */
/* The domains' disks: what the rest of the daemon asks of the block backend. */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct dom;
struct pvctl_error;
struct pvctl_disk_info;

/* spec: disk_spec's text, with an absolute target. */
int block_attach(struct dom *dom, const char *spec, struct pvctl_error *err);
/* Asks the guest to let go; with force it is not asked. Returns when that has begun. */
int block_detach(struct dom *dom, uint32_t vdev, bool force, struct pvctl_error *err);
/* A domain's disks, as many as max: how many there are. rows may be NULL. */
unsigned int block_list(struct daemon *d, uint32_t domid, struct pvctl_disk_info *rows, unsigned int max);
/* The domain goes away, and its store nodes with it. Requests under way are waited for, later. */
void block_domain_gone(struct daemon *d, uint32_t domid);
/* At the end: waits for all requests. */
void block_fini(struct daemon *d);

#endif
