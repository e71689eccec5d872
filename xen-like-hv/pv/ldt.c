/* SPDX-License-Identifier: MIT */
/* The LDT: a guest names it by virtual address; its pages are mapped when the CPU first reads them. */
#include "pv/mmu_private.h"
#include "x86/desc.h"

#define LDT_L1_FIRST ((LDT_VIRT - PERVCPU_VIRT) >> PAGE_SHIFT)
#define LDT_ENTRIES_MAX (LDT_MAX_PAGES * 512u)

void pv_invalidate_ldt(struct vcpu *v)
{
	uint32_t mapped = v->pv.ldt_mapped, m;
	pte_t old[LDT_MAX_PAGES];

	if (likely(!mapped))
		return;
	v->pv.ldt_mapped = 0;
	for (m = mapped; m; m &= m - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(m);

		old[i] = v->pv.pervcpu_l1[LDT_L1_FIRST + i];
		WRITE_ONCE(v->pv.pervcpu_l1[LDT_L1_FIRST + i], 0);
	}
	if (v == current)
		flush_tlb_local();
	for (m = mapped; m; m &= m - 1)
		put_page_and_type(mfn_to_page(pte_mfn(old[__builtin_ctz(m)])));
}

int pv_set_ldt(struct vcpu *v, uint64_t base, uint64_t entries)
{
	if (entries > LDT_ENTRIES_MAX || (base & ~PAGE_MASK) || (entries && !guest_range_ok(base, entries * 8)))
		return -EINVAL;
	pv_invalidate_ldt(v);
	v->pv.ldt_base = entries ? base : 0;
	v->pv.ldt_entries = (uint32_t)entries;
	if (v == current)
		ldt_load((unsigned int)entries);
	return 0;
}

/* The frame behind a guest address, with the references of a descriptor page; NULL: not fit. */
static struct page_info *get_ldt_page(struct vcpu *v, uint64_t va)
{
	struct page_info *l1 = v->pv.base ? pt_find_l1(v->pv.base, va) : NULL, *pg;
	pte_t e;

	if (!l1 || !table_lock_any(l1, v->domain, PGT_l1))
		return NULL;
	e = ((pte_t *)page_to_virt(l1))[pt_index(va, 1)];
	/* An entry of a validated table: its frame is held by it while the lock is. */
	pg = e & PTE_P ? mfn_to_page(pte_mfn(e)) : NULL;
	if (pg && get_page_and_type(pg, v->domain, PGT_seg_desc))
		pg = NULL;
	table_unlock(l1);
	return pg;
}

bool pv_ldt_fault(struct vcpu *v, uint64_t addr)
{
	uint64_t i = (addr - LDT_VIRT) >> PAGE_SHIFT;
	struct page_info *pg;

	if (addr < LDT_VIRT || i >= LDT_MAX_PAGES || addr - LDT_VIRT >= v->pv.ldt_entries * 8ULL)
		return false;
	/* An old miss that the CPU still believes in. */
	if (v->pv.ldt_mapped >> i & 1)
		return true;
	pg = get_ldt_page(v, v->pv.ldt_base + (i << PAGE_SHIFT));
	if (!pg)
		return false;
	WRITE_ONCE(v->pv.pervcpu_l1[LDT_L1_FIRST + i], page_to_mfn(pg).m << PAGE_SHIFT | desc_pte);
	v->pv.ldt_mapped |= 1u << i;
	return true;
}
