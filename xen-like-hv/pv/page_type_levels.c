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

/* The first present entry from i on, or PT_ENTRIES. Most of a table is empty: eight at a time. */
static unsigned int next_present(const pte_t *pt, unsigned int i)
{
	for (; i % 8 && i < PT_ENTRIES; i++)
		if (pt[i] & PTE_P)
			return i;
	for (; i < PT_ENTRIES; i += 8) {
		const pte_t *p = pt + i;

		if (!((p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) & PTE_P))
			continue;
		while (!(pt[i] & PTE_P))
			i++;
		return i;
	}
	return PT_ENTRIES;
}

/* One more than the last present entry below n; 0: none. */
static unsigned int last_present(const pte_t *pt, unsigned int n)
{
	for (; n % 8; n--)
		if (pt[n - 1] & PTE_P)
			return n;
	for (; n > 0; n -= 8) {
		const pte_t *p = pt + n - 8;

		if (!((p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) & PTE_P))
			continue;
		while (!(pt[n - 1] & PTE_P))
			n--;
		return n;
	}
	return 0;
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
	if (!(e & PTE_NX))
		page_note_exec(pg);
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

	for (i = next_present(pt, 0); i < PT_ENTRIES; i = next_present(pt, i + 1)) {
		pte_t e = READ_ONCE(pt[i]), was = e;

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
	unsigned int n = done_get(pg);

	while ((n = last_present(pt, n)) > 0)
		l1e_put(pt[--n]);
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

	if (done == 0 || !(pt[done - 1] & PTE_P) || is_linear(pg, pt[done - 1], level))
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
	for (i = next_present(pt, i); i < PT_ENTRIES; i = next_present(pt, i + 1)) {
		rc = preemptible && progress && preempt_wanted() ? -ERESTART_HC :
								   validate_entry(pg, d, &pt[i], level, preemptible);
		if (rc)
			break;
		progress = true;
		if (level == 4)
			l4_note_slot(d, i);
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

	while ((i = last_present(pt, i)) > 0) {
		rc = preemptible && progress && preempt_wanted() ?
			     -ERESTART_HC :
			     lne_put(pg, pt[i - 1], level, preemptible, pg->u);
		if (rc)
			break;
		progress = true;
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
	/* Whatever the guest left in these must not be seen through a linear slot. */
	if (level == 4 && done_get(pg) == 0)
		memset((pte_t *)page_to_virt(pg) + HV_L4_FIRST, 0, (HV_L4_LAST - HV_L4_FIRST + 1) * sizeof(pte_t));
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
