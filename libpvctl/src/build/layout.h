/* SPDX-License-Identifier: MIT */
/*
 * Where everything goes in a new domain: arithmetic alone, after the
 * "Start-of-day memory layout" of the public xen.h. One contiguous virtual
 * region from virt_base, mapped 1:1 onto pfn 0 and up; behind it, in pfns only,
 * what the kernel said it wants outside: the p2m list (INIT_P2M, with page
 * tables of its own) and the ramdisk (MOD_START_PFN).
 */
#ifndef BUILD_LAYOUT_H
#define BUILD_LAYOUT_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define LAYOUT_MAX_PAGES (1ull << 28) /* 1 TiB */

/* A range of page tables: how many of each level, in the order L4 L3 L2 L1. */
struct table_range {
	uint64_t va, va_last;    /* first byte, last byte */
	uint64_t pfn;            /* of its first table */
	uint64_t n4, n3, n2, n1; /* n4 is 0 where the L4 is the main range's */
};

struct layout_in {
	uint64_t virt_base;
	uint64_t kernel_start, kernel_end; /* virtual; file and bss */
	uint64_t entry;
	uint64_t nr_pages;
	uint64_t ramdisk_bytes;  /* 0: none */
	bool ramdisk_unmapped;   /* the kernel takes it by pfn */
	bool has_p2m_base;
	uint64_t p2m_base;
};

struct layout {
	uint64_t virt_base, virt_end;      /* the region; virt_end may be 0 = 2^64 */
	uint64_t region_pages;
	uint64_t entry;
	uint64_t nr_pages;
	uint64_t ramdisk_pfn, ramdisk_va;  /* va 0: not mapped */
	uint64_t ramdisk_bytes;
	uint64_t p2m_va, p2m_pfn, p2m_pages;
	bool p2m_apart;
	uint64_t start_info_pfn, store_pfn, console_pfn, stack_pfn;
	struct table_range main, p2m_tables; /* p2m_tables: when p2m_apart */
	uint64_t used_pages;               /* all of the above: pfns 0..used_pages-1 */
};

static inline uint64_t layout_va(const struct layout *l, uint64_t pfn)
{
	return l->virt_base + (pfn << PAGE_SHIFT);
}
static inline uint64_t table_range_count(const struct table_range *r)
{
	return r->n4 + r->n3 + r->n2 + r->n1;
}
/* -EINVAL: the kernel asks for the impossible; -ENOMEM: nr_pages are too few, the message says how many it takes. */
int layout_make(const struct layout_in *in, struct layout *ret, struct pvctl_error *err);

#endif
