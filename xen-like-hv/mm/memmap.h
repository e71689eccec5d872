/* SPDX-License-Identifier: MIT */
/*
 * The firmware's memory map, sorted and cut: which RAM there is, and what of it
 * the boot code took before there was an allocator.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H
#include "lib/types.h"

#define MEMMAP_MAX 64

struct mem_range {
	paddr_t start, end; /* whole pages */
};

/* RAM, sorted, disjoint, including the first MiB and what is taken. */
extern struct mem_range ram_ranges[MEMMAP_MAX];
extern unsigned int nr_ram_ranges;
/* RAM that nobody has taken yet: page_alloc_init takes it over. */
extern struct mem_range free_ranges[MEMMAP_MAX];
extern unsigned int nr_free_ranges;
extern uint64_t total_pages; /* RAM of the node, in frames */

void memmap_add_ram(paddr_t start, uint64_t size); /* in any order */
void memmap_finish(void);  /* sorts, cuts out the first MiB and the image, sets max_page */
/* Never given back. Low: lowest address above the image, inside the boot map; else the highest range that fits. */
paddr_t boot_alloc_low(uint64_t bytes);
paddr_t boot_alloc_high(uint64_t bytes, uint64_t align); /* 0: none fits */
#endif
