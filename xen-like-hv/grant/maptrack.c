/* SPDX-License-Identifier: MIT */
/* Handles of a domain's mappings. Pages of them are added as they are needed. */
#include "grant/private.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "x86/softirq.h"

struct maptrack *maptrack_get(struct grant_table *gt, uint32_t handle)
{
	if (handle / MAPTRACK_PER_PAGE >= gt->nr_maptrack)
		return NULL;
	return &gt->maptrack[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

static bool grow(struct grant_table *gt)
{
	uint32_t i, base = gt->nr_maptrack * MAPTRACK_PER_PAGE;
	struct maptrack *page;

	if (gt->nr_maptrack == gt->max_maptrack)
		return false;
	if (gt->maptrack == NULL) {
		gt->maptrack = xzalloc_array(struct maptrack *, gt->max_maptrack);
		if (gt->maptrack == NULL)
			return false;
	}
	page = alloc_hv_page();
	if (page == NULL)
		return false;
	for (i = 0; i < MAPTRACK_PER_PAGE; i++)
		page[i].next_free = i + 1 < MAPTRACK_PER_PAGE ? base + i + 1 : gt->free_handle;
	gt->maptrack[gt->nr_maptrack] = page;
	__atomic_store_n(&gt->nr_maptrack, gt->nr_maptrack + 1, __ATOMIC_RELEASE);
	gt->free_handle = base;
	return true;
}

uint32_t maptrack_alloc(struct grant_table *gt)
{
	uint32_t handle = MAPTRACK_NONE;

	spin_lock(&gt->maptrack_lock);
	if (gt->free_handle != MAPTRACK_NONE || grow(gt)) {
		handle = gt->free_handle;
		gt->free_handle = maptrack_get(gt, handle)->next_free;
	}
	spin_unlock(&gt->maptrack_lock);
	return handle;
}

void maptrack_free(struct grant_table *gt, uint32_t handle)
{
	struct maptrack *m;

	spin_lock(&gt->maptrack_lock);
	m = maptrack_get(gt, handle);
	m->rd = NULL;
	m->flags = 0;
	m->next_free = gt->free_handle;
	gt->free_handle = handle;
	spin_unlock(&gt->maptrack_lock);
}

static bool page_maps(struct grant_table *gt, uint32_t page, mfn_t frame)
{
	const struct maptrack *m = gt->maptrack[page];
	bool found = false;
	uint32_t n;

	spin_lock(&gt->maptrack_lock);
	for (n = 0; n < MAPTRACK_PER_PAGE && !found; n++)
		found = m[n].rd != NULL && m[n].frame.m == frame.m;
	spin_unlock(&gt->maptrack_lock);
	return found;
}

int maptrack_maps(struct grant_table *gt, mfn_t frame)
{
	uint32_t i, n = __atomic_load_n(&gt->nr_maptrack, __ATOMIC_ACQUIRE);

	for (i = 0; i < n; i++) {
		if (page_maps(gt, i, frame))
			return 1;
		if (preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}
