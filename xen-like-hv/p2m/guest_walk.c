/* SPDX-License-Identifier: MIT */
/*
 * A walk of the guest's page tables. They are the guest's to change at any
 * time: each entry is read once, leads only to what its p2m has (so never to
 * anything but its own memory and what it was granted), and four levels are
 * all there is. The result is what a CPU could have found at that moment; the
 * lock on the p2m keeps the frames of all levels where they are meanwhile.
 */
#include "domain/dirty_log.h"
#include "p2m/paging.h"
#include "p2m/private.h"

#define CR0_WP_BIT (1UL << 16)
#define CR0_PG_BIT (1UL << 31)
#define CR4_LA57_BIT (1UL << 12)
#define CR4_SMAP_BIT (1UL << 21)
#define EFER_LMA_BIT (1UL << 10)
#define RFLAGS_AC_BIT (1UL << 18)
#define PHYS_LIMIT (P2M_MAX_GFN << PAGE_SHIFT)
#define TRIES 8u /* against others who set A and D in the same entry */

/* Where the guest's entry is for us; NULL: nowhere. *pg: its page, if it may be written to. */
static pte_t *guest_entry(struct p2m *p2m, uint64_t table, unsigned int index, struct page_info **pg)
{
	pte_t e = p2m_walk(p2m, table >> PAGE_SHIFT);

	if (!e)
		return NULL;
	*pg = e & P2M_WRITES ? mfn_to_page(pte_mfn(e)) : NULL;
	return (pte_t *)mfn_to_virt(pte_mfn(e)) + index;
}

/* What is there, with the bits of mark set in it; 0: not present, or it does not stand still. */
static pte_t read_marked(struct p2m *p2m, uint64_t table, unsigned int index, pte_t mark)
{
	struct page_info *pg;
	pte_t *p = guest_entry(p2m, table, index, &pg), e;

	if (!p)
		return 0;
	e = READ_ONCE(*p);
	for (unsigned int i = 0; i < TRIES; i++) {
		if (!(e & PTE_P))
			return 0;
		/* In read-only memory they stay as they are, as for a CPU that may not store there. */
		if ((e & mark) == mark || !pg)
			return e;
		if (__atomic_compare_exchange_n(p, &e, e | mark, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			page_written_known(pg);
			return e | mark;
		}
	}
	return 0;
}

static bool allowed(const struct guest_paging *g, pte_t rights, bool write)
{
	if (write && !(rights & PTE_W) && (g->cr0 & CR0_WP_BIT))
		return false;
	return !(rights & PTE_U) || !(g->cr4 & CR4_SMAP_BIT) || (g->rflags & RFLAGS_AC_BIT);
}

static int walk_long(struct p2m *p2m, const struct guest_paging *g, uint64_t va, bool write, uint64_t *gpa)
{
	uint64_t table = g->cr3 & PTE_MFN_MASK, size;
	pte_t e, rights = PTE_W | PTE_U;
	int level;

	if (!is_canonical(va) || (g->cr4 & CR4_LA57_BIT))
		return -EFAULT;
	for (level = 4;; level--) {
		e = read_marked(p2m, table, pt_index(va, level), PTE_A);
		if (!e || (e & PTE_MFN_MASK) >= PHYS_LIMIT)
			return -EFAULT;
		rights &= e;
		if (level == 1 || (e & PTE_PSE))
			break;
		table = e & PTE_MFN_MASK;
	}
	if (level == 4 || !allowed(g, rights, write))
		return -EFAULT;
	/* The leaf once more: what it says now is what counts, and it must still allow it. */
	if (write && !(e & PTE_D)) {
		e = read_marked(p2m, table, pt_index(va, level), PTE_A | PTE_D);
		if (!e || (e & PTE_MFN_MASK) >= PHYS_LIMIT || (level > 1 && !(e & PTE_PSE)) ||
		    !allowed(g, rights & e, write))
			return -EFAULT;
	}
	size = 1UL << (PAGE_SHIFT + 9 * (level - 1));
	*gpa = (e & PTE_MFN_MASK & ~(size - 1)) | (va & (size - 1));
	return 0;
}

int p2m_guest_walk(struct domain *d, const struct guest_paging *g, uint64_t va, bool write, uint64_t *gpa)
{
	if (!(g->cr0 & CR0_PG_BIT)) {
		*gpa = va;
		return va >> 32 ? -EFAULT : 0;
	}
	/* No kernel makes hypercalls with the tables of 32 bits: their arguments would have another layout, too. */
	return g->efer & EFER_LMA_BIT ? walk_long(d->p2m, g, va, write, gpa) : -EFAULT;
}

struct page_info *p2m_get_page_at(uint64_t va)
{
	struct domain *d = current->domain;
	struct p2m *p2m = d->p2m;
	struct guest_paging g;
	uint64_t gpa;
	int rc;

	hvm_guest_paging(current, &g);
	spin_lock(&p2m->lock);
	rc = p2m_guest_walk(d, &g, va, true, &gpa);
	spin_unlock(&p2m->lock);
	/* What is there now; the guest may move it at any time, before as after. */
	return rc ? NULL : p2m_get_page(d, gpa >> PAGE_SHIFT, true);
}
