/* SPDX-License-Identifier: MIT */
/*
 * The root tables that CPUs run on.
 *
 * Each vCPU has two, for the guest's kernel and for its user mode. They hold the
 * hypervisor's slots, and copies of the entries of the guest's L4 pages. The
 * copies follow the originals: an L4 entry changes under its page's lock, and
 * the roots made from that page are found and changed before it is released.
 */
#include "mm/hv_pagetable.h"
#include "pv/mmu_private.h"
#include "pv/shadow.h"
#include "x86/desc.h"

/* Down to pages of both kinds: which, the last entry says. */
#define PTE_WINDOW (PTE_P | PTE_W | PTE_A | PTE_D | PTE_U)

static DEFINE_PER_CPU(struct domain *, loaded_domain); /* whose dirty_cpus has this CPU */
static DEFINE_PER_CPU(uint64_t, idle_cr3);
uint64_t desc_pte = PTE_P | PTE_A | PTE_NX;

struct window {
	pte_t *l1;
	void *l2, *l3;
};

/* A CPU that is not in d's mask has no entry of its; the reload of CR3 made sure. */
static void switch_domain(unsigned int cpu, struct domain *d, uint64_t cr3)
{
	struct domain *old = loaded_domain[cpu];
	cpumask_t me = 1ULL << cpu;

	if (old != d && d)
		__atomic_or_fetch(&d->dirty_cpus, me, __ATOMIC_SEQ_CST);
	hv_delay_point("switch: counted, not loaded");
	write_cr3(cr3);
	if (old != d && old)
		__atomic_and_fetch(&old->dirty_cpus, ~me, __ATOMIC_SEQ_CST);
	loaded_domain[cpu] = d;
}

static void set_cpu_gdt_page(pte_t *l1, unsigned int cpu)
{
	/* Writable for the CPU's own ltr; ring 3 cannot reach it. */
	WRITE_ONCE(l1[GDT_CPU_PAGE], virt_to_paddr(cpu_gdt_page[cpu]) | PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX);
}

void pv_mmu_switch_to(struct vcpu *v)
{
	unsigned int cpu = smp_cpu();

	if (is_idle_vcpu(v)) {
		switch_domain(cpu, NULL, idle_cr3[cpu]);
	} else {
		set_cpu_gdt_page(v->pv.pervcpu_l1, cpu);
		switch_domain(cpu, v->domain, v->pv.kernel_mode ? v->pv.cr3_kernel : v->pv.cr3_user);
	}
	ldt_load(v->pv.ldt_entries);
}

void mmu_switch_to_hvm(struct domain *d)
{
	unsigned int cpu = smp_cpu();

	switch_domain(cpu, d, idle_cr3[cpu]);
	tlb_guest_on_idle_root();
	ldt_load(0);
}

static void free_window(struct window *w)
{
	free_hv_page(w->l1);
	free_hv_page(w->l2);
	free_hv_page(w->l3);
	*w = (struct window){ NULL };
}

static int alloc_window(struct window *w)
{
	unsigned int i;

	w->l1 = alloc_hv_page();
	w->l2 = alloc_hv_page();
	w->l3 = alloc_hv_page();
	if (!w->l1 || !w->l2 || !w->l3) {
		free_window(w);
		return -ENOMEM;
	}
	((pte_t *)w->l3)[0] = virt_to_paddr(w->l2) | PTE_WINDOW;
	((pte_t *)w->l2)[0] = virt_to_paddr(w->l1) | PTE_WINDOW;
	/* The limit covers all pages: a selector into one that is not set finds an empty descriptor. */
	for (i = 0; i < GDT_GUEST_PAGES; i++)
		w->l1[i] = empty_desc_mfn().m << PAGE_SHIFT | desc_pte;
	w->l1[GDT_FLAT_PAGE] = sym_to_paddr(gdt_flat_page) | desc_pte;
	return 0;
}

static uint64_t *alloc_root(const struct window *w)
{
	uint64_t *root = alloc_hv_page();

	if (root) {
		hv_root_fill(root);
		root[PERVCPU_SLOT] = virt_to_paddr(w->l3) | PTE_WINDOW;
	}
	return root;
}

void pv_init_idle_root(unsigned int cpu)
{
	struct window w;
	uint64_t *root;

	BUG_ON(alloc_window(&w));
	root = alloc_root(&w);
	BUG_ON(!root);
	set_cpu_gdt_page(w.l1, cpu);
	idle_cr3[cpu] = virt_to_paddr(root);
}

uint64_t pv_idle_cr3(unsigned int cpu) { return idle_cr3[cpu]; }

int pv_root_init_vcpu(struct vcpu *v)
{
	struct window w;

	if (alloc_window(&w))
		return -ENOMEM;
	spin_lock_init(&v->pv.root_lock);
	v->pv.pervcpu_l1 = w.l1;
	v->pv.pervcpu_l2 = w.l2;
	v->pv.pervcpu_l3 = w.l3;
	v->pv.root_kernel = alloc_root(&w);
	v->pv.root_user = alloc_root(&w);
	if (!v->pv.root_kernel || !v->pv.root_user) {
		pv_root_destroy_vcpu(v);
		return -ENOMEM;
	}
	v->pv.cr3_kernel = virt_to_paddr(v->pv.root_kernel);
	v->pv.cr3_user = virt_to_paddr(v->pv.root_user);
	return 0;
}

void pv_root_destroy_vcpu(struct vcpu *v)
{
	struct window w = { v->pv.pervcpu_l1, v->pv.pervcpu_l2, v->pv.pervcpu_l3 };

	free_window(&w);
	v->pv.pervcpu_l1 = NULL;
	v->pv.pervcpu_l2 = v->pv.pervcpu_l3 = NULL;
	free_hv_page(v->pv.root_kernel);
	free_hv_page(v->pv.root_user);
	v->pv.root_kernel = v->pv.root_user = NULL;
	v->pv.cr3_kernel = v->pv.cr3_user = 0;
}

/* Unrolled: with each switch of processes this runs for every group of both roots. */
static void copy_group(uint64_t *dst, const uint64_t *src)
{
	WRITE_ONCE(dst[0], src[0]);
	WRITE_ONCE(dst[1], src[1]);
	WRITE_ONCE(dst[2], src[2]);
	WRITE_ONCE(dst[3], src[3]);
	WRITE_ONCE(dst[4], src[4]);
	WRITE_ONCE(dst[5], src[5]);
	WRITE_ONCE(dst[6], src[6]);
	WRITE_ONCE(dst[7], src[7]);
}

/*
 * Groups of eight slots: those that any L4 of the domain ever had, and those to
 * be emptied. Kernels use the same few in all their tables, so what this one
 * lacks of them costs less than to remember it for each page.
 */
static void copy_groups(struct vcpu *v, uint64_t *root, uint64_t *groups, const struct page_info *l4)
{
	static const uint64_t empty[8];
	uint64_t want = l4 ? READ_ONCE(v->domain->pv.l4_groups) : 0, m;
	const uint64_t *src = l4 ? page_to_virt(l4) : NULL;

	if (unlikely(v->domain->pv.shadow)) {
		for (m = want; m; m &= m - 1)
			shadow_root_group(v->domain, l4, root + __builtin_ctzll(m) * 8, src + __builtin_ctzll(m) * 8);
	} else {
		for (m = want; m; m &= m - 1)
			copy_group(root + __builtin_ctzll(m) * 8, src + __builtin_ctzll(m) * 8);
	}
	for (m = *groups & ~want; m; m &= m - 1)
		copy_group(root + __builtin_ctzll(m) * 8, empty);
	*groups = want;
}

/*
 * base changes last: whoever changes an entry of the old L4 meanwhile still
 * finds it, waits for the lock, and sees then that no root has the entry.
 */
static void switch_base(struct vcpu *v, bool user, struct page_info *pg)
{
	if (pg)
		BUG_ON(!table_lock_any(pg, v->domain, PGT_l4));
	spin_lock(&v->pv.root_lock);
	root_fast_off(v);
	if (user) {
		copy_groups(v, v->pv.root_user, &v->pv.groups_user, pg);
		WRITE_ONCE(v->pv.user_base, pg);
		root_fast_setup(v);
	} else {
		copy_groups(v, v->pv.root_kernel, &v->pv.groups_kernel, pg);
		WRITE_ONCE(v->pv.base, pg);
	}
	spin_unlock(&v->pv.root_lock);
	if (pg)
		table_unlock(pg);
}

void pv_root_remake(struct vcpu *v)
{
	if (v->pv.base)
		switch_base(v, false, v->pv.base);
	if (v->pv.user_base)
		switch_base(v, true, v->pv.user_base);
}

static int get_base(struct domain *d, mfn_t m, bool preemptible, struct page_info **ret)
{
	struct page_info *pg;
	int rc;

	if (!mfn_valid(m))
		return -EINVAL;
	pg = mfn_to_page(m);
	if (!get_page(pg, d))
		return -EINVAL;
	rc = get_page_type(pg, PGT_l4, preemptible);
	if (rc)
		put_page(pg);
	else
		*ret = pg;
	return rc;
}

int pv_set_base(struct vcpu *v, mfn_t m, bool user, bool preemptible)
{
	struct page_info *old = user ? v->pv.user_base : v->pv.base, *pg = NULL;
	int rc = pv_finish_partial(current);

	if (rc)
		return rc;
	if (m.m || !user) {
		rc = get_base(v->domain, m, preemptible, &pg);
		if (rc)
			return rc;
	}
	/* The root about to change must not be the one in use for the other mode. */
	if (v->pv.root_opened)
		root_leave_opened(v);
	if (pg != old)
		switch_base(v, user, pg);
	if (v == current && !user)
		write_cr3(v->pv.cr3_kernel);
	/* Nobody knows it through v's roots any more: one is loaded anew, the other was not in use. */
	if (old)
		put_page_and_type_deferred(current, old);
	return 0;
}

static int put_base(struct vcpu *v, bool user, bool preemptible)
{
	struct page_info *pg = user ? v->pv.user_base : v->pv.base;

	if (!pg)
		return 0;
	if (v->pv.root_kernel)
		switch_base(v, user, NULL);
	else
		*(user ? &v->pv.user_base : &v->pv.base) = NULL;
	if (put_page_type(pg, preemptible)) {
		/* v does not run any more: its own slot is free for this. */
		v->partial_page = pg;
		return -ERESTART_HC;
	}
	put_page(pg);
	return 0;
}

int pv_put_bases(struct vcpu *v)
{
	int rc = pv_finish_partial(v);

	if (!rc)
		rc = put_base(v, false, true);
	if (!rc)
		rc = put_base(v, true, true);
	return rc;
}

void pv_drop_bases(struct vcpu *v)
{
	while (pv_finish_partial(v))
		;
	put_base(v, false, false);
	put_base(v, true, false);
}

void toggle_guest_mode(struct vcpu *v)
{
	__asm__ volatile("swapgs" ::: "memory");
	if (v->pv.kernel_mode) {
		v->pv.kernel_mode = 0;
		if (v->pv.root_opened)
			root_close_kernel(v);
		else
			write_cr3(v->pv.cr3_user);
		return;
	}
	v->pv.kernel_mode = 1;
	if (v->pv.fast_root)
		root_open_kernel(v);
	else
		write_cr3(v->pv.cr3_kernel);
}

/* The new entry to v's root; true: root_show_high is to finish it. */
static bool root_store(struct vcpu *v, unsigned int slot, bool user, uint64_t new_entry)
{
	*(user ? &v->pv.groups_user : &v->pv.groups_kernel) |= new_entry & PTE_P ? 1ULL << (slot / 8) : 0;
	if (slot >= HV_L4_FIRST)
		return root_store_high(v, slot, user, new_entry);
	root_store_low(v, slot, user, new_entry);
	return false;
}

void pv_root_sync_entry(struct domain *d, struct page_info *l4, unsigned int slot, uint64_t new_entry)
{
	bool listed = false;
	struct vcpu *v;
	unsigned int i;

	if (unlikely(d->pv.shadow))
		new_entry = shadow_root_entry(d, l4, new_entry);
	for_each_vcpu (d, v, i) {
		if (READ_ONCE(v->pv.base) != l4 && READ_ONCE(v->pv.user_base) != l4)
			continue;
		spin_lock(&v->pv.root_lock);
		if (v->pv.base == l4)
			listed |= root_store(v, slot, false, new_entry);
		if (v->pv.user_base == l4)
			listed |= root_store(v, slot, true, new_entry);
		spin_unlock(&v->pv.root_lock);
	}
	if (listed)
		root_show_high(d, l4, slot);
}
