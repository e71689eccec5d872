/* SPDX-License-Identifier: MIT */
/*
 * Free frames that still hold what their last owner left. They are zeroed when
 * they are allocated, or else the host makes holes of them in the node's RAM
 * file, which read as zero and cost it no memory.
 *
 * Frames that were mapped executable are not given to the host as they are: an
 * emulator may keep translations of what was executed there, and only a store
 * of ours, not one of the host's, makes it forget them. Such a store can cost
 * it a microsecond, so these are zeroed here, a few at a time, when the host
 * asks for dirty frames and there are no others.
 */
#include "lib/errno.h"
#include "mm/buddy.h"
#include "mm/page_host.h"
#include "x86/printk.h"
#include "x86/softirq.h"
#include "x86/tsc.h"

#define TAKE_ORDER 10u     /* 4 MiB: */
#define TAKE_PAGES 1024u   /* little is ever missed by an allocation */
#define CODE_TIME MICROSECS(500)
#define CODE_ORDER 3u      /* 8 frames: lists and locks cost more than the zeroing of one */
#define GATHER_ORDER 8u
#define GATHER_PAGES 256u   /* 1 MiB: less than a millisecond */
#define GATHER_MAX_ORDER 12u

/* Chunks at the host: PGF_out in the head, linked by next and prev. */
static uint32_t out_list;
static uint64_t out_pages;

uint64_t dirty_pages_total(void)
{
	return READ_ONCE(buddy_pages[CHUNK_dirty]) + READ_ONCE(buddy_pages[CHUNK_code]) + READ_ONCE(out_pages);
}

static void out_add(uint64_t m, unsigned int order)
{
	struct page_info *pg = page_at(m);

	pg->flags = PGF_out;
	pg->order = (uint8_t)order;
	pg->prev = 0;
	pg->next = out_list;
	if (out_list)
		page_at(out_list)->prev = (uint32_t)m;
	out_list = (uint32_t)m;
	out_pages += 1UL << order;
}

static void out_del(uint64_t m)
{
	struct page_info *pg = page_at(m);

	if (pg->prev)
		page_at(pg->prev)->next = pg->next;
	else
		out_list = pg->next;
	if (pg->next)
		page_at(pg->next)->prev = pg->prev;
	pg->next = pg->prev = 0;
	pg->flags = 0;
	out_pages -= 1UL << pg->order;
}

/* A few frames: zeroed, and fit for the host then. False: there is none. */
static bool scrub_code_frames(void)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);
	unsigned int order = CODE_ORDER;
	uint32_t stamp = 0;
	uint64_t m = buddy_take_largest(CHUNK_code, &order, &stamp);

	spin_unlock_irqrestore(&heap_lock, flags);
	if (!m)
		return false;
	flush_stale(stamp);
	memset(page_to_virt(page_at(m)), 0, PAGE_SIZE << order);
	flags = spin_lock_irqsave(&heap_lock);
	buddy_insert(m, order, CHUNK_dirty, 0);
	spin_unlock_irqrestore(&heap_lock, flags);
	return true;
}

static unsigned int take_dirty(struct node_pages *to, unsigned int max)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);
	unsigned int n = 0, pages = 0;
	uint32_t stamp = 0;

	while (n < max && pages < TAKE_PAGES) {
		unsigned int order = TAKE_ORDER;
		uint32_t s = 0;
		uint64_t m = buddy_take_largest(CHUNK_dirty, &order, &s);

		if (!m)
			break;
		out_add(m, order);
		stamp = tlb_later(stamp, s);
		pages += 1u << order;
		to[n++] = (struct node_pages){ m, 1UL << order };
	}
	spin_unlock_irqrestore(&heap_lock, flags);
	/* Whoever still had one mapped would fill the hole again. */
	flush_stale(stamp);
	return n;
}

unsigned int dirty_take(struct node_pages *to, unsigned int max)
{
	s_time_t until;

	if (READ_ONCE(buddy_pages[CHUNK_dirty]) == 0) {
		until = NOW() + CODE_TIME;
		while (scrub_code_frames() && NOW() < until && !preempt_wanted())
			;
	}
	return take_dirty(to, max);
}

int dirty_done(const struct node_pages *from, unsigned int n)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);
	int rc = 0;

	for (unsigned int i = 0; i < n && !rc; i++) {
		struct node_pages p = { READ_ONCE(from[i].mfn), READ_ONCE(from[i].nr_pages) };
		struct page_info *pg = mfn_valid(mfn(p.mfn)) ? page_at(p.mfn) : NULL;

		if (!pg || pg->flags != PGF_out || p.nr_pages != 1UL << pg->order) {
			rc = -EINVAL;
			break;
		}
		out_del(p.mfn);
		buddy_insert(p.mfn, pg->order, CHUNK_clean, 0);
	}
	spin_unlock_irqrestore(&heap_lock, flags);
	return rc;
}

void dirty_reset_host(void)
{
	unsigned long flags = spin_lock_irqsave(&heap_lock);

	while (out_list) {
		uint64_t m = out_list;

		out_del(m);
		buddy_insert(m, page_at(m)->order, CHUNK_dirty, 0);
	}
	spin_unlock_irqrestore(&heap_lock, flags);
}

/* One chunk below an order, zeroed; its pages, 0: none. */
static unsigned int clean_one(enum chunk_kind kind, unsigned int order)
{
	unsigned long flags;
	uint32_t stamp = 0;
	uint64_t m;

	flags = spin_lock_irqsave(&heap_lock);
	order = kind == CHUNK_code ? 0 : min(order - 1, GATHER_ORDER);
	m = buddy_take_largest(kind, &order, &stamp);
	spin_unlock_irqrestore(&heap_lock, flags);
	if (!m)
		return 0;
	flush_stale(stamp);
	memset(page_to_virt(page_at(m)), 0, PAGE_SIZE << order);
	flags = spin_lock_irqsave(&heap_lock);
	buddy_insert(m, order, CHUNK_clean, 0);
	spin_unlock_irqrestore(&heap_lock, flags);
	return 1u << order;
}

bool page_gather(unsigned int order)
{
	unsigned int pages = 0, n;

	if (order == 0 || order > GATHER_MAX_ORDER)
		return false;
	while (pages < GATHER_PAGES) {
		n = clean_one(CHUNK_dirty, order);
		if (!n)
			n = clean_one(CHUNK_code, order) * GATHER_PAGES; /* see above: dear */
		if (!n)
			break;
		pages += n;
	}
	return pages != 0;
}
