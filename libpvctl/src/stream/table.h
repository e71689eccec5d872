/* SPDX-License-Identifier: MIT */
/* Page tables on their way: machine frame numbers out, the guest's own numbers in, and back. */
#ifndef STREAM_TABLE_H
#define STREAM_TABLE_H

#include <stdint.h>

#define TABLE_ENTRIES 512u
/* Entries that are the hypervisor's own in a root: what is there is not the guest's. */
#define TABLE_XEN_FIRST 256u
#define TABLE_XEN_END 272u

/*
 * Copies a page table of a level, each present entry's frame through map, which gives ~0 for what has no number. Returns
 * TABLE_ENTRIES, or the first entry that could not be.
 */
unsigned int table_translate(const uint64_t *from, uint64_t *to, unsigned int level,
                             uint64_t (*map)(void *data, uint64_t frame), void *data);

#endif
