/* SPDX-License-Identifier: MIT */
/* update_va_mapping: the L1 entry of an address in the present address space, and a flush. */
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"

/*
 * Another CPU may change or free the tables meanwhile. Then what is read here is
 * stale or garbage: each frame number is checked before it is followed, and the
 * page found counts as an L1 of the domain only once it is locked as such.
 */
struct page_info *pt_find_l1(const struct page_info *l4, uint64_t va)
{
	const struct page_info *pg = l4;
	int level;

	for (level = 4; level > 1; level--) {
		pte_t e = READ_ONCE(((const pte_t *)page_to_virt(pg))[pt_index(va, level)]);

		if (unlikely(!(e & PTE_P) || !mfn_valid(pte_mfn(e))))
			return NULL;
		pg = mfn_to_page(pte_mfn(e));
	}
	return (struct page_info *)pg;
}

int vcpu_bitmap_to_cpus(struct domain *d, uint64_t addr, cpumask_t *ret)
{
	uint8_t map[MAX_VCPUS / 8] = { 0 };
	cpumask_t mask = 0;
	struct vcpu *v;
	unsigned int i;

	if (copy_from_guest(map, addr, (d->max_vcpus + 7) / 8))
		return -EFAULT;
	for_each_vcpu (d, v, i)
		if (map[i / 8] >> (i % 8) & 1)
			mask |= 1ULL << v->processor;
	/* A vCPU that changes its CPU meanwhile loads CR3 anyway. */
	*ret = mask & d->dirty_cpus;
	return 0;
}

static int flush_after(struct vcpu *v, uint64_t va, unsigned long flags)
{
	unsigned long what = flags & UVMF_FLUSHTYPE_MASK, bitmap = flags & ~(UVMF_FLUSHTYPE_MASK | UVMF_ALL);
	cpumask_t mask;
	int rc;

	if (what == UVMF_NONE)
		return 0;
	if (what == UVMF_FLUSHTYPE_MASK)
		return -EINVAL;
	if (flags & UVMF_ALL) {
		mask = v->domain->dirty_cpus;
	} else if (bitmap == 0) {
		if (what == UVMF_INVLPG)
			flush_tlb_va_local(va);
		else
			flush_tlb_local();
		return 0;
	} else {
		rc = vcpu_bitmap_to_cpus(v->domain, bitmap, &mask);
		if (rc)
			return rc;
	}
	if (what == UVMF_INVLPG)
		flush_tlb_va_mask(mask, va);
	else
		flush_tlb_mask(mask);
	return 0;
}

static long update_va(struct vcpu *v, struct domain *fd, unsigned long va, unsigned long val, unsigned long flags)
{
	struct pt_write w = { .pt_dom = v->domain, .fd = fd, .mode = PT_STORE, .val = val };
	struct page_info *pg;
	int rc;

	if (unlikely(!v->pv.base))
		return -EINVAL;
	pg = pt_find_l1(v->pv.base, va);
	if (unlikely(!pg))
		return -EINVAL;
	if (likely(table_lock(pg, v->domain, PGT_l1))) {
		rc = pt_write_l1(pg, pt_index(va, 1), &w);
		table_unlock(pg);
	} else {
		rc = pt_write_l1_slow(pg, pt_index(va, 1), &w);
	}
	if (likely(!rc) && flags)
		rc = flush_after(v, va, flags);
	return rc;
}

long do_update_va_mapping(unsigned long va, unsigned long val, unsigned long flags)
{
	struct vcpu *v = current;

	if (unlikely(v->partial_page) && pv_finish_partial(v))
		return hypercall_continuation(__HYPERVISOR_update_va_mapping, va, val, flags, 0, 0);
	return update_va(v, v->domain, va, val, flags);
}

long do_update_va_mapping_otherdomain(unsigned long va, unsigned long val, unsigned long flags, unsigned long domid)
{
	struct vcpu *v = current;
	struct domain *fd = NULL;
	long rc;

	if (domid != (domid_t)domid)
		return -EINVAL;
	if (domid == DOMID_IO) {
		if (!is_host_domain(v->domain))
			return -EPERM;
	} else {
		rc = resolve_domain_arg((domid_t)domid, &fd);
		if (rc)
			return rc;
	}
	if (unlikely(v->partial_page) && pv_finish_partial(v))
		rc = hypercall_continuation(__HYPERVISOR_update_va_mapping_otherdomain, va, val, flags, domid, 0);
	else
		rc = update_va(v, fd, va, val, flags);
	release_domain_arg(fd);
	return rc;
}
