/* SPDX-License-Identifier: MIT */
/* Free memory that the host takes the RAM file's blocks of (NODE_OP_DIRTY_*). */
#ifndef MM_PAGE_HOST_H
#define MM_PAGE_HOST_H
#include "public/node.h"

/*
 * Takes up to max dirty chunks off the free lists, which the host may then make
 * zero behind our back; they still count as free. 0: nothing is dirty.
 */
unsigned int dirty_take(struct node_pages *to, unsigned int max);
/* They read as zero now. -EINVAL at the first that is not out; those before it are back. */
int dirty_done(const struct node_pages *from, unsigned int n);
/* The host that had them is gone: dirty as before. */
void dirty_reset_host(void);
#endif
