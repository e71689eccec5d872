/* SPDX-License-Identifier: MIT */
/*
 * A frontend's granted pages. Those of persistent grants stay mapped in a
 * bounded table, used longest ago out first. Pages that a guest may execute
 * must not be written from here (QEMU's TCG would go on executing the old
 * bytes), so that other grants' contents are copied by the hypervisor.
 */
#ifndef BACKEND_GRANTS_H
#define BACKEND_GRANTS_H

#include "pvctld/base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;

#define GNT_TABLE_MAX 4096u
#define GNT_TABLE_HASH 1024u

struct gnt_page {
	struct list lru;         /* when nobody uses it */
	struct gnt_page *next;   /* of its hash chain */
	uint32_t ref, handle, users;
	uint8_t *at;             /* NULL: being mapped */
};
struct gnt_table {
	struct daemon *d;
	uint32_t domid;
	unsigned int count;
	struct list lru;
	struct gnt_page *hash[GNT_TABLE_HASH];
};

void gnt_table_init(struct gnt_table *t, struct daemon *d, uint32_t domid);
/* 0: n pages, each to be put back. -EAGAIN: too many are in use. Other: a grant is bad, none was taken. */
int gnt_table_get(struct gnt_table *t, const uint32_t *refs, unsigned int n, struct gnt_page **ret);
void gnt_table_put(struct gnt_table *t, struct gnt_page *const *pages, unsigned int n);
/* Unmaps all; none is in use any more. */
void gnt_table_clear(struct gnt_table *t);

/* One segment's bytes: offset and len within the granted page. */
struct gnt_copy {
	uint32_t ref;
	uint16_t offset, len;
	uint8_t *data;           /* ours */
};
/* copy.c. to_guest: data to the pages, else the other way. 0, -EINVAL (a grant is bad) or what the call returned. */
int gnt_copy(struct daemon *d, uint32_t domid, const struct gnt_copy *c, unsigned int n, bool to_guest);
/* The same, but a bad grant is no failure of the others: bad has n entries. */
int gnt_copy_each(struct daemon *d, uint32_t domid, const struct gnt_copy *c, unsigned int n, bool to_guest, bool *bad);

/* Granted pages side by side in our memory, for a ring. */
#define GNT_WINDOW_MAX 64u
struct gnt_window {
	unsigned int pages;
	uint32_t handle[GNT_WINDOW_MAX];
	void *at;
};
int gnt_window_map(struct daemon *d, uint32_t domid, const uint32_t *refs, unsigned int n, struct gnt_window *ret);
void gnt_window_unmap(struct daemon *d, struct gnt_window *w);

#endif
