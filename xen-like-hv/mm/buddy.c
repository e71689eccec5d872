/* SPDX-License-Identifier: MIT */
#include "mm/buddy.h"
#include "x86/printk.h"

static uint32_t heads[NR_ZONES][NR_CHUNK_KINDS][MAX_ORDER + 1]; /* first chunk, 0: none */
uint64_t buddy_pages[NR_CHUNK_KINDS];
spinlock_t heap_lock = SPINLOCK_INIT;

static const uint8_t flags_of[NR_CHUNK_KINDS] = {
	[CHUNK_clean] = PGF_head,
	[CHUNK_dirty] = PGF_head | PGF_dirty,
	[CHUNK_code] = PGF_head | PGF_dirty | PGF_exec,
};

static enum chunk_kind kind_of(const struct page_info *pg)
{
	return !(pg->flags & PGF_dirty) ? CHUNK_clean : pg->flags & PGF_exec ? CHUNK_code : CHUNK_dirty;
}

static void list_add(uint64_t m, unsigned int order, enum chunk_kind kind, uint32_t stamp)
{
	uint32_t *head = &heads[zone_of(m)][kind][order];
	struct page_info *pg = page_at(m);

	pg->count_info = pg->type_info = 0;
	pg->owner = 0;
	pg->order = (uint8_t)order;
	pg->flags = flags_of[kind];
	pg->u = stamp;
	pg->prev = 0;
	pg->next = *head;
	if (*head)
		page_at(*head)->prev = (uint32_t)m;
	*head = (uint32_t)m;
	buddy_pages[kind] += 1UL << order;
}

static void list_del(uint64_t m)
{
	struct page_info *pg = page_at(m);
	enum chunk_kind kind = kind_of(pg);

	if (pg->prev)
		page_at(pg->prev)->next = pg->next;
	else
		heads[zone_of(m)][kind][pg->order] = pg->next;
	if (pg->next)
		page_at(pg->next)->prev = pg->prev;
	pg->next = pg->prev = 0;
	pg->flags = 0;
	buddy_pages[kind] -= 1UL << pg->order;
}

void buddy_insert(uint64_t m, unsigned int order, enum chunk_kind kind, uint32_t stamp)
{
	while (order < MAX_ORDER) {
		uint64_t buddy = m ^ (1UL << order);
		struct page_info *b;

		if (buddy >= max_page || zone_of(buddy) != zone_of(m))
			break;
		b = page_at(buddy);
		if (b->flags != flags_of[kind] || b->order != order)
			break;
		stamp = tlb_later(stamp, b->u);
		list_del(buddy);
		m &= ~(1UL << order);
		order++;
	}
	list_add(m, order, kind, stamp);
}

uint64_t buddy_take(unsigned int zone, enum chunk_kind kind, unsigned int order, uint32_t *stamp)
{
	for (unsigned int o = order; o <= MAX_ORDER; o++) {
		uint64_t m = heads[zone][kind][o];

		if (!m)
			continue;
		*stamp = page_at(m)->u;
		list_del(m);
		while (o-- > order)
			list_add(m + (1UL << o), o, kind, *stamp);
		return m;
	}
	return 0;
}

uint64_t buddy_take_largest(enum chunk_kind kind, unsigned int *order, uint32_t *stamp)
{
	if (!buddy_pages[kind])
		return 0;
	for (unsigned int o = MAX_ORDER + 1; o-- > 0;)
		for (unsigned int z = NR_ZONES; z-- > 0;) {
			if (!heads[z][kind][o])
				continue;
			*order = min(*order, o);
			return buddy_take(z, kind, *order, stamp);
		}
	BUG();
}
