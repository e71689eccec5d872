/* SPDX-License-Identifier: MIT */
/*
 * Where everything goes in a new PVH domain: arithmetic alone. Its memory is named
 * twice: by guest frame numbers, with a hole below 4 GiB, and by an index from 0 on
 * without one, which struct dommem counts by. Up to low_pages they are the same.
 */
#ifndef BUILD_PVH_LAYOUT_H
#define BUILD_PVH_LAYOUT_H

#include "hv/hv.h"
#include <stdint.h>

/* RAM ends below the tables; above those, the local APIC has its page, and the rings lie where other tools look for them. */
#define PVH_LOW_END_GFN 0xfc000u
#define PVH_ACPI_GFN 0xfc000u
#define PVH_STORE_GFN 0xfeffcu
#define PVH_CONSOLE_GFN 0xfefffu
#define PVH_SPECIAL_GFN 0xfeff8u
#define PVH_SPECIAL_PAGES 8u
#define PVH_HIGH_GFN 0x100000u
/* ACPI tables, store and console: they are part of the domain's memory. */
#define PVH_APART_PAGES 3u

struct pvh_region {
	uint64_t gfn, index, pages;
};
enum { PVH_LOW, PVH_HIGH, PVH_ACPI, PVH_STORE, PVH_CONSOLE, PVH_REGIONS };

struct pvh_layout_in {
	uint64_t kernel_start, kernel_end; /* physical */
	uint64_t entry;
	uint64_t nr_pages;
	uint64_t ramdisk_bytes;
};
struct pvh_layout {
	struct pvh_region region[PVH_REGIONS];
	uint64_t nr_pages;
	uint32_t entry;
	uint64_t info_paddr;     /* one page: hvm_start_info and what it points to */
	uint64_t ramdisk_paddr, ramdisk_bytes;
	uint64_t used_pages;     /* of the low region */
};

#define PVH_MAP_MAX 4u

/* -EINVAL: the kernel asks for the impossible; -ENOMEM: nr_pages are too few, the message says how many it takes. */
int pvh_layout_make(const struct pvh_layout_in *in, struct pvh_layout *ret, struct pvctl_error *err);
/* So many gfns have all that a domain of nr_pages is laid out at below them. */
uint64_t pvh_layout_gfns(uint64_t nr_pages);
/* Where its memory goes, whatever is in it. nr_pages is more than PVH_APART_PAGES. */
void pvh_layout_memory(uint64_t nr_pages, struct pvh_layout *ret);
/* What the guest may take its memory for, in order: how many there are. */
unsigned int pvh_memory_map(const struct pvh_layout *l, struct hv_map_entry map[PVH_MAP_MAX]);

#endif
