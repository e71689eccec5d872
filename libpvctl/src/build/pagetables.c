/* SPDX-License-Identifier: MIT */
#include "build/pagetables.h"

#define UPPER (PTE_PRESENT | PTE_WRITABLE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define LEAF (PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY)

/* n tables of one level, the first at index `at` of r, entered into the tables
 * of the level above, which starts at index `above`. shift: of what one table
 * of this level spans. */
static void link_level(const struct table_range *r, const uint64_t *p2m, uint64_t *upper, uint64_t at, uint64_t n,
                       unsigned int shift)
{
	/* The first table of the upper level begins where its own span does. */
	uint64_t origin = (r->va >> (shift + 9)) << 9;
	uint64_t first = r->va >> shift;
	uint64_t i;

	for (i = 0; i < n; i++)
		upper[first + i - origin] = p2m[r->pfn + at + i] << PAGE_SHIFT | UPPER;
}

static void link_tables(const struct table_range *r, const uint64_t *p2m, uint64_t *l4, uint64_t *tables)
{
	uint64_t i3 = r->n4, i2 = i3 + r->n3, i1 = i2 + r->n2, i;

	for (i = 0; i < r->n3; i++)
		l4[((r->va >> 39) + i) & (TABLE_ENTRIES - 1)] = p2m[r->pfn + i3 + i] << PAGE_SHIFT | UPPER;
	link_level(r, p2m, tables + i3 * TABLE_ENTRIES, i2, r->n2, 30);
	link_level(r, p2m, tables + i2 * TABLE_ENTRIES, i1, r->n1, 21);
}

static uint64_t *leaves(const struct table_range *r, uint64_t *tables)
{
	return tables + (r->n4 + r->n3 + r->n2) * TABLE_ENTRIES + ((r->va >> PAGE_SHIFT) & (TABLE_ENTRIES - 1));
}

void pagetables_make(const struct layout *l, const uint64_t *p2m, uint64_t *main, uint64_t *p2m_tables)
{
	uint64_t tables_end = l->main.pfn + table_range_count(&l->main);
	uint64_t *pte, pfn;

	link_tables(&l->main, p2m, main, main);
	pte = leaves(&l->main, main);
	for (pfn = 0; pfn < l->region_pages; pfn++)
		pte[pfn] = p2m[pfn] << PAGE_SHIFT | LEAF | PTE_WRITABLE;
	/* A live page table may never be mapped writable. */
	for (pfn = l->main.pfn; pfn < tables_end; pfn++)
		pte[pfn] &= ~PTE_WRITABLE;
	if (!l->p2m_apart)
		return;
	link_tables(&l->p2m_tables, p2m, main, p2m_tables);
	pte = leaves(&l->p2m_tables, p2m_tables);
	for (pfn = 0; pfn < l->p2m_pages; pfn++)
		pte[pfn] = p2m[l->p2m_pfn + pfn] << PAGE_SHIFT | LEAF | PTE_WRITABLE;
}
