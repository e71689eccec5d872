/* SPDX-License-Identifier: MIT */
#include "mm/memmap.h"
#include "mm/frametable.h"
#include "x86/printk.h"

struct mem_range ram_ranges[MEMMAP_MAX], free_ranges[MEMMAP_MAX];
unsigned int nr_ram_ranges, nr_free_ranges;
uint64_t total_pages, max_page;

extern char __image_start[], __image_end[];

#define LOW_END (1UL << 20)
#define BOOT_MAP_END (1UL << 32)
/* The direct map's 4 TiB; the slots of the frame table and the M2P describe more. */
#define PADDR_LIMIT (1UL << 42)

static void cut(struct mem_range *set, unsigned int *nr, paddr_t start, paddr_t end)
{
	for (unsigned int i = 0; i < *nr; i++) {
		struct mem_range r = set[i];

		if (r.end <= start || r.start >= end)
			continue;
		set[i].end = max(r.start, start);
		if (r.end <= end) {
			if (r.start < start)
				continue;
			set[i--] = set[--*nr]; /* nothing left of it */
		} else if (r.start >= start) {
			set[i] = (struct mem_range){ end, r.end };
		} else if (*nr < MEMMAP_MAX) {
			set[(*nr)++] = (struct mem_range){ end, r.end };
		}
	}
}

static void sort(struct mem_range *set, unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++)
		for (unsigned int j = i; j > 0 && set[j - 1].start > set[j].start; j--) {
			struct mem_range t = set[j];

			set[j] = set[j - 1];
			set[j - 1] = t;
		}
}

void memmap_add_ram(paddr_t start, uint64_t size)
{
	paddr_t end;

	if (start >= PADDR_LIMIT)
		return;
	end = start + min(size, PADDR_LIMIT - start);
	start = (start + ~PAGE_MASK) & PAGE_MASK;
	end &= PAGE_MASK;
	if (start >= end)
		return;
	/* Overlapping entries: the first one counts. */
	for (unsigned int i = 0; i < nr_ram_ranges; i++) {
		if (start >= ram_ranges[i].start && start < ram_ranges[i].end)
			start = ram_ranges[i].end;
		if (end > ram_ranges[i].start && start < ram_ranges[i].start)
			end = ram_ranges[i].start;
	}
	if (start < end && nr_ram_ranges < MEMMAP_MAX / 2)
		ram_ranges[nr_ram_ranges++] = (struct mem_range){ start, end };
}

void memmap_finish(void)
{
	if (!nr_ram_ranges)
		panic("no RAM in the memory map\n");
	sort(ram_ranges, nr_ram_ranges);
	for (unsigned int i = 0; i < nr_ram_ranges; i++) {
		total_pages += (ram_ranges[i].end - ram_ranges[i].start) >> PAGE_SHIFT;
		free_ranges[i] = ram_ranges[i];
	}
	nr_free_ranges = nr_ram_ranges;
	max_page = ram_ranges[nr_ram_ranges - 1].end >> PAGE_SHIFT;
	cut(free_ranges, &nr_free_ranges, 0, LOW_END);
	cut(free_ranges, &nr_free_ranges, sym_to_paddr(__image_start), sym_to_paddr(__image_end));
	sort(free_ranges, nr_free_ranges);
}

paddr_t boot_alloc_low(uint64_t bytes)
{
	bytes = (bytes + ~PAGE_MASK) & PAGE_MASK;
	for (unsigned int i = 0; i < nr_free_ranges; i++) {
		struct mem_range *r = &free_ranges[i];
		paddr_t p = r->start;

		/* The scrap between the first MiB and the image is left to the allocator. */
		if (p < sym_to_paddr(__image_end) || r->end - p < bytes || p + bytes > BOOT_MAP_END)
			continue;
		r->start += bytes;
		return p;
	}
	panic("not enough RAM below 4 GiB for the hypervisor's tables\n");
}

paddr_t boot_alloc_high(uint64_t bytes, uint64_t align)
{
	for (unsigned int i = nr_free_ranges; i--;) {
		struct mem_range r = free_ranges[i];
		paddr_t p;

		if (r.end - r.start < bytes)
			continue;
		p = (r.end - bytes) & ~(align - 1);
		if (p < r.start)
			continue;
		cut(free_ranges, &nr_free_ranges, p, p + bytes);
		sort(free_ranges, nr_free_ranges);
		return p;
	}
	return 0;
}

bool mfn_valid(mfn_t m)
{
	paddr_t p = m.m << PAGE_SHIFT;

	if (m.m >= max_page)
		return false;
	for (unsigned int i = nr_ram_ranges; i--;)
		if (p >= ram_ranges[i].start)
			return p < ram_ranges[i].end;
	return false;
}
