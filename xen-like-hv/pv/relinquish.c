/* SPDX-License-Identifier: MIT */
/*
 * Taking a dying domain's memory away. Its vCPUs do not run any more. Bases and
 * pins are what keeps page tables alive; tables refer downwards only, so without
 * those all type counts reach 0, every entry's references are dropped, and all
 * pages are freed but those that other domains map by grant.
 *
 * So pins go first, for all pages: after that nearly every page is a plain one
 * with its owner's reference alone, of which many are freed at once.
 */
#include "pv/mmu_private.h"

static int drop_vcpus(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;
	int rc;

	for_each_vcpu (d, v, i) {
		pv_destroy_gdt(v);
		pv_invalidate_ldt(v);
		rc = pv_put_bases(v);
		if (rc)
			return rc;
	}
	return 0;
}

/* A call of domain 0 on this domain may have been given up half way. */
static int drop_host_leftover(struct domain *d)
{
	struct vcpu *v = host_domain ? host_domain->vcpu[0] : NULL;

	if (v && v->partial_page && v->partial_page->owner == d->domid + 1)
		return pv_finish_partial(v);
	return 0;
}

static int drop_pin(struct page_info *pg)
{
	int rc;

	if (!(__atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned))
		return 0;
	rc = put_page_type(pg, true);
	if (rc) {
		__atomic_or_fetch(&pg->type_info, PGT_pinned, __ATOMIC_SEQ_CST);
		return rc;
	}
	put_page(pg);
	return 0;
}

static int drop_pins(struct domain *d, struct page_info *pg)
{
	int rc = drop_pin(pg);

	if (!rc)
		rc = drop_partial(pg, true);
	if (!rc)
		domain_page_move(d, pg, &d->pv.unpinned_list);
	return rc;
}

static int drop_owner(struct domain *d, struct page_info *pg)
{
	/* Domain 0 may have pinned it again. */
	int rc = drop_pin(pg);

	if (!rc)
		rc = drop_partial(pg, true);
	if (rc)
		return rc;
	if (__atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST) & PGC_allocated)
		put_page(pg);
	domain_page_move(d, pg, &d->pv.relinquished_list);
	return 0;
}

/* The page at the head that needs work stays there until it is done: a preempted one is found again. */
static int drop_list(struct domain *d, uint32_t *from, uint32_t *to,
		     int (*work)(struct domain *d, struct page_info *pg))
{
	bool more;

	do {
		struct page_info *pg = domain_pages_drop(d, from, to, &more);
		int rc = 0;

		if (pg) {
			rc = work(d, pg);
			put_page(pg);
		}
		if (rc)
			return rc;
		if (more && preempt_wanted())
			return -ERESTART_HC;
	} while (more);
	return 0;
}

int pv_relinquish_memory(struct domain *d)
{
	int rc = drop_vcpus(d);

	if (!rc)
		rc = drop_host_leftover(d);
	if (!rc)
		rc = drop_list(d, &d->page_list, &d->pv.unpinned_list, drop_pins);
	if (!rc)
		rc = drop_list(d, &d->pv.unpinned_list, NULL, drop_owner);
	return rc;
}
