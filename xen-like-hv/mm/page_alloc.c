/* SPDX-License-Identifier: MIT */
/*
 * Buddy allocator, in two zones (below and above 4 GiB). RAM that was never
 * used is not on its lists: each range of it is a pair of frame numbers, off
 * which chunks are carved when the lists have none that fits. So neither the
 * RAM nor its page_info is touched before it is needed.
 *
 * What guests had is freed as it is: another CPU's TLB may know it until the
 * flush that comes before its next use, and what is stored there by then must
 * be zeroed as well. Zeroing waits until after that flush (mm/page_dirty.c), and
 * is mostly left to the host. The hypervisor's own pages are zeroed at once.
 */
#include "mm/page_alloc.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/memmap.h"
#include "mm/private.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/tlb.h"

/* For those who cannot be preempted, and want little in a piece. */
#define GATHER_TIMES 16u

/* Frames [next, end) never handed out. */
struct virgin {
	uint64_t next, end;
};

static bool ram_dirty; /* the firmware left traces: scrub what is carved */

static struct {
	struct virgin virgin[MEMMAP_MAX];
	unsigned int nr_virgin;
} zones[NR_ZONES];

/* Under heap_lock. All that nobody owns: never used, clean, dirty, at the host. */
static uint64_t free_pages, claimed_pages;

/* What lies before an aligned chunk goes to the lists: at most one chunk an order. */
static uint64_t carve(unsigned int zone, unsigned int order)
{
	uint64_t size = 1UL << order;

	for (unsigned int i = 0; i < zones[zone].nr_virgin; i++) {
		struct virgin *v = &zones[zone].virgin[i];
		uint64_t m = (v->next + size - 1) & ~(size - 1);

		if (m + size > v->end)
			continue;
		while (v->next < m) {
			unsigned int o = (unsigned int)__builtin_ctzl(v->next);

			buddy_insert(v->next, o, CHUNK_clean, 0);
			WRITE_ONCE(v->next, v->next + (1UL << o));
		}
		WRITE_ONCE(v->next, v->next + size);
		return m;
	}
	return 0;
}

uint64_t page_skip_virgin(uint64_t m)
{
	for (unsigned int z = 0; z < NR_ZONES; z++)
		for (unsigned int i = 0; i < zones[z].nr_virgin; i++) {
			const struct virgin *v = &zones[z].virgin[i];

			if (m >= READ_ONCE(v->next) && m < v->end)
				return v->end;
		}
	return m;
}

/* What reads as zero first; among that, what was used before: the host may back that RAM already. */
static uint64_t take(unsigned int order, unsigned int flags, enum chunk_kind *kind, uint32_t *stamp)
{
	int first = flags & ALLOC_BELOW_4G ? ZONE_LOW : ZONE_HIGH;

	*stamp = 0;
	for (*kind = CHUNK_clean; *kind < NR_CHUNK_KINDS; ++*kind)
		for (int z = first; z >= 0; z--) {
			uint64_t m = buddy_take((unsigned int)z, *kind, order, stamp);

			if (!m && *kind == CHUNK_clean)
				m = carve((unsigned int)z, order);
			if (m) {
				free_pages -= 1UL << order;
				return m;
			}
		}
	return 0;
}

/*
 * A claim is used up by the allocations it was made for; nobody else, the
 * hypervisor included, may have what is claimed. In one piece with the taking:
 * two CPUs would each find the last unclaimed chunk free.
 */
static uint64_t take_locked(struct page_claim *claim, unsigned int order, unsigned int flags, enum chunk_kind *kind,
			    uint32_t *stamp, bool *refused)
{
	unsigned long irq = spin_lock_irqsave(&heap_lock);
	uint64_t n = 1ULL << order, own = claim ? claim->outstanding : 0, m = 0;

	*refused = unlikely(claimed_pages != 0) && free_pages < claimed_pages - own + n;
	if (!*refused)
		m = take(order, flags, kind, stamp);
	if (m && unlikely(own)) {
		claim->outstanding -= min(own, n);
		claimed_pages -= min(own, n);
	}
	spin_unlock_irqrestore(&heap_lock, irq);
	return m;
}

void flush_stale(uint32_t stamp)
{
	cpumask_t stale = stamp ? tlb_flush_filter(cpu_online_map, stamp) : 0;

	if (stale)
		flush_tlb_mask(stale);
}

struct page_info *page_alloc_for(struct page_claim *claim, unsigned int order, unsigned int flags)
{
	struct page_info *pg;
	enum chunk_kind kind;
	unsigned int i;
	uint32_t stamp;
	bool refused;
	uint64_t m;

	if (order > MAX_ORDER)
		return NULL;
	m = take_locked(claim, order, flags, &kind, &stamp, &refused);
	for (i = 0; !m && !refused && i < GATHER_TIMES && !(flags & ALLOC_NO_GATHER) && page_gather(order); i++)
		m = take_locked(claim, order, flags, &kind, &stamp, &refused);
	if (!m)
		return NULL;
	pg = page_at(m);
	/* In this order: who could still store there must be gone when it is zeroed. */
	flush_stale(stamp);
	if (unlikely(kind != CHUNK_clean || ram_dirty))
		memset(page_to_virt(pg), 0, PAGE_SIZE << order);
	/* For chunks that were never used this is the first touch of their page_info: only where it matters. */
	if (pg->u)
		pg->u = 0;
	return pg;
}

struct page_info *page_alloc(unsigned int order, unsigned int flags)
{
	return page_alloc_for(NULL, order, flags);
}

static void insert_run(uint64_t m, uint64_t n, enum chunk_kind kind, uint32_t stamp)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);

	free_pages += n;
	while (n > 0) {
		unsigned int order = min((unsigned int)__builtin_ctzl(m), 63u - (unsigned int)__builtin_clzl(n));

		order = min(order, (unsigned int)MAX_ORDER);
		buddy_insert(m, order, kind, stamp);
		m += 1UL << order;
		n -= 1UL << order;
	}
	spin_unlock_irqrestore(&heap_lock, flags);
}

void heap_put(struct page_info *pg, unsigned int order)
{
	uint64_t m = page_to_mfn(pg).m, size = 1UL << order;

	BUG_ON(!mfn_valid(mfn(m)) || (m & (size - 1)) || pg->flags & (PGF_head | PGF_out));
	memset(page_to_virt(pg), 0, size << PAGE_SHIFT);
	/* Zero means "never used" in all but a head. */
	memset(pg, 0, size * sizeof(*pg));
	insert_run(m, size, CHUNK_clean, 0);
}

void page_free_run(struct page_info *pg, uint64_t n, bool code)
{
	uint64_t m = page_to_mfn(pg).m;
	uint32_t stamp = tlb_clock_now();

	BUG_ON(!mfn_valid(mfn(m)) || !mfn_valid(mfn(m + n - 1)));
	for (uint64_t i = 0; i < n; i++) {
		BUG_ON(pg[i].flags & (PGF_head | PGF_out) || pg[i].count_info);
		pg[i] = (struct page_info){ 0 };
	}
	insert_run(m, n, code ? CHUNK_code : CHUNK_dirty, stamp);
}

void page_free(struct page_info *pg)
{
	pg->count_info = 0;
	page_free_run(pg, 1, pg->flags & PGF_exec);
}

uint64_t free_pages_total(void)
{
	return READ_ONCE(free_pages);
}

uint64_t claimed_pages_total(void)
{
	return READ_ONCE(claimed_pages);
}

void *alloc_hv_page(void)
{
	struct page_info *pg = page_alloc(0, 0);

	if (!pg)
		return NULL;
	pg->count_info = PGC_hv;
	return page_to_virt(pg);
}

void free_hv_page(void *va)
{
	struct page_info *pg;

	if (!va)
		return;
	pg = mfn_to_page(virt_to_mfn(va));
	/* Unless a guest could map it (share_hv_page_with_guest), no guest's TLB entry can be left. */
	if (pg->count_info & PGC_allocated)
		page_free(pg);
	else
		heap_put(pg, 0);
}

int claim_pages(struct page_claim *claim, uint64_t pages)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);
	uint64_t others = claimed_pages - claim->outstanding;
	int rc = 0;

	if (pages > claim->outstanding && (free_pages < others || pages > free_pages - others)) {
		rc = -ENOMEM;
	} else {
		claimed_pages = others + pages;
		claim->outstanding = pages;
	}
	spin_unlock_irqrestore(&heap_lock, flags);
	return rc;
}

static void add_virgin(uint64_t start, uint64_t end)
{
	unsigned int z = zone_of(start);

	if (start >= end)
		return;
	zones[z].virgin[zones[z].nr_virgin++] = (struct virgin){ start, end };
	free_pages += end - start;
}

void page_alloc_init(void)
{
	ram_dirty = cmdline_flag("dirty-ram");
	for (unsigned int i = 0; i < nr_free_ranges; i++) {
		uint64_t start = free_ranges[i].start >> PAGE_SHIFT, end = free_ranges[i].end >> PAGE_SHIFT;

		add_virgin(start, min(end, FRAME_4G));
		add_virgin(max(start, FRAME_4G), end);
	}
	nr_free_ranges = 0;
}
