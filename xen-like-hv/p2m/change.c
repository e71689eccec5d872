/* SPDX-License-Identifier: MIT */
/* Entries come and go: their references, and the flush before these are dropped (p2m/table.c). */
#include "domain/dirty_log.h"
#include "p2m/private.h"
#include "x86/printk.h"
#include "x86/tlb.h"

bool p2m_get_refs(struct page_info *pg, struct domain *owner, enum p2m_type t)
{
	if (p2m_writable(t))
		return get_page_and_type(pg, owner, PGT_writable) == 0;
	return get_page(pg, owner);
}

void p2m_put_refs(pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	if (e & P2M_WRITES)
		put_page_and_type(pg);
	else
		put_page(pg);
}

void p2m_flush(struct domain *d)
{
	__atomic_add_fetch(&d->p2m->generation, 1, __ATOMIC_SEQ_CST);
	hv_delay_point("p2m: a new generation, nobody told");
	flush_tlb_mask(d->dirty_cpus);
}

/* What was executed there an emulator may remember (mm/page_dirty.c), and an entry allows all. */
static void note_ram(struct domain *d, struct page_info *pg, uint64_t gfn)
{
	m2p_set(page_to_mfn(pg), gfn);
	page_note_exec(pg);
	page_written(d, pg);
}

static void note_gfn(struct domain *d, uint64_t last)
{
	if (last > d->max_gfn)
		WRITE_ONCE(d->max_gfn, last);
}

static int store_locked(struct domain *d, uint64_t gfn, pte_t e)
{
	struct p2m *p2m = d->p2m;
	pte_t *slot;

	if (d->is_dying)
		return -ESRCH;
	if (p2m_walk(p2m, gfn))
		return -EEXIST;
	slot = p2m_slot(p2m, gfn, true);
	if (!slot)
		return -ENOMEM;
	note_gfn(d, gfn);
	__atomic_store_n(slot, e | p2m->changed, __ATOMIC_RELEASE);
	if (unlikely(p2m->changed))
		p2m_touch(p2m, gfn);
	return 0;
}

int p2m_add_page(struct domain *d, uint64_t gfn, struct page_info *pg, struct domain *owner, enum p2m_type type)
{
	struct p2m *p2m = d->p2m;
	pte_t e = p2m_entry(page_to_mfn(pg), type);
	int rc;

	if (gfn >= P2M_MAX_GFN)
		return -EINVAL;
	if (!p2m_get_refs(pg, owner, type))
		return -EINVAL;
	if (p2m_is_ram(type))
		note_ram(d, pg, gfn);
	else
		page_note_exec(pg);
	spin_lock(&p2m->lock);
	rc = store_locked(d, gfn, e);
	spin_unlock(&p2m->lock);
	/* Nobody could walk it. */
	if (rc)
		p2m_put_refs(e);
	return rc;
}

/* One entry for all of them: there must be nothing below it, be it empty tables. */
static bool store_large(struct domain *d, uint64_t gfn, pte_t e)
{
	struct p2m *p2m = d->p2m;
	pte_t *slot;
	bool ok;

	spin_lock(&p2m->lock);
	slot = d->is_dying ? NULL : p2m_slot_large(p2m, gfn, true);
	ok = slot && !(*slot & PTE_P);
	if (ok) {
		note_gfn(d, gfn + P2M_ENTRIES - 1);
		__atomic_store_n(slot, e | PTE_PSE | p2m->changed, __ATOMIC_RELEASE);
	}
	spin_unlock(&p2m->lock);
	return ok;
}

bool p2m_add_large(struct domain *d, uint64_t gfn, struct page_info *pg)
{
	pte_t e = p2m_entry(page_to_mfn(pg), P2M_ram_rw);
	unsigned int i;

	if (gfn >= P2M_MAX_GFN || gfn % P2M_ENTRIES || page_to_mfn(pg).m % P2M_ENTRIES)
		return false;
	for (i = 0; i < P2M_ENTRIES; i++) {
		if (!p2m_get_refs(pg + i, d, P2M_ram_rw))
			break;
		note_ram(d, pg + i, gfn + i);
	}
	if (i == P2M_ENTRIES && store_large(d, gfn, e))
		return true;
	while (i-- > 0)
		put_page_and_type(pg + i);
	return false;
}

/* True: *e went, and the caller owes the flush, then its references. */
static bool take_locked(struct p2m *p2m, uint64_t gfn, mfn_t m, unsigned int types, pte_t *e)
{
	pte_t *slot;

	*e = p2m_walk(p2m, gfn);
	if (!*e || !(types & P2M_TYPE(pte_p2m_type(*e))) || (m.m != INVALID_MFN.m && pte_mfn(*e).m != m.m))
		return false;
	/* May want a table, if it is a piece of a large one. */
	slot = p2m_slot(p2m, gfn, true);
	if (!slot)
		return false;
	if (unlikely(p2m->changed))
		p2m_touch(p2m, gfn);
	return __atomic_exchange_n(slot, p2m->changed, __ATOMIC_SEQ_CST) != 0;
}

/* After the flush: up to it the frame may have been written to. The entry's reference becomes the caller's. */
static struct page_info *let_go(pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	if (e & P2M_WRITES) {
		page_written_known(pg);
		put_page_type(pg, false);
	}
	return pg;
}

/* The first of them that can go, up to one that cannot: how many; *was has a reference to each. */
static unsigned int remove_some(struct domain *d, const uint64_t *gfns, unsigned int n, mfn_t m, unsigned int types, struct page_info **was)
{
	struct p2m *p2m = d->p2m;
	pte_t e[P2M_BATCH];
	unsigned int got = 0, i;

	spin_lock(&p2m->lock);
	while (got < n && got < P2M_BATCH && take_locked(p2m, gfns[got], m, types, &e[got]))
		got++;
	spin_unlock(&p2m->lock);
	if (!got)
		return 0;
	hv_delay_point_long("p2m: entries went, not flushed");
	p2m_flush(d);
	for (i = 0; i < got; i++)
		was[i] = let_go(e[i]);
	return got;
}

unsigned int p2m_remove_ram(struct domain *d, const uint64_t *gfns, unsigned int n, struct page_info **was)
{
	return remove_some(d, gfns, n, INVALID_MFN, P2M_RAM, was);
}

int p2m_remove_page(struct domain *d, uint64_t gfn, mfn_t m, unsigned int types, struct page_info **was)
{
	struct page_info *pg;

	if (!remove_some(d, &gfn, 1, m, types, &pg))
		return -ENOENT;
	if (was)
		*was = pg;
	else
		put_page(pg);
	return 0;
}
