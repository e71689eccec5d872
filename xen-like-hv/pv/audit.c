/* SPDX-License-Identifier: MIT */
/*
 * What refers to pages: entries of tables, pins, roots, descriptor tables, work
 * that was preempted, registered areas; control/audit.c has event arrays and
 * grant mappings. Whoever takes references to pages that outlive a hypercall
 * has a place in one of the two.
 */
#include "pv/audit.h"
#include "pv/mmu_private.h"
#include "pv/shadow.h"

#define LINES_MAX 40u

void audit_differ(struct audit *a, const struct page_info *pg, const char *fmt, ...)
{
	char line[160];
	__builtin_va_list ap;

	if (++a->differ > LINES_MAX)
		return;
	__builtin_va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	__builtin_va_end(ap);
	if (pg)
		printk("audit: frame %#lx (d%d count %#lx type %#lx): %s\n", page_to_mfn(pg).m, pg->owner - 1,
		       pg->count_info, pg->type_info, line);
	else
		printk("audit: %s\n", line);
}

#define ANY_TYPE ~0ULL
#define LDT_L1_FIRST ((LDT_VIRT - PERVCPU_VIRT) >> PAGE_SHIFT)
#define PTE_AD (PTE_A | PTE_D)
/* Of no meaning to the hardware; pv/root_fast.c marks with it. */
#define PTE_MARKS (1UL << 62)

void audit_explain(struct audit *a, struct page_info *pg, uint64_t type, const char *who)
{
	uint64_t nr = page_to_mfn(pg).m;

	if (nr < a->first || nr - a->first >= a->nr)
		return;
	audit_seen(a, nr)->refs++;
	if (!pg->owner)
		audit_differ(a, pg, "%s refers to it, and nobody owns it", who);
	if (type == PGT_none)
		return;
	audit_seen(a, nr)->types++;
	if (type != ANY_TYPE && (pg->type_info & PGT_type_mask) != type)
		audit_differ(a, pg, "%s needs type %lu", who, type >> 60);
}

static void explain_l1_entry(struct audit *a, const struct page_info *table, struct domain *d, pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	if (pg->owner != table->owner && a->first_pass && !a->is_granted(d, pte_mfn(e), e & PTE_W))
		audit_differ(a, table, "entry %#lx maps a frame of another domain's", e);
	audit_explain(a, pg, e & PTE_W ? PGT_writable : PGT_none, "an L1 entry");
}

static void walk_entry(struct audit *a, struct page_info *table, struct domain *d, int level, unsigned int i)
{
	pte_t e = ((pte_t *)page_to_virt(table))[i], as_fixed = e;

	if (!(e & PTE_P))
		return;
	if ((level == 1 ? l1e_fix(&as_fixed) : lne_fix(&as_fixed)) || e != as_fixed || !mfn_valid(pte_mfn(e)) ||
	    (level == 4 && hv_l4_slot(i))) {
		if (a->first_pass)
			audit_differ(a, table, "entry %u may not be %#lx", i, e);
		return;
	}
	if (level == 1)
		explain_l1_entry(a, table, d, e);
	else if (level != 4 || pte_mfn(e).m != page_to_mfn(table).m)
		audit_explain(a, mfn_to_page(pte_mfn(e)), level_type(level - 1), "an upper entry");
	else if ((e & PTE_W) && a->first_pass)
		audit_differ(a, table, "linear slot %u is writable", i);
}

static void walk_table(struct audit *a, struct page_info *pg)
{
	uint64_t x = pg->type_info;
	unsigned int i, n = PT_ENTRIES;
	struct domain *d = page_owner(pg);

	if (!(x & PGT_validated)) {
		n = (unsigned int)((x & PGT_done_mask) >> PGT_done_shift);
		/* The state's own. */
		if (x & PGT_partial)
			audit_explain(a, pg, ANY_TYPE, "the partial state");
	}
	a->tables += a->first_pass;
	for (i = 0; i < n; i++)
		walk_entry(a, pg, d, type_level(x), i);
}

static void check_descriptors(struct audit *a, const struct page_info *pg)
{
	const uint64_t *table = page_to_virt(pg);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*table); i++) {
		uint64_t d = table[i];

		if (!pv_fix_descriptor(&d) || d != table[i])
			audit_differ(a, pg, "descriptor %u may not be %#lx", i, table[i]);
	}
}

void audit_walk_page(struct audit *a, struct page_info *pg)
{
	uint64_t x = pg->type_info;
	int level = type_level(x);

	if (!pg->owner)
		return;
	if (pg->count_info & PGC_allocated)
		audit_explain(a, pg, PGT_none, "its owner");
	if (x & PGT_pinned)
		audit_explain(a, pg, ANY_TYPE, "the pin");
	if (!(x & PGT_count_mask))
		return;
	if (level >= 1 && level <= 4)
		walk_table(a, pg);
	else if (level == (int)(PGT_seg_desc >> 60) && a->first_pass)
		check_descriptors(a, pg);
}

/* The roots are copies, and hold no references: are they true copies? */
static pte_t root_entry(const struct vcpu *v, bool user, unsigned int slot)
{
	unsigned int i;

	if (!user)
		return v->pv.root_kernel[slot];
	for (i = 0; v->pv.root_opened && i < v->pv.fast_nr; i++)
		if (v->pv.fast_slot[i] == slot)
			return v->pv.fast_user[i];
	return v->pv.root_user[slot];
}

static void check_root(struct audit *a, const struct vcpu *v, bool user)
{
	const struct page_info *l4 = user ? v->pv.user_base : v->pv.base;
	unsigned int slot;

	for (slot = 0; v->pv.root_kernel && slot < PT_ENTRIES; slot++) {
		pte_t want = l4 ? ((pte_t *)page_to_virt(l4))[slot] : 0, e;

		if (hv_l4_slot(slot))
			continue;
		e = root_entry(v, user, slot);
		/* Filled in when it is used. */
		if (v->domain->pv.shadow && !(e & PTE_P))
			continue;
		if (v->domain->pv.shadow && l4)
			want = shadow_root_entry(v->domain, l4, want);
		if (((e ^ want) & ~(PTE_AD | PTE_MARKS)) && ((e | want) & PTE_P))
			audit_differ(a, l4, "d%uv%u's %s root has %#lx in slot %u, its L4 %#lx", v->domain->domid,
				     v->vcpu_id, user ? "user" : "kernel", e, slot, want);
	}
}

static void explain_gdt(struct audit *a, const struct vcpu *v)
{
	unsigned int i, n = (v->pv.gdt_entries + 511) / 512;

	for (i = 0; i < n; i++) {
		audit_explain(a, mfn_to_page(mfn(v->pv.gdt_frames[i])), PGT_seg_desc, "a GDT");
		if (v->pv.pervcpu_l1 && pte_mfn(v->pv.pervcpu_l1[i]).m != v->pv.gdt_frames[i])
			audit_differ(a, mfn_to_page(mfn(v->pv.gdt_frames[i])), "d%uv%u's GDT window has %#lx",
				     v->domain->domid, v->vcpu_id, v->pv.pervcpu_l1[i]);
	}
	for (i = 0; v->pv.pervcpu_l1 && i < LDT_MAX_PAGES; i++) {
		pte_t e = v->pv.pervcpu_l1[LDT_L1_FIRST + i];

		if (e & PTE_P)
			audit_explain(a, mfn_to_page(pte_mfn(e)), PGT_seg_desc, "an LDT");
		if (!(e & PTE_P) != !(v->pv.ldt_mapped >> i & 1))
			audit_differ(a, NULL, "d%uv%u's LDT window %u has %#lx", v->domain->domid, v->vcpu_id, i, e);
	}
}

static void explain_if(struct audit *a, struct page_info *pg, uint64_t type, const char *who)
{
	if (pg)
		audit_explain(a, pg, type, who);
}

void audit_walk_vcpu(struct audit *a, struct vcpu *v)
{
	unsigned int i;

	explain_if(a, v->pv.base, PGT_l4, "a kernel base");
	explain_if(a, v->pv.user_base, PGT_l4, "a user base");
	explain_if(a, v->partial_page, ANY_TYPE, "a put that was preempted");
	explain_if(a, v->vcpu_info_page, PGT_writable, "a vcpu_info");
	for (i = 0; i < 2; i++) {
		explain_if(a, v->vtime.runstate_area.page[i], PGT_writable, "a runstate area");
		explain_if(a, v->vtime.time_area.page[i], PGT_writable, "a time area");
	}
	explain_gdt(a, v);
	if (a->first_pass) {
		check_root(a, v, false);
		check_root(a, v, true);
	}
}
