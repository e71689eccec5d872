/* SPDX-License-Identifier: MIT */
/*
 * Nested tables: four levels as the hardware walks them, leaves of 4 KiB and 2 MiB.
 *
 * Who writes: entries change under p2m->lock alone (the hardware has no A or D
 * left to set); while writes are logged, p2m/log.c has who may race. Tables come under it and stay until p2m_relinquish, so that
 * p2m_lookup of domain 0, whose call that one is, may walk without it.
 *
 * An entry has references of its own to its frame: a general one, and one to it
 * as writable if it allows writes. So no frame of it can be freed, change hands
 * or become a page table. They are taken before the entry is stored, and go after it went:
 *
 *   1. under the lock the entry is exchanged for a hole (or another);
 *   2. without it: p2m->generation is counted up (a locked operation), then the
 *      CPUs of d->dirty_cpus get the flush IPI, and answered it;
 *   3. the references go.
 *
 * A CPU in the guest leaves it for the IPI, and on its way back finds the
 * generation changed and flushes. One that has compared generations, interrupts
 * off, and is about to enter: the IPI is pending, so that it leaves at the
 * guest's first instruction, and we wait for that. One that sets its bit of
 * dirty_cpus after our look reads the generation after that, and the entry is gone.
 *
 * Between 1 and 2 others see the hole, and may fill it: their frame has its own
 * references, and what CPUs still know leads to the old one, which is still held.
 * No two of these meet: the entry is exchanged once.
 *
 * A dying domain: its vCPUs are paused for good before p2m_relinquish begins,
 * and what others do to it meanwhile (a grant of its pages being mapped) finds
 * an entry under the lock or none. Nothing can be added: p2m_add_page looks at
 * is_dying under the lock, and relinquish takes the lock after that was set.
 */
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "p2m/private.h"
#include "x86/printk.h"
#include "x86/softirq.h"

/* RAM twice over at 2 MiB a table, and what is scattered: shared pages, grants. */
#define TABLES_SPARE 256u

int p2m_create(struct domain *d)
{
	struct p2m *p2m = xzalloc(struct p2m);

	if (!p2m)
		return -ENOMEM;
	spin_lock_init(&p2m->lock);
	p2m->domain = d;
	p2m->generation = 1;
	p2m->root = alloc_hv_page();
	if (!p2m->root) {
		xfree(p2m);
		return -ENOMEM;
	}
	p2m->root_paddr = virt_to_paddr(p2m->root);
	d->p2m = p2m;
	return 0;
}

void p2m_destroy(struct domain *d)
{
	struct p2m *p2m = d->p2m;

	if (!p2m)
		return;
	BUG_ON(p2m->nr_tables != 0);
	free_hv_page(p2m->root);
	xfree(p2m);
	d->p2m = NULL;
}

static pte_t *make_table(struct p2m *p2m, pte_t *slot)
{
	pte_t *t;

	if (p2m->nr_tables >= min(READ_ONCE(p2m->domain->max_pages), max_page) / (P2M_ENTRIES / 2) + TABLES_SPARE)
		return NULL;
	t = alloc_hv_page();
	if (!t)
		return NULL;
	p2m->nr_tables++;
	__atomic_store_n(slot, virt_to_paddr(t) | PTE_P | PTE_W | PTE_U | PTE_A, __ATOMIC_RELEASE);
	return t;
}

/* The same translations, in pieces: what a TLB knows stays true. */
static pte_t *split(struct p2m *p2m, pte_t *slot)
{
	pte_t e = *slot, piece = e & ~PTE_PSE, *t, dummy = 0;

	t = make_table(p2m, &dummy);
	if (!t)
		return NULL;
	for (unsigned int i = 0; i < P2M_ENTRIES; i++)
		t[i] = piece + ((pte_t)i << PAGE_SHIFT);
	__atomic_store_n(slot, dummy | P2M_touched, __ATOMIC_RELEASE);
	return t;
}

static pte_t *slot_at(struct p2m *p2m, uint64_t gfn, int leaf, bool make)
{
	pte_t *t = p2m->root, *slot;
	int level;

	if (gfn >= P2M_MAX_GFN)
		return NULL;
	for (level = 4;; level--) {
		slot = &t[pt_index(gfn << PAGE_SHIFT, level)];
		if (level == leaf)
			return slot;
		if (!(*slot & PTE_P))
			t = make ? make_table(p2m, slot) : NULL;
		else if (*slot & PTE_PSE)
			t = make ? split(p2m, slot) : NULL;
		else
			t = mfn_to_virt(pte_mfn(*slot));
		if (!t)
			return NULL;
	}
}

pte_t *p2m_slot(struct p2m *p2m, uint64_t gfn, bool make) { return slot_at(p2m, gfn, 1, make); }
pte_t *p2m_slot_large(struct p2m *p2m, uint64_t gfn, bool make) { return slot_at(p2m, gfn, 2, make); }

void p2m_touch(struct p2m *p2m, uint64_t gfn)
{
	pte_t *slot = p2m_slot_large(p2m, gfn, false);

	if (!(*slot & P2M_touched))
		WRITE_ONCE(*slot, *slot | P2M_touched);
}

pte_t p2m_walk_far(const struct p2m *p2m, uint64_t gfn, uint64_t *pages)
{
	const pte_t *t = p2m->root;
	int level;
	pte_t e;

	*pages = 1;
	if (gfn >= P2M_MAX_GFN)
		return 0;
	for (level = 4; level > 0; level--) {
		e = READ_ONCE(t[pt_index(gfn << PAGE_SHIFT, level)]);
		*pages = (1ULL << (9 * (level - 1))) - (gfn & ((1ULL << (9 * (level - 1))) - 1));
		if (!(e & PTE_P))
			return 0;
		if (level == 2 && (e & PTE_PSE))
			return (e & ~PTE_PSE) + ((gfn % P2M_ENTRIES) << PAGE_SHIFT);
		if (level > 1)
			t = mfn_to_virt(pte_mfn(e));
	}
	return e;
}

pte_t p2m_walk(const struct p2m *p2m, uint64_t gfn)
{
	uint64_t pages;

	return p2m_walk_far(p2m, gfn, &pages);
}

mfn_t p2m_lookup(struct domain *d, uint64_t gfn, enum p2m_type *type)
{
	pte_t e = p2m_walk(d->p2m, gfn);

	if (type)
		*type = pte_p2m_type(e);
	return e ? pte_mfn(e) : INVALID_MFN;
}

struct page_info *p2m_get_page(struct domain *d, uint64_t gfn, bool write)
{
	struct p2m *p2m = d->p2m;
	struct page_info *pg = NULL;
	pte_t e;

	spin_lock(&p2m->lock);
	e = p2m_walk(p2m, gfn);
	/* The entry's own references, which the lock keeps, are why neither of these has to wait. */
	if (e && (!write || (e & P2M_WRITES)) && mfn_to_page(pte_mfn(e))->owner == d->domid + 1) {
		pg = mfn_to_page(pte_mfn(e));
		if (!get_page_known(pg)) {
			pg = NULL;
		} else if (write && get_page_type(pg, PGT_writable, false)) {
			put_page(pg); /* not the last one */
			pg = NULL;
		}
	}
	spin_unlock(&p2m->lock);
	return pg;
}

/* --- the end --- */

static void put_leaf(pte_t e, int level)
{
	if (level == 1) {
		p2m_put_refs(e);
		return;
	}
	for (unsigned int i = 0; i < P2M_ENTRIES; i++)
		p2m_put_refs((e & ~PTE_PSE) + ((pte_t)i << PAGE_SHIFT));
}

/*
 * The first leaf or empty table from p2m->cursor on goes; false: there is nothing left. No CPU walks the tables any
 * more, and none has since the flush.
 */
static bool drop_next(struct p2m *p2m)
{
	pte_t *t = p2m->root, *slot;
	uint64_t step, end;
	int level = 4;
	pte_t e;

	if (p2m->cursor >= P2M_MAX_GFN)
		return false;
	for (;;) {
		slot = &t[pt_index(p2m->cursor << PAGE_SHIFT, level)];
		step = 1ULL << (9 * (level - 1));
		e = *slot;
		if (!(e & PTE_P) || level == 1 || (e & PTE_PSE))
			break;
		t = mfn_to_virt(pte_mfn(e));
		level--;
	}
	if (e) {
		spin_lock(&p2m->lock);
		*slot = 0;
		spin_unlock(&p2m->lock);
		if (e & PTE_P)
			put_leaf(e, level);
	}
	p2m->cursor = (p2m->cursor & ~(step - 1)) + step;
	/* Tables that end here are empty now. */
	for (end = p2m->cursor; level < 4 && end % (step * P2M_ENTRIES) == 0; level++, step *= P2M_ENTRIES) {
		slot = slot_at(p2m, end - 1, level + 1, false);
		t = mfn_to_virt(pte_mfn(*slot));
		spin_lock(&p2m->lock);
		*slot = 0;
		p2m->nr_tables--;
		spin_unlock(&p2m->lock);
		free_hv_page(t);
	}
	return true;
}

int p2m_relinquish(struct domain *d)
{
	struct p2m *p2m = d->p2m;

	if (!p2m)
		return 0;
	if (p2m->cursor == 0) {
		/* Whoever looked at is_dying before it was set is done, and nothing is added from here on. */
		spin_lock(&p2m->lock);
		spin_unlock(&p2m->lock);
		p2m_flush(d);
	}
	while (drop_next(p2m))
		if (preempt_wanted())
			return -ERESTART_HC;
	return 0;
}
