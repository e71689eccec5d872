/* SPDX-License-Identifier: MIT */
/*
 * A frontend's granted pages. Those of persistent grants stay mapped in a
 * bounded table, used longest ago out first. Pages that a guest may execute
 * must not be written from here (QEMU's TCG would go on executing the old
 * bytes), so that other grants' contents are copied by the hypervisor.
 */
#ifndef BLOCK_GRANTS_H
#define BLOCK_GRANTS_H

#include "pvctld/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;

#define BLK_TABLE_MAX 4096u
#define BLK_TABLE_HASH 1024u

struct blk_page {
	struct list lru;         /* when nobody uses it */
	struct blk_page *next;   /* of its hash chain */
	uint32_t ref, handle, users;
	uint8_t *at;             /* NULL: being mapped */
};
struct blk_table {
	struct daemon *d;
	uint32_t domid;
	unsigned int count;
	struct list lru;
	struct blk_page *hash[BLK_TABLE_HASH];
};

void blk_table_init(struct blk_table *t, struct daemon *d, uint32_t domid);
/* 0: n pages, each to be put back. -EAGAIN: too many are in use. Other: a grant is bad, none was taken. */
int blk_table_get(struct blk_table *t, const uint32_t *refs, unsigned int n, struct blk_page **ret);
void blk_table_put(struct blk_table *t, struct blk_page *const *pages, unsigned int n);
/* Unmaps all; none is in use any more. */
void blk_table_clear(struct blk_table *t);

/* One segment's bytes: offset and len within the granted page. */
struct blk_copy {
	uint32_t ref;
	uint16_t offset, len;
	uint8_t *data;           /* ours */
};
/* to_guest: data to the pages, else the other way. 0, -EINVAL (a grant is bad) or what the call returned. */
int blk_copy(struct daemon *d, uint32_t domid, const struct blk_copy *c, unsigned int n, bool to_guest);

/* Granted pages side by side in our memory, for a ring. */
struct blk_window {
	unsigned int pages;
	uint32_t handle[16];
	void *at;
};
int blk_window_map(struct daemon *d, uint32_t domid, const uint32_t *refs, unsigned int n, struct blk_window *ret);
void blk_window_unmap(struct daemon *d, struct blk_window *w);

#endif
