/* SPDX-License-Identifier: MIT */
/*
 * Memory of a guest that the hypervisor writes to whenever the vCPU is
 * scheduled. At that moment the guest's kernel addresses may not be mapped (it
 * may run in user mode), so the pages are found once, when the guest registers
 * the place, and written through the direct map.
 */
#include "domain/dirty_log.h"
#include "lib/errno.h"
#include "p2m/paging.h"
#include "pv/mmu.h"
#include "vtime/vtime.h"
#include "x86/printk.h"

/*
 * The frame that current's kernel maps writable at va. The tables may change
 * under the walk and lead anywhere in RAM: what it finds proves nothing until
 * the caller took a reference that checks the owner.
 */
static int walk(uint64_t va, mfn_t *ret)
{
	const struct page_info *base = current->pv.base;
	mfn_t m;
	int level;

	if (!base)
		return -EINVAL;
	m = page_to_mfn(base);
	for (level = 4; level >= 1; level--) {
		const pte_t *table = mfn_to_virt(m);
		pte_t e = READ_ONCE(table[pt_index(va, level)]);

		if (!(e & PTE_P) || (level > 1 && (e & PTE_PSE)) || (level == 1 && !(e & PTE_W)))
			return -EFAULT;
		m = pte_mfn(e);
		if (!mfn_valid(m))
			return -EFAULT;
	}
	*ret = m;
	return 0;
}

static int take_page(uint64_t va, struct page_info **ret)
{
	mfn_t m;
	int rc;

	if (current->domain->p2m) {
		*ret = p2m_get_page_at(va);
		return *ret ? 0 : -EFAULT;
	}
	rc = walk(va, &m);
	if (rc)
		return rc;
	rc = get_page_and_type(mfn_to_page(m), current->domain, PGT_writable);
	if (rc)
		return rc;
	*ret = mfn_to_page(m);
	return 0;
}

int guest_area_map(struct guest_area *a, uint64_t addr, uint32_t len)
{
	uint32_t off = addr & ~PAGE_MASK;
	int rc;

	*a = (struct guest_area){ .first = 0 };
	if (is_host_domain(current->domain) || (!current->domain->p2m && !guest_range_ok(addr, len)))
		return -EFAULT;
	rc = take_page(addr, &a->page[0]);
	if (rc)
		return rc;
	a->va[0] = (uint8_t *)page_to_virt(a->page[0]) + off;
	a->first = min(len, (uint32_t)PAGE_SIZE - off);
	if (a->first == len)
		return 0;
	rc = take_page(addr + a->first, &a->page[1]);
	if (rc) {
		guest_area_unmap(a);
		return rc;
	}
	a->va[1] = page_to_virt(a->page[1]);
	return 0;
}

void guest_area_unmap(struct guest_area *a)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(a->page); i++)
		if (a->page[i]) {
			/* Up to here it counted as written all the time (control/shadow_op.c). */
			page_written_known(a->page[i]);
			put_page_and_type(a->page[i]);
		}
	*a = (struct guest_area){ .first = 0 };
}

void guest_area_write(const struct guest_area *a, uint32_t off, const void *src, uint32_t len)
{
	uint32_t n;

	if (off < a->first) {
		n = min(len, a->first - off);
		memcpy(a->va[0] + off, src, n);
		src = (const char *)src + n;
		off += n;
		len -= n;
	}
	if (len)
		memcpy(a->va[1] + (off - a->first), src, len);
}

int guest_area_register(struct vcpu *v, struct guest_area *area, uint64_t *guest, uint64_t addr, uint32_t len)
{
	struct guest_area fresh = { .first = 0 }, old;
	unsigned long flags;
	int rc = addr ? guest_area_map(&fresh, addr, len) : 0;

	if (rc)
		return rc;
	flags = spin_lock_irqsave(&v->vtime.area_lock);
	old = *area;
	*area = fresh;
	*guest = addr;
	spin_unlock_irqrestore(&v->vtime.area_lock, flags);
	guest_area_unmap(&old);
	return 0;
}
