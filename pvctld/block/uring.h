/* SPDX-License-Identifier: MIT */
/* Jobs by io_uring, for pool.c alone. */
#ifndef BLOCK_URING_H
#define BLOCK_URING_H

#include "pvctld/block/pool.h"

struct blk_uring;

/* fallback takes what io_uring cannot carry out, from its beginning. NULL: the kernel, or a sandbox, refuses io_uring. */
struct blk_uring *blk_uring_new(struct loop *l, void (*fallback)(void *data, struct blk_job *job), void *data);
void blk_uring_submit(struct blk_uring *u, struct blk_job *job);
/* Waits for all jobs. NULL is fine. */
void blk_uring_free(struct blk_uring *u);

#endif
