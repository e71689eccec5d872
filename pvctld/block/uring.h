/* SPDX-License-Identifier: MIT */
/* Jobs by io_uring, for pool.c alone; but the ring is made at the daemon's beginning. */
#ifndef BLOCK_URING_H
#define BLOCK_URING_H

#include "pvctld/block/pool.h"

struct blk_uring;

/* fallback takes what io_uring cannot carry out, from its beginning. NULL: the kernel, or a sandbox, refuses io_uring. */
/* Before the daemon is sealed: after that no ring can be made, or be told that it may do more. The first blk_uring_new has it. */
void blk_uring_prepare(void);
struct blk_uring *blk_uring_new(struct loop *l, void (*fallback)(void *data, struct blk_job *job), void *data);
void blk_uring_submit(struct blk_uring *u, struct blk_job *job);
/* Waits for all jobs. NULL is fine. */
void blk_uring_free(struct blk_uring *u);

#endif
