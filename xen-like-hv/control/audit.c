/* SPDX-License-Identifier: MIT */
/* Debug key 't': stops all domains, and compares the counts of their pages with a walk of all that refers to them. */
#include "control/private.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "mm/heap.h"
#include "p2m/p2m.h"
#include "pv/audit.h"
#include "pv/mmu.h"
#include "sched/sched.h"

#define OWNERS_MAX 1024u

/* All domains but those that never run, paused and referenced. false: too many. */
static bool stop_domains(struct audit *a)
{
	bool all = true;
	struct domain *d;
	unsigned int i;

	spin_lock(&domlist_lock);
	for (d = domain_first(); d && all; d = d->next) {
		all = a->nr_owners < OWNERS_MAX;
		if (all && get_domain(d))
			a->owner[a->nr_owners++].d = d;
	}
	spin_unlock(&domlist_lock);
	for (i = 0; i < a->nr_owners; i++)
		if (!is_host_domain(a->owner[i].d))
			domain_pause(a->owner[i].d);
	return all;
}

static void resume_domains(struct audit *a)
{
	unsigned int i;

	for (i = 0; i < a->nr_owners; i++) {
		if (!is_host_domain(a->owner[i].d))
			domain_unpause(a->owner[i].d);
		put_domain(a->owner[i].d);
	}
}

static void count_owner(struct audit *a, const struct page_info *pg)
{
	struct domain *d = page_owner(pg);
	unsigned int i = a->last_owner;

	if (a->owner[i].d != d)
		for (i = 0; i < a->nr_owners && a->owner[i].d != d; i++)
			;
	if (i == a->nr_owners) {
		audit_differ(a, pg, "its owner is no domain");
		return;
	}
	a->last_owner = i;
	if (pg->count_info & PGC_hv)
		a->owner[i].hv_pages++;
	else
		a->owner[i].pages++;
}

static void compare_page(struct audit *a, const struct page_info *pg, const struct audit_seen *seen)
{
	uint64_t x = pg->type_info, refs = pg->count_info & PGC_count_mask, types = x & PGT_count_mask;
	/* The one that keeps a shared page of the hypervisor's from becoming anything else. */
	uint64_t want = seen->types + (pg->count_info & PGC_hv ? 1 : 0);

	if (!pg->owner) {
		if (!(pg->count_info & PGC_hv) && refs)
			audit_differ(a, pg, "nobody's, but counted");
		return;
	}
	a->pages++;
	count_owner(a, pg);
	if (refs != seen->refs)
		audit_differ(a, pg, "%lu references, %u found", refs, seen->refs);
	if (types != want)
		audit_differ(a, pg, "type count %lu, %lu found", types, want);
	if (types && !(x & (PGT_validated | PGT_partial)))
		audit_differ(a, pg, "somebody is working on it");
	if (x & PGT_locked)
		audit_differ(a, pg, "locked");
}

static uint64_t list_length(uint32_t nr, uint64_t most)
{
	uint64_t n = 0;

	for (; nr && n <= most; nr = mfn_to_page(mfn(nr))->next)
		n++;
	return n;
}

static void compare_accounts(struct audit *a)
{
	unsigned int i;

	for (i = 0; i < a->nr_owners; i++) {
		const struct audit_owner *o = &a->owner[i];
		struct domain *d = o->d;
		uint64_t listed = list_length(d->page_list, max_page) + list_length(d->pv.unpinned_list, max_page) +
				  list_length(d->pv.relinquished_list, max_page);

		if (o->pages != d->tot_pages || listed != d->tot_pages || o->hv_pages != d->xenheap_pages)
			audit_differ(a, NULL, "d%u: %lu pages of %lu are its own, %lu listed, %lu of %lu of the hypervisor's",
				     d->domid, o->pages, d->tot_pages, listed, o->hv_pages, d->xenheap_pages);
	}
}

static void explain_event_page(struct page_info *pg, void *a)
{
	audit_explain(a, pg, PGT_writable, "an event array");
}

static void explain_grant(mfn_t frame, bool readonly, void *a)
{
	audit_explain(a, mfn_to_page(frame), readonly ? PGT_none : PGT_writable, "a grant mapping");
}

struct p2m_audit {
	struct audit *a;
	struct domain *d;
};

/* An entry's page is the domain's own, or one that it maps by grant. */
static void explain_p2m(mfn_t frame, uint64_t gfn, enum p2m_type type, void *arg)
{
	const struct p2m_audit *p = arg;
	struct page_info *pg = mfn_to_page(frame);
	bool writable = p2m_writable(type), own = pg->owner == p->d->domid + 1;

	audit_explain(p->a, pg, writable ? PGT_writable : PGT_none, "a p2m entry");
	if (!p->a->first_pass)
		return;
	if (!p2m_is_grant(type) ? !own : !grant_maps_frame(p->d, frame, writable))
		audit_differ(p->a, pg, "d%u has it at gfn %#lx as type %u", p->d->domid, gfn, type);
	if (p2m_is_ram(type) && m2p_get(frame) != gfn)
		audit_differ(p->a, pg, "at gfn %#lx of d%u, but known as %#lx", gfn, p->d->domid, m2p_get(frame));
}

static void walk_p2m(struct audit *a, struct domain *d)
{
	struct p2m_audit p = { a, d };

	if (!p2m_each_frame(d, explain_p2m, &p) && a->first_pass)
		audit_differ(a, NULL, "d%u: its p2m has other tables than it counted", d->domid);
}

static void walk(struct audit *a)
{
	struct vcpu *v;
	unsigned int o, i;
	uint64_t m;

	for (m = 0; m < max_page; m++)
		if (mfn_valid(mfn(m)))
			audit_walk_page(a, mfn_to_page(mfn(m)));
	for (o = 0; o < a->nr_owners; o++) {
		struct domain *d = a->owner[o].d;

		for_each_vcpu(d, v, i)
			audit_walk_vcpu(a, v);
		evtchn_each_page(d, explain_event_page, a);
		grant_each_mapping(d, explain_grant, a);
		walk_p2m(a, d);
	}
}

static void run_passes(struct audit *a)
{
	uint64_t m, i;

	for (a->first = 0; a->first < max_page; a->first += a->nr) {
		a->first_pass = a->passes++ == 0;
		for (i = 0; i < a->nr >> AUDIT_SEEN_SHIFT; i++)
			memset(a->seen[i], 0, AUDIT_SEEN * sizeof(**a->seen));
		walk(a);
		for (m = a->first; m < a->first + a->nr && m < max_page; m++)
			if (mfn_valid(mfn(m)))
				compare_page(a, mfn_to_page(mfn(m)), audit_seen(a, m));
	}
	compare_accounts(a);
}

/* 2 MiB for each GiB, but no more than half of what is free: each pass walks all there is. */
static bool alloc_notes(struct audit *a)
{
	uint64_t want = (max_page + AUDIT_SEEN - 1) >> AUDIT_SEEN_SHIFT, most = free_pages_total() / 2, i;

	a->seen = xzalloc_array(struct audit_seen *, want);
	if (!a->seen)
		return false;
	most = max(most / (AUDIT_SEEN * sizeof(**a->seen) >> PAGE_SHIFT), 1ul);
	for (i = 0; i < min(want, most); i++) {
		a->seen[i] = xzalloc_array(struct audit_seen, AUDIT_SEEN);
		if (!a->seen[i])
			break;
	}
	a->nr = i << AUDIT_SEEN_SHIFT;
	return a->nr != 0;
}

static void free_notes(struct audit *a)
{
	uint64_t i;

	for (i = 0; i < a->nr >> AUDIT_SEEN_SHIFT; i++)
		xfree(a->seen[i]);
	xfree(a->seen);
}

void audit_all(void)
{
	struct audit a = { .owner = xzalloc_array(struct audit_owner, OWNERS_MAX),
			   .is_granted = grant_maps_frame };

	if (!a.owner || !alloc_notes(&a)) {
		printk("audit: no memory\n");
		free_notes(&a);
		xfree(a.owner);
		return;
	}
	if (stop_domains(&a)) {
		run_passes(&a);
		printk("audit: %lu pages of %u domains, %lu tables: %lu differ (passes: %u)\n", a.pages, a.nr_owners,
		       a.tables, a.differ, a.passes);
	} else {
		printk("audit: more than %u domains\n", OWNERS_MAX);
	}
	resume_domains(&a);
	free_notes(&a);
	xfree(a.owner);
}
