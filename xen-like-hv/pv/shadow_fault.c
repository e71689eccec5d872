/* SPDX-License-Identifier: MIT */
/* Accesses that the guest's tables allow and their shadows do not, yet. */
#include "domain/dirty_log.h"
#include "pv/shadow_private.h"

#define FAULT_TRIES 16u

struct fill {
	struct domain *d;
	uint64_t addr;
	bool write;
	bool changed;               /* some shadow has an entry that it had not */
	struct page_info *missing;  /* has no shadow */
	int level;                  /* of missing */
};

static void store(struct fill *f, pte_t *p, pte_t val)
{
	if (READ_ONCE(*p) == val)
		return;
	WRITE_ONCE(*p, val);
	f->changed = true;
}

/* What the hardware would set in the guest's entry; false: it changed meanwhile. */
static bool set_accessed(struct fill *f, struct page_info *table, pte_t *p, pte_t *e)
{
	pte_t need = PTE_A | (f->write ? PTE_D : 0);

	if ((*e & need) == need)
		return true;
	if (!cmpxchg_u64(p, e, *e | need))
		return false;
	*e |= need;
	page_written(f->d, table);
	return true;
}

static bool fill_leaf(struct fill *f, struct shadow_page *p, struct page_info *table)
{
	unsigned int i = pt_index(f->addr, 1);
	pte_t *at = (pte_t *)page_to_virt(table) + i, e = READ_ONCE(*at);

	if (!(e & PTE_P) || (f->write && !(e & PTE_W)))
		return false;
	if (!set_accessed(f, table, at, &e))
		return false;
	store(f, &shadow_entries(p)[i], shadow_leaf(f->d, p, e, f->write));
	return true;
}

/*
 * Down from the table that the L4 entry names. s->shadow_lock is held, which is why
 * each table found is a live one: pv/shadow.h. Returns early where one is missing
 * or the guest has changed its mind.
 */
static void fill_down(struct fill *f, struct shadow *s, mfn_t top)
{
	struct shadow_page *p = NULL, *above = NULL;
	pte_t e = 0, *from = NULL;
	int level;

	for (level = 3; level >= 1; level--) {
		if (!mfn_valid(top))
			return;
		p = shadow_find(s, top);
		if (!p && s->failed) {
			/* The hardware goes on in the guest's own. */
			if (above)
				store(f, from, e);
			return;
		}
		if (!p) {
			f->missing = mfn_to_page(top);
			f->level = level;
			return;
		}
		if (p->level != level)
			return;
		if (above)
			store(f, from, shadow_upper(p, e));
		if (level == 1)
			break;
		e = READ_ONCE(((const pte_t *)mfn_to_virt(top))[pt_index(f->addr, level)]);
		if (!(e & PTE_P))
			return;
		from = &shadow_entries(p)[pt_index(f->addr, level)];
		above = p;
		top = pte_mfn(e);
	}
	(void)fill_leaf(f, p, mfn_to_page(top));
}

/* A root of v, made from l4, has no entry, or another, where the L4 has one. */
static bool fill_root(struct vcpu *v, const uint64_t *root, struct page_info *l4, unsigned int slot)
{
	bool differs;
	pte_t e;

	if (!l4 || !table_lock_any(l4, v->domain, PGT_l4))
		return false;
	e = READ_ONCE(((const pte_t *)page_to_virt(l4))[slot]);
	differs = (shadow_root_entry(v->domain, l4, e) ^ root[slot]) & ~(PTE_A | PTE_D);
	if (differs)
		pv_root_sync_entry(v->domain, l4, slot, e);
	table_unlock(l4);
	return differs;
}

/* The user's half of both: the kernel runs on the user's root where the two agree there (root_fast.c). */
static bool fill_roots(struct vcpu *v, unsigned int slot)
{
	bool kernel = v->pv.kernel_mode, low = slot < HV_L4_FIRST, changed = false;

	if (kernel || low)
		changed |= fill_root(v, v->pv.root_kernel, v->pv.base, slot);
	if (!kernel || low)
		changed |= fill_root(v, v->pv.root_user, v->pv.user_base, slot);
	return changed;
}

bool shadow_fault(struct vcpu *v, struct page_info *l4, uint64_t addr, bool write)
{
	struct fill f = { .d = v->domain, .addr = addr, .write = write };
	struct shadow *s = v->domain->pv.shadow;
	unsigned int slot = pt_index(addr, 4), tries;
	pte_t top;

	if (!s || !s->roots || hv_l4_slot(slot))
		return false;
	for (tries = 0; tries < FAULT_TRIES; tries++) {
		top = READ_ONCE(((const pte_t *)page_to_virt(l4))[slot]);
		if (!(top & PTE_P) || pte_mfn(top).m == page_to_mfn(l4).m)
			return f.changed;
		f.missing = NULL;
		spin_lock(&s->shadow_lock);
		s->control.faults += tries == 0;
		fill_down(&f, s, pte_mfn(top));
		spin_unlock(&s->shadow_lock);
		if (!f.missing)
			break;
		hv_delay_point("shadow: one is missing");
		(void)shadow_create(v->domain, f.missing, f.level);
	}
	f.changed |= fill_roots(v, slot);
	if (f.changed)
		flush_tlb_va_local(addr);
	return f.changed;
}
