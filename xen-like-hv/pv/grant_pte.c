/* SPDX-License-Identifier: MIT */
/*
 * Page table entries for grant mappings. An entry holds references of its own,
 * beside those of the grant mapping: should the guest change the entry itself,
 * what it drops is the entry's, and the mapping stays accounted until it is
 * unmapped through the grant table.
 */
#include "pv/mmu_private.h"
#include "pv/shadow.h"

struct pte_place {
	struct page_info *l1;
	unsigned int slot;
};

static bool find_place(struct vcpu *v, uint64_t addr, bool machine, struct pte_place *at)
{
	if (machine) {
		mfn_t m = mfn(addr >> PAGE_SHIFT);

		if ((addr & 7) || !mfn_valid(m))
			return false;
		at->l1 = mfn_to_page(m);
		at->slot = (unsigned int)(addr & ~PAGE_MASK) >> 3;
		return true;
	}
	at->l1 = v->pv.base ? pt_find_l1(v->pv.base, addr) : NULL;
	at->slot = pt_index(addr, 1);
	return at->l1 != NULL;
}

static pte_t *place_entry(const struct pte_place *at) { return (pte_t *)page_to_virt(at->l1) + at->slot; }

static void place_store(struct domain *d, const struct pte_place *at, pte_t val)
{
	WRITE_ONCE(*place_entry(at), val);
	if (unlikely(table_watched(at->l1)))
		shadow_l1_changed(d, at->l1, at->slot);
}

/* The caller's references show that the page is alive and of a type that allows this. */
static int get_frame(mfn_t frame, bool readonly)
{
	struct page_info *pg = mfn_to_page(frame);
	int rc;

	if (!get_page_known(pg))
		return -EINVAL;
	rc = readonly ? 0 : get_page_type(pg, PGT_writable, false);
	if (rc)
		put_page(pg);
	return rc;
}

int pv_grant_map_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly,
		     uint64_t avail_bits)
{
	pte_t val = frame.m << PAGE_SHIFT | PTE_P | PTE_U | PTE_A | PTE_NX | (avail_bits & PTE_AVAIL), old;
	struct pte_place at;
	int rc;

	if (!readonly)
		val |= PTE_W | PTE_D;
	if (!find_place(v, host_addr, contains_pte, &at))
		return -EINVAL;
	rc = get_frame(frame, readonly);
	if (rc)
		return rc;
	if (!table_lock_any(at.l1, v->domain, PGT_l1)) {
		l1e_put(val);
		return -EINVAL;
	}
	old = *place_entry(&at);
	place_store(v->domain, &at, val);
	table_unlock(at.l1);
	if (old & PTE_P) {
		flush_tlb_mask(v->domain->dirty_cpus);
		l1e_put(old);
	}
	return 0;
}

static bool lock_places(struct domain *d, struct page_info *a, struct page_info *b)
{
	struct page_info *first = a < b ? a : b, *second = a < b ? b : a;

	if (!table_lock_any(first, d, PGT_l1))
		return false;
	if (second != first && !table_lock_any(second, d, PGT_l1)) {
		table_unlock(first);
		return false;
	}
	return true;
}

static void unlock_places(struct page_info *a, struct page_info *b)
{
	table_unlock(a);
	if (b != a)
		table_unlock(b);
}

int pv_grant_unmap_pte(struct vcpu *v, uint64_t host_addr, bool contains_pte, mfn_t frame, bool readonly,
		       uint64_t new_addr)
{
	struct domain *d = v->domain;
	struct pte_place at, from;
	pte_t old, val = 0;
	bool found;

	if (!find_place(v, host_addr, contains_pte, &at))
		return -EINVAL;
	from = at;
	if (new_addr && !find_place(v, new_addr, false, &from))
		return -EINVAL;
	if (!lock_places(d, at.l1, from.l1))
		return -EINVAL;
	old = *place_entry(&at);
	/*
	 * With the access that was granted, no more and no less: given back by way of
	 * a read-only entry, a writable handle would leave its own entry behind.
	 */
	found = (old & PTE_P) && pte_mfn(old).m == frame.m && !(old & PTE_W) == readonly &&
		(!new_addr || place_entry(&from) != place_entry(&at));
	if (found) {
		if (new_addr) {
			/* The entry moves, with its references. */
			val = *place_entry(&from);
			place_store(d, &from, 0);
		}
		place_store(d, &at, val);
	}
	unlock_places(at.l1, from.l1);
	if (!found)
		return -EINVAL;
	/*
	 * All addresses: the L1 may be seen at several, and other entries for the
	 * frame may be gone without a flush. The owner, who does with the frame as it
	 * likes from now on, flushes its own CPUs alone.
	 */
	flush_tlb_mask(d->dirty_cpus);
	l1e_put(old);
	return 0;
}
