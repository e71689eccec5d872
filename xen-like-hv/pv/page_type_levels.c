/* SPDX-License-Identifier: MIT */
/* The contents of page tables: which entries may stand there, and their references. */
#include "pv/mmu_private.h"

static unsigned int done_get(const struct page_info *pg)
{
	return (unsigned int)((pg->type_info & PGT_done_mask) >> PGT_done_shift);
}

static void done_set(struct page_info *pg, unsigned int n)
{
	WRITE_ONCE(pg->type_info, (pg->type_info & ~PGT_done_mask) | (uint64_t)n << PGT_done_shift);
}

int l1e_fix(pte_t *e)
{
	if (unlikely(*e & ~L1_KNOWN))
		return -EINVAL;
	*e = (*e & ~L1_STRIP) | PTE_U;
	return 0;
}

int lne_fix(pte_t *e)
{
	if (unlikely(*e & ~LN_KNOWN))
		return -EINVAL;
	*e = (*e & ~LN_STRIP) | PTE_U;
	return 0;
}

int l1e_get(struct domain *fd, pte_t e)
{
	struct page_info *pg;
	int rc;

	if (unlikely(!fd || !mfn_valid(pte_mfn(e))))
		return -EINVAL;
	pg = mfn_to_page(pte_mfn(e));
	if (unlikely(!get_page(pg, fd)))
		return -EINVAL;
	if (!(e & PTE_W))
		return 0;
	rc = get_page_type(pg, PGT_writable, false);
	if (unlikely(rc))
		put_page(pg);
	return rc;
}

void l1e_put(pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	if (e & PTE_W)
		put_page_type(pg, false);
	put_page(pg);
}

/*
 * A linear slot: the L4 page seen as an L3, read-only. It needs no reference:
 * the entry lies in the page it names, so it ends with that page's type.
 * Every entry of an L4 is fit to be read as one of an L3: the hypervisor's
 * slots are zero in a guest's page, and no entry of any level has bit 7 set.
 */
static bool is_linear(const struct page_info *table, pte_t e, int level)
{
	return level == 4 && page_to_mfn(table).m == pte_mfn(e).m;
}

int lne_get(struct domain *d, const struct page_info *table, pte_t e, int level, bool preemptible)
{
	struct page_info *pg;
	int rc;

	if (is_linear(table, e, level))
		return (e & PTE_W) ? -EINVAL : 0;
	if (!mfn_valid(pte_mfn(e)))
		return -EINVAL;
	pg = mfn_to_page(pte_mfn(e));
	if (!get_page(pg, d))
		return -EINVAL;
	rc = get_page_type(pg, level_type(level - 1), preemptible);
	if (rc)
		put_page(pg);
	return rc;
}

int lne_put(const struct page_info *table, pte_t e, int level, bool preemptible, uint32_t stamp)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));
	int rc;

	if (is_linear(table, e, level))
		return 0;
	rc = put_table_type(pg, preemptible, stamp);
	if (!rc)
		put_page(pg);
	return rc;
}

static int validate_l1(struct page_info *pg, struct domain *d)
{
	pte_t *pt = page_to_virt(pg);
	unsigned int i;
	int rc;

	for (i = 0; i < PT_ENTRIES; i++) {
		pte_t e = READ_ONCE(pt[i]), was = e;

		if (!(e & PTE_P))
			continue;
		rc = l1e_fix(&e);
		if (!rc)
			rc = l1e_get(d, e);
		if (rc) {
			done_set(pg, i);
			return rc;
		}
		if (e != was)
			WRITE_ONCE(pt[i], e);
	}
	return 0;
}

static void devalidate_l1(struct page_info *pg)
{
	pte_t *pt = page_to_virt(pg);
	unsigned int i = done_get(pg);

	while (i-- > 0)
		if (pt[i] & PTE_P)
			l1e_put(pt[i]);
	done_set(pg, 0);
}

static int validate_entry(struct page_info *pg, struct domain *d, pte_t *p, int level, bool preemptible)
{
	pte_t e = READ_ONCE(*p), was = e;
	int rc = lne_fix(&e);

	if (!rc)
		rc = lne_get(d, pg, e, level, preemptible);
	if (!rc && e != was)
		WRITE_ONCE(*p, e);
	return rc;
}

/*
 * A teardown that was preempted may have left the table below its last entry
 * partial. Going upwards again, that one comes first: validated once more, on
 * the references that the entry still has.
 */
static int revalidate_last(struct page_info *pg, int level, unsigned int done, bool preemptible)
{
	const pte_t *pt = page_to_virt(pg);
	struct page_info *sub;
	int rc;

	if (done == 0 || !(pt[done - 1] & PTE_P) || is_linear(pg, pt[done - 1], level) ||
	    (level == 4 && hv_l4_slot(done - 1)))
		return 0;
	sub = mfn_to_page(pte_mfn(pt[done - 1]));
	if (READ_ONCE(sub->type_info) & PGT_validated)
		return 0;
	rc = get_page_type(sub, level_type(level - 1), preemptible);
	if (!rc)
		rc = put_page_type(sub, preemptible);
	return rc;
}

/* Each call deals with one present entry at least, so that a preempted walk gets on. */
static int validate_upper(struct page_info *pg, struct domain *d, int level, bool preemptible)
{
	pte_t *pt = page_to_virt(pg);
	unsigned int i = done_get(pg);
	bool progress = false;
	int rc = revalidate_last(pg, level, i, preemptible);

	if (rc)
		return rc;
	for (; i < PT_ENTRIES; i++) {
		if (level == 4 && unlikely(hv_l4_slot(i))) {
			/* Whatever the guest left there must not be seen through a linear slot. */
			if (pt[i])
				WRITE_ONCE(pt[i], 0);
			continue;
		}
		if (!(pt[i] & PTE_P))
			continue;
		rc = preemptible && progress && preempt_wanted() ? -ERESTART_HC :
								   validate_entry(pg, d, &pt[i], level, preemptible);
		if (rc)
			break;
		progress = true;
		if (level == 4)
			pg->l4_groups |= 1ULL << (i / 8);
	}
	done_set(pg, i);
	return rc;
}

static int devalidate_upper(struct page_info *pg, int level, bool preemptible)
{
	pte_t *pt = page_to_virt(pg);
	unsigned int i = done_get(pg);
	bool progress = false;
	int rc = 0;

	while (i > 0) {
		pte_t e = pt[i - 1];

		if ((e & PTE_P) && !(level == 4 && hv_l4_slot(i - 1))) {
			rc = preemptible && progress && preempt_wanted() ? -ERESTART_HC :
									   lne_put(pg, e, level, preemptible, pg->u);
			if (rc)
				break;
			progress = true;
		}
		i--;
	}
	done_set(pg, i);
	return rc;
}

int table_validate(struct page_info *pg, bool preemptible)
{
	struct domain *d = page_owner(pg);
	int level = type_level(pg->type_info);

	BUG_ON(!d || level < 1 || level > 4);
	if (level == 1)
		return validate_l1(pg, d);
	if (level == 4 && done_get(pg) == 0)
		pg->l4_groups = 0;
	return validate_upper(pg, d, level, preemptible);
}

int table_devalidate(struct page_info *pg, bool preemptible)
{
	int level = type_level(pg->type_info);

	if (level == 1) {
		devalidate_l1(pg);
		return 0;
	}
	return devalidate_upper(pg, level, preemptible);
}
