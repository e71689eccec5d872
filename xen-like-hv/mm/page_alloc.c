/* SPDX-License-Identifier: MIT */
/*
 * Buddy allocator, in two zones (below and above 4 GiB). RAM that was never
 * used is not on its lists: each range of it is a pair of frame numbers, off
 * which chunks are carved when the lists have none that fits. So neither the
 * RAM nor its page_info is touched before it is needed.
 */
#include "mm/page_alloc.h"
#include "boot/boot.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "lib/printk.h"
#include "mm/memmap.h"
#include "mm/private.h"
#include "x86/page.h"
#include "x86/spinlock.h"
#include "x86/tlb.h"

#define NR_ZONES 2
#define ZONE_LOW 0
#define ZONE_HIGH 1
#define FRAME_4G (1UL << (32 - PAGE_SHIFT))

/* Frames [next, end) never handed out. */
struct virgin {
	uint64_t next, end;
};

static bool ram_dirty; /* the firmware left traces: scrub what is carved */

static struct {
	uint32_t head[MAX_ORDER + 1];   /* first chunk of each order, 0: none */
	struct virgin virgin[MEMMAP_MAX];
	unsigned int nr_virgin;
} zones[NR_ZONES];

/* Protects the lists, the counts below and the page_info of free chunks' heads. */
static spinlock_t heap_lock = SPINLOCK_INIT;
static uint64_t free_pages, claimed_pages;

static unsigned int zone_of(uint64_t m)
{
	return m < FRAME_4G ? ZONE_LOW : ZONE_HIGH;
}

static struct page_info *page_at(uint64_t m)
{
	return mfn_to_page(mfn(m));
}

static void list_add(uint64_t m, unsigned int order, uint32_t stamp)
{
	uint32_t *head = &zones[zone_of(m)].head[order];
	struct page_info *pg = page_at(m);

	pg->count_info = pg->type_info = 0;
	pg->owner = 0;
	pg->order = (uint8_t)order;
	pg->flags = PGF_head;
	pg->u = stamp;
	pg->prev = 0;
	pg->next = *head;
	if (*head)
		page_at(*head)->prev = (uint32_t)m;
	*head = (uint32_t)m;
}

static void list_del(uint64_t m)
{
	struct page_info *pg = page_at(m);

	if (pg->prev)
		page_at(pg->prev)->next = pg->next;
	else
		zones[zone_of(m)].head[pg->order] = pg->next;
	if (pg->next)
		page_at(pg->next)->prev = pg->prev;
	pg->next = pg->prev = 0;
	pg->flags = 0;
}

/* The later of two times; 0 is "no flush needed". Distances stay far below half the range. */
static uint32_t later(uint32_t a, uint32_t b)
{
	if (!a || !b)
		return a | b;
	return (int32_t)(a - b) > 0 ? a : b;
}

static void insert_chunk(uint64_t m, unsigned int order, uint32_t stamp)
{
	while (order < MAX_ORDER) {
		uint64_t buddy = m ^ (1UL << order);
		struct page_info *b;

		if (buddy >= max_page || zone_of(buddy) != zone_of(m))
			break;
		b = page_at(buddy);
		if (!(b->flags & PGF_head) || b->order != order)
			break;
		stamp = later(stamp, b->u);
		list_del(buddy);
		m &= ~(1UL << order);
		order++;
	}
	list_add(m, order, stamp);
}

static uint64_t take_from_lists(unsigned int zone, unsigned int order, uint32_t *stamp)
{
	for (unsigned int o = order; o <= MAX_ORDER; o++) {
		uint64_t m = zones[zone].head[o];

		if (!m)
			continue;
		*stamp = page_at(m)->u;
		list_del(m);
		while (o-- > order)
			list_add(m + (1UL << o), o, *stamp);
		return m;
	}
	return 0;
}

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

			insert_chunk(v->next, o, 0);
			v->next += 1UL << o;
		}
		v->next += size;
		return m;
	}
	return 0;
}

static uint64_t take(unsigned int order, unsigned int flags, uint32_t *stamp)
{
	int zone = flags & ALLOC_BELOW_4G ? ZONE_LOW : ZONE_HIGH;

	*stamp = 0;
	/* What was used before first: the host backs that RAM already. */
	for (int z = zone; z >= 0; z--) {
		uint64_t m = take_from_lists((unsigned int)z, order, stamp);

		if (!m)
			m = carve((unsigned int)z, order);
		if (m)
			return m;
	}
	return 0;
}

struct page_info *page_alloc(unsigned int order, unsigned int flags)
{
	uint64_t m, lock_flags;
	struct page_info *pg;
	cpumask_t stale;
	uint32_t stamp;

	if (order > MAX_ORDER)
		return NULL;
	lock_flags = spin_lock_irqsave(&heap_lock);
	m = take(order, flags, &stamp);
	if (m)
		free_pages -= 1UL << order;
	spin_unlock_irqrestore(&heap_lock, lock_flags);
	if (!m)
		return NULL;
	pg = page_at(m);
	if (unlikely(ram_dirty))
		memset(page_to_virt(pg), 0, PAGE_SIZE << order);
	if (stamp) {
		stale = tlb_flush_filter(cpu_online_map, stamp);
		if (stale)
			flush_tlb_mask(stale);
	}
	/* For chunks that were never used this is the first touch of their page_info: only where it matters. */
	if (pg->u)
		pg->u = 0;
	return pg;
}

void heap_put(struct page_info *pg, unsigned int order, uint32_t stamp)
{
	uint64_t m = page_to_mfn(pg).m, size = 1UL << order;
	unsigned long flags;

	BUG_ON(!mfn_valid(mfn(m)) || (m & (size - 1)) || pg->flags & PGF_head);
	memset(page_to_virt(pg), 0, size << PAGE_SHIFT);
	/* Zero means "never used" in all but a head. */
	memset(pg, 0, size * sizeof(*pg));
	flags = spin_lock_irqsave(&heap_lock);
	insert_chunk(m, order, stamp);
	free_pages += size;
	spin_unlock_irqrestore(&heap_lock, flags);
}

void page_free(struct page_info *pg, unsigned int order)
{
	uint32_t now = tlb_clock_now();

	heap_put(pg, order, now ? now : 1);
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
	pg->count_info = PGC_hv | 1;
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
		page_free(pg, 0);
	else
		heap_put(pg, 0, 0);
}

int domain_claim_pages(struct domain *d, uint64_t pages)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);
	uint64_t others = claimed_pages - d->outstanding_pages;
	int rc = 0;

	if (pages > d->outstanding_pages && (free_pages < others || pages > free_pages - others)) {
		rc = -ENOMEM;
	} else {
		claimed_pages = others + pages;
		d->outstanding_pages = pages;
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
