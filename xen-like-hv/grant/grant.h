/* SPDX-License-Identifier: MIT */
/* Grant tables, versions 1 and 2. */
#ifndef GRANT_GRANT_H
#define GRANT_GRANT_H
#include "mm/frametable.h"
#include <xen/grant_table.h>
struct domain;
struct grant_table; /* grant/private.h */
int grant_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack, uint32_t max_version); /* d->grant */
/* d dies: drops d's own mappings of others; 0 or -ERESTART_HC to be called again. */
int grant_release_mappings(struct domain *d);
/* d dies: gives its grant frames up, so that nothing of d's memory is held by its own table.
 * Mappings that others have of d's pages stay good until they unmap them. */
void grant_close(struct domain *d);
void grant_destroy(struct domain *d);    /* the tables themselves, with the last reference to d */
int grant_reset_host(struct domain *d);  /* NODE_OP_RESET_HOST; likewise */
/* XENMAPSPACE-like: the machine frame of grant-table frame idx, growing the table: 0 or -errno. */
int grant_frame_mfn(struct domain *d, uint32_t idx, bool status, mfn_t *ret);
/* For the audit; nothing of d runs. d's mappings of others' (or its own) frames; is frame among them, with that access? */
void grant_each_mapping(struct domain *d, void (*fn)(mfn_t frame, bool readonly, void *arg), void *arg);
/* For the log of writes: d's frames that others have mapped writable now, from *cursor on. 0, -ERESTART_HC. */
int grant_each_written(struct domain *d, uint64_t *cursor, void (*fn)(mfn_t frame, void *arg), void *arg);
bool grant_maps_frame(struct domain *d, mfn_t frame, bool writable);
long do_grant_table_op(unsigned long cmd, unsigned long arg, unsigned long count);
/* XENMEM_acquire_resource: domain 0 maps frames of a table (grant/resource.c). */
long memory_acquire_resource(unsigned long arg);
#endif
