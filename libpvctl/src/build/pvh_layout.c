/* SPDX-License-Identifier: MIT */
#include "build/pvh_layout.h"
#include "build/layout.h"
#include "util/err.h"
#include <string.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & -PAGE_SIZE;
}

static int check(const struct pvh_layout_in *in, struct pvctl_error *err)
{
	if (in->kernel_end <= in->kernel_start || in->kernel_end > (uint64_t)PVH_LOW_END_GFN << PAGE_SHIFT)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's segments do not lie below 4 GiB, where a PVH domain's memory is");
	if (in->entry < in->kernel_start || in->entry >= in->kernel_end || in->entry > UINT32_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "the kernel's PVH entry is outside of it");
	if (in->nr_pages <= PVH_APART_PAGES || in->nr_pages > LAYOUT_MAX_PAGES)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "memory: %llu pages cannot be laid out",
		               (unsigned long long)in->nr_pages);
	return 0;
}

static void place_regions(struct pvh_layout *l)
{
	static const uint64_t gfn[PVH_REGIONS] = { 0, PVH_HIGH_GFN, PVH_ACPI_GFN, PVH_STORE_GFN, PVH_CONSOLE_GFN };
	uint64_t ram = l->nr_pages - PVH_APART_PAGES, low = ram < PVH_LOW_END_GFN ? ram : PVH_LOW_END_GFN, at = 0;
	const uint64_t pages[PVH_REGIONS] = { low, ram - low, 1, 1, 1 };

	for (unsigned int i = 0; i < PVH_REGIONS; i++) {
		l->region[i] = (struct pvh_region){ .gfn = gfn[i], .index = at, .pages = pages[i] };
		at += pages[i];
	}
}

void pvh_layout_memory(uint64_t nr_pages, struct pvh_layout *ret)
{
	*ret = (struct pvh_layout){ .nr_pages = nr_pages };
	place_regions(ret);
}

uint64_t pvh_layout_gfns(uint64_t nr_pages)
{
	uint64_t low = PVH_LOW_END_GFN + PVH_APART_PAGES;

	return nr_pages > low ? PVH_HIGH_GFN + nr_pages - low : PVH_CONSOLE_GFN + 1;
}

int pvh_layout_make(const struct pvh_layout_in *in, struct pvh_layout *ret, struct pvctl_error *err)
{
	struct pvh_layout l;
	uint64_t end;
	int rc = check(in, err);

	if (rc)
		return rc;
	pvh_layout_memory(in->nr_pages, &l);
	l.entry = (uint32_t)in->entry;
	l.ramdisk_bytes = in->ramdisk_bytes;
	l.info_paddr = page_up(in->kernel_end);
	end = l.info_paddr + PAGE_SIZE;
	if (in->ramdisk_bytes) {
		l.ramdisk_paddr = end;
		/* Sizes of files are far below 2^63. */
		end += page_up(in->ramdisk_bytes);
	}
	if (end > (uint64_t)PVH_LOW_END_GFN << PAGE_SHIFT)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "kernel and ramdisk do not fit below 4 GiB");
	l.used_pages = end >> PAGE_SHIFT;
	if (l.used_pages > l.region[PVH_LOW].pages)
		return err_set(err, -ENOMEM, PVCTL_ORIGIN_LIB,
		               "memory: %llu MiB are too few to load this kernel and ramdisk: at least %llu MiB are needed",
		               (unsigned long long)l.nr_pages >> 8,
		               (unsigned long long)((l.used_pages + PVH_APART_PAGES + 255) >> 8));
	*ret = l;
	return 0;
}

unsigned int pvh_memory_map(const struct pvh_layout *l, struct hv_map_entry map[PVH_MAP_MAX])
{
	const struct pvh_region *low = &l->region[PVH_LOW], *high = &l->region[PVH_HIGH];
	unsigned int n = 0;

	map[n++] = (struct hv_map_entry){ 0, low->pages << PAGE_SHIFT, XEN_HVM_MEMMAP_TYPE_RAM };
	map[n++] = (struct hv_map_entry){ (uint64_t)PVH_ACPI_GFN << PAGE_SHIFT, PAGE_SIZE, XEN_HVM_MEMMAP_TYPE_ACPI };
	map[n++] = (struct hv_map_entry){ (uint64_t)PVH_SPECIAL_GFN << PAGE_SHIFT, PVH_SPECIAL_PAGES * PAGE_SIZE,
	                                   XEN_HVM_MEMMAP_TYPE_RESERVED };
	if (high->pages)
		map[n++] = (struct hv_map_entry){ (uint64_t)PVH_HIGH_GFN << PAGE_SHIFT, high->pages << PAGE_SHIFT,
		                                   XEN_HVM_MEMMAP_TYPE_RAM };
	return n;
}
