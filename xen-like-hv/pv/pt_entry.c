/* SPDX-License-Identifier: MIT */
/*
 * Changing one entry of a page table.
 *
 * The new entry's references are taken before it is stored and the old one's
 * dropped after, so that whatever the hardware can walk is always referenced.
 * The table's lock keeps other writers out; the hardware alone may set A and D
 * meanwhile, on which nothing here depends.
 */
#include "domain/dirty_log.h"
#include "pv/mmu_private.h"
#include "pv/shadow.h"

static int entry_store(pte_t *p, pte_t val, struct pt_write *w)
{
	pte_t old;

	switch (w->mode) {
	case PT_STORE:
		WRITE_ONCE(*p, val);
		return 0;
	case PT_PRESERVE_AD:
		old = READ_ONCE(*p);
		while (!cmpxchg_u64(p, &old, val | (old & (PTE_A | PTE_D))))
			;
		return 0;
	case PT_CMPXCHG:
		return cmpxchg_u64(p, &w->expected, val) ? 0 : -EAGAIN;
	}
	return -EINVAL;
}

/*
 * The two below are compiled twice. watched: the table's entry has changed, what
 * it referred to is not yet dropped; who watches is to hear of it in between.
 */
static inline __attribute__((always_inline)) int store_l1(struct page_info *table, unsigned int slot, pte_t val,
							   struct pt_write *w, bool watched)
{
	int rc = entry_store((pte_t *)page_to_virt(table) + slot, val, w);

	if (watched && !rc)
		shadow_l1_changed(w->pt_dom, table, slot);
	return rc;
}

/* The frame stays, the right to write comes or goes. */
static inline __attribute__((always_inline)) int change_access(struct page_info *table, unsigned int slot, pte_t old,
								pte_t val, struct pt_write *w, bool watched)
{
	struct page_info *pg = mfn_to_page(pte_mfn(old));
	int rc;

	if (!(val & PTE_NX))
		page_note_exec(pg);
	if (!((old ^ val) & PTE_W))
		return store_l1(table, slot, val, w, watched);
	if (val & PTE_W) {
		/* A frame mapped by grant is not fd's: it gets no more rights this way. */
		if (unlikely(!w->fd || pg->owner != w->fd->domid + 1))
			return -EINVAL;
		rc = get_page_type(pg, PGT_writable, false);
		if (unlikely(rc))
			return rc;
		rc = store_l1(table, slot, val, w, watched);
		if (unlikely(rc))
			put_page_type(pg, false);
		return rc;
	}
	rc = store_l1(table, slot, val, w, watched);
	if (likely(!rc))
		put_page_type(pg, false);
	return rc;
}

static inline __attribute__((always_inline)) int write_l1(struct page_info *table, unsigned int slot,
							   struct pt_write *w, bool watched)
{
	pte_t old = READ_ONCE(((pte_t *)page_to_virt(table))[slot]), val = w->val;
	int rc;

	if (val & PTE_P) {
		rc = l1e_fix(&val);
		if (unlikely(rc))
			return rc;
		if ((old & PTE_P) && !((old ^ val) & PTE_MFN_MASK))
			return change_access(table, slot, old, val, w, watched);
		rc = l1e_get(w->fd, val);
		if (unlikely(rc))
			return rc;
	}
	rc = store_l1(table, slot, val, w, watched);
	if (unlikely(rc)) {
		if (val & PTE_P)
			l1e_put(val);
		return rc;
	}
	if (old & PTE_P)
		l1e_put(old);
	return 0;
}

int pt_write_l1(struct page_info *table, unsigned int slot, struct pt_write *w)
{
	return write_l1(table, slot, w, false);
}

int pt_write_l1_slow(struct page_info *table, unsigned int slot, struct pt_write *w)
{
	int rc;

	if (!table_lock_any(table, w->pt_dom, PGT_l1))
		return -EINVAL;
	rc = table_watched(table) ? write_l1(table, slot, w, true) : write_l1(table, slot, w, false);
	table_unlock(table);
	return rc;
}

/* A table that a live entry named until now. */
static void put_table_deferred(struct vcpu *v, struct page_info *pg)
{
	if (put_table_type(pg, v->partial_page == NULL, tlb_clock_now()))
		v->partial_page = pg;
	else
		put_page(pg);
}

void put_page_and_type_deferred(struct vcpu *v, struct page_info *pg)
{
	if (put_page_type(pg, v->partial_page == NULL))
		v->partial_page = pg;
	else
		put_page(pg);
}

int pv_finish_partial(struct vcpu *v)
{
	struct page_info *pg = v->partial_page;
	int rc;

	if (likely(!pg))
		return 0;
	rc = put_page_type(pg, true);
	if (rc)
		return rc;
	v->partial_page = NULL;
	put_page(pg);
	return 0;
}

static void drop_entry(struct vcpu *v, struct page_info *table, pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	/* A linear slot holds no reference. */
	if ((e & PTE_P) && pg != table)
		put_table_deferred(v, pg);
}

static int pt_write_upper(struct vcpu *v, struct page_info *table, int level, unsigned int slot, struct pt_write *w)
{
	pte_t *p = (pte_t *)page_to_virt(table) + slot;
	pte_t old, val = w->val;
	int rc;

	if (level == 4 && hv_l4_slot(slot))
		return -EINVAL;
	if (val & PTE_P) {
		rc = lne_fix(&val);
		if (!rc)
			rc = lne_get(w->pt_dom, table, val, level, true);
		if (rc)
			return rc;
	}
	/* Only now, because taking the references can take long. */
	if (!table_lock_any(table, w->pt_dom, level_type(level))) {
		drop_entry(v, table, val);
		return -EBUSY;
	}
	old = READ_ONCE(*p);
	rc = entry_store(p, val, w);
	if (unlikely(table_watched(table)))
		shadow_upper_changed(w->pt_dom, table, slot);
	if (likely(!rc) && level == 4) {
		if (val & PTE_P)
			l4_note_slot(w->pt_dom, slot);
		pv_root_sync_entry(w->pt_dom, table, slot, val);
	}
	table_unlock(table);
	drop_entry(v, table, rc ? val : old);
	return rc;
}

/* Not a live table: the guest could store there itself. */
static int pt_write_plain(struct page_info *pg, unsigned int slot, struct pt_write *w)
{
	int rc = get_page_and_type(pg, w->pt_dom, PGT_writable);

	if (rc)
		return rc;
	rc = entry_store((pte_t *)page_to_virt(pg) + slot, w->val, w);
	page_written(w->pt_dom, pg);
	put_page_and_type(pg);
	return rc;
}

int pt_write(struct vcpu *v, struct page_info *pg, unsigned int slot, struct pt_write *w)
{
	int level, rc;
	uint64_t x;

	if (likely(table_lock(pg, w->pt_dom, PGT_l1))) {
		rc = pt_write_l1(pg, slot, w);
		table_unlock(pg);
		return rc;
	}
	/* After the lock: it may be watched just now, or a table, and need its way. */
	x = READ_ONCE(pg->type_info);
	level = type_level(x);
	/* The lock looks again; a table of somebody else is refused there. */
	if ((x & PGT_validated) && level >= 2 && level <= 4 && pg->owner == w->pt_dom->domid + 1)
		return pt_write_upper(v, pg, level, slot, w);
	if ((x & PGT_validated) && level == 1 && pg->owner == w->pt_dom->domid + 1)
		return pt_write_l1_slow(pg, slot, w);
	/* A store by way of a read-only mapping is done for tables alone: of other pages it is the guest's fault. */
	if (w->mode == PT_CMPXCHG)
		return -EAGAIN;
	return pt_write_plain(pg, slot, w);
}
