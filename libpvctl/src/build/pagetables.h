/* SPDX-License-Identifier: MIT */
/* The bootstrap page tables, in a local buffer. Pure. */
#ifndef BUILD_PAGETABLES_H
#define BUILD_PAGETABLES_H

#include "build/layout.h"

#define PTE_PRESENT 0x01ull
#define PTE_WRITABLE 0x02ull
#define PTE_USER 0x04ull
#define PTE_ACCESSED 0x20ull
#define PTE_DIRTY 0x40ull
#define TABLE_ENTRIES 512u

/*
 * p2m: the machine frame of each pfn below l->used_pages. main: zeroed room for
 * table_range_count(&l->main) pages, the L4 first; p2m_tables likewise (NULL
 * unless l->p2m_apart).
 */
void pagetables_make(const struct layout *l, const uint64_t *p2m, uint64_t *main, uint64_t *p2m_tables);

#endif
