/* SPDX-License-Identifier: MIT */
/*
 * Objects up to 2 KiB: pages cut into equal slots of a power of two, one list
 * of pages with free slots for each size. Larger ones: whole chunks. The page's
 * page_info says which; an object's address leads to it.
 */
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "mm/private.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/spinlock.h"

#define MIN_SHIFT 5
#define MAX_SHIFT 11
#define NR_CLASSES (MAX_SHIFT - MIN_SHIFT + 1)
#define CLASS_LARGE 0xffu

/* In a free slot: the next one's offset in the page, 1 at the end (0 is a slot). */
struct slot {
	uint32_t next;
};
#define SLOT_END 1u

/*
 * page_info of a heap page: count_info PGC_hv, order the class or CLASS_LARGE
 * (then u the chunk's order), type_info free slots, u the first free slot.
 * Pages with a free slot are on the class's list by next and prev.
 */
static struct {
	spinlock_t lock;
	uint32_t head;
} classes[NR_CLASSES];

static unsigned int class_of(size_t size)
{
	unsigned int shift = MIN_SHIFT;

	while ((1UL << shift) < size)
		shift++;
	return shift - MIN_SHIFT;
}

static unsigned int slots_per_page(unsigned int class)
{
	return PAGE_SIZE >> (class + MIN_SHIFT);
}

static void list_add(unsigned int class, struct page_info *pg)
{
	uint32_t m = (uint32_t)page_to_mfn(pg).m, head = classes[class].head;

	pg->prev = 0;
	pg->next = head;
	if (head)
		mfn_to_page(mfn(head))->prev = m;
	classes[class].head = m;
}

static void list_del(unsigned int class, struct page_info *pg)
{
	if (pg->prev)
		mfn_to_page(mfn(pg->prev))->next = pg->next;
	else
		classes[class].head = pg->next;
	if (pg->next)
		mfn_to_page(mfn(pg->next))->prev = pg->prev;
	pg->next = pg->prev = 0;
}

static struct page_info *new_page(unsigned int class)
{
	char *va = alloc_hv_page();
	struct page_info *pg;
	uint32_t step = 1u << (class + MIN_SHIFT), off;

	if (!va)
		return NULL;
	pg = mfn_to_page(virt_to_mfn(va));
	for (off = 0; off < PAGE_SIZE; off += step)
		((struct slot *)(va + off))->next = off + step < PAGE_SIZE ? off + step : SLOT_END;
	pg->order = (uint8_t)class;
	pg->type_info = slots_per_page(class);
	pg->u = 0;
	return pg;
}

static void *alloc_small(unsigned int class)
{
	unsigned long flags = spin_lock_irqsave(&classes[class].lock);
	struct page_info *pg;
	struct slot *s;

	if (!classes[class].head) {
		/* The page allocator may wait for other CPUs: not under the lock. */
		spin_unlock_irqrestore(&classes[class].lock, flags);
		pg = new_page(class);
		if (!pg)
			return NULL;
		flags = spin_lock_irqsave(&classes[class].lock);
		list_add(class, pg);
	}
	pg = mfn_to_page(mfn(classes[class].head));
	s = (struct slot *)((char *)page_to_virt(pg) + pg->u);
	pg->u = s->next;
	if (--pg->type_info == 0)
		list_del(class, pg);
	spin_unlock_irqrestore(&classes[class].lock, flags);
	/* Freed slots are zero but for this word. */
	s->next = 0;
	return s;
}

static void free_small(struct page_info *pg, void *p)
{
	unsigned int class = pg->order;
	unsigned long flags;
	bool empty;

	memset(p, 0, 1UL << (class + MIN_SHIFT));
	flags = spin_lock_irqsave(&classes[class].lock);
	((struct slot *)p)->next = pg->u;
	pg->u = (uint32_t)((uint64_t)p & ~PAGE_MASK);
	if (pg->type_info++ == 0)
		list_add(class, pg);
	/* One empty page stays, so that a lone object does not cost a page's work each time. */
	empty = pg->type_info == slots_per_page(class) && (pg->next || pg->prev);
	if (empty)
		list_del(class, pg);
	spin_unlock_irqrestore(&classes[class].lock, flags);
	if (empty)
		free_hv_page(page_to_virt(pg));
}

static void *alloc_large(size_t size)
{
	unsigned int order = 0;
	struct page_info *pg;

	while ((PAGE_SIZE << order) < size)
		if (++order > MAX_ORDER)
			return NULL;
	pg = page_alloc(order, 0);
	if (!pg)
		return NULL;
	pg->count_info = PGC_hv;
	pg->order = CLASS_LARGE;
	pg->u = order;
	return page_to_virt(pg);
}

static void free_large(struct page_info *pg)
{
	heap_put(pg, pg->u);
}

void *xzalloc_bytes(size_t size, size_t align)
{
	size = max(size, align);
	if (size > (PAGE_SIZE << MAX_ORDER) || align > PAGE_SIZE)
		return NULL;
	return size <= 1UL << MAX_SHIFT ? alloc_small(class_of(size)) : alloc_large(size);
}

void xfree(void *p)
{
	struct page_info *pg;

	if (!p)
		return;
	pg = mfn_to_page(virt_to_mfn(p));
	BUG_ON(pg->count_info != PGC_hv);
	if (pg->order == CLASS_LARGE)
		free_large(pg);
	else
		free_small(pg, p);
}
