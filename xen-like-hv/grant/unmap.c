/* SPDX-License-Identifier: MIT */
/* GNTTABOP_unmap_grant_ref, unmap_and_replace; and the end of a domain's mappings. */
#include "grant/private.h"
#include "mm/page_alloc.h"
#include "p2m/p2m.h"
#include "pv/mmu.h"
#include "x86/softirq.h"

/* Takes back a claimed handle's mappings named in what (MT_HOST, MT_DEVICE), the handle with the last. */
static void drop(struct domain *ld, uint32_t handle, unsigned int what)
{
	struct grant_table *gt = ld->grant;
	struct maptrack *entry, m;
	bool last;

	spin_lock(&gt->maptrack_lock);
	entry = maptrack_get(gt, handle);
	entry->flags &= ~what;
	m = *entry;
	last = !(m.flags & (MT_HOST | MT_DEVICE));
	if (!last)
		entry->flags &= ~MT_BUSY;
	spin_unlock(&gt->maptrack_lock);
	if (!last)
		return;
	grant_put_frame(m.frame, m.flags & MT_RO);
	grant_unpin(m.rd, m.ref, m.flags & MT_RO);
	maptrack_free(gt, handle);
	put_domain(m.rd);
}

/* Claims a handle for this caller alone: a second vCPU that unmaps it meanwhile finds it bad. */
static bool claim(struct grant_table *gt, uint32_t handle, struct maptrack *copy)
{
	struct maptrack *m;
	bool ok;

	spin_lock(&gt->maptrack_lock);
	m = maptrack_get(gt, handle);
	ok = m != NULL && m->rd != NULL && !(m->flags & MT_BUSY);
	if (ok) {
		*copy = *m;
		m->flags |= MT_BUSY;
	}
	spin_unlock(&gt->maptrack_lock);
	return ok;
}

static void unclaim(struct grant_table *gt, uint32_t handle)
{
	spin_lock(&gt->maptrack_lock);
	maptrack_get(gt, handle)->flags &= ~MT_BUSY;
	spin_unlock(&gt->maptrack_lock);
}

/* The mapping itself, and what the domain's CPUs know of it. */
static int remove(struct domain *ld, const struct maptrack *m, uint64_t host_addr, uint64_t new_addr)
{
	if (!ld->p2m)
		return pv_grant_unmap_pte(current, host_addr, m->flags & MT_PTE, m->frame, m->flags & MT_RO, new_addr);
	if (host_addr % PAGE_SIZE != 0)
		return -EINVAL;
	return p2m_remove_page(ld, host_addr >> PAGE_SHIFT, m->frame,
			       P2M_TYPE(m->flags & MT_RO ? P2M_grant_ro : P2M_grant_rw), NULL);
}

static int unmap(uint32_t handle, uint64_t host_addr, uint64_t dev_bus_addr, uint64_t new_addr)
{
	struct domain *ld = current->domain;
	unsigned int what = 0;
	struct maptrack m;
	int ret;

	if (!claim(ld->grant, handle, &m))
		return GNTST_bad_handle;
	if (is_host_domain(ld) || (ld->p2m && host_addr != 0))
		what = m.flags & (MT_HOST | MT_DEVICE); /* no page tables: an address says nothing; or one says it for both */
	if (host_addr != 0)
		what |= m.flags & MT_HOST;
	if (dev_bus_addr != 0 && (m.flags & MT_DEVICE)) {
		if (!ld->p2m && dev_bus_addr != m.frame.m << PAGE_SHIFT) {
			unclaim(ld->grant, handle);
			return GNTST_bad_dev_addr;
		}
		what |= MT_DEVICE;
	}
	if ((what & MT_HOST) && !is_host_domain(ld)) {
		ret = remove(ld, &m, host_addr, new_addr);
		if (ret != 0) {
			unclaim(ld->grant, handle);
			return GNTST_general_error;
		}
	}
	drop(ld, handle, what);
	return GNTST_okay;
}

int gnttab_unmap_one(uint64_t arg)
{
	struct gnttab_unmap_grant_ref op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	op.status = unmap(op.handle, op.host_addr, op.dev_bus_addr, 0);
	return copy_to_guest(arg, &op, 1);
}

int gnttab_unmap_and_replace_one(uint64_t arg)
{
	struct gnttab_unmap_and_replace op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (is_host_domain(current->domain) || current->domain->p2m)
		op.status = GNTST_general_error;
	else if (op.host_addr == 0)
		op.status = GNTST_bad_virt_addr;
	else
		op.status = unmap(op.handle, op.host_addr, 0, op.new_addr);
	return copy_to_guest(arg, &op, 1);
}

/* Page table entries keep their own references, which pv_relinquish_memory drops. */
static int release_all(struct domain *d)
{
	struct grant_table *gt = d->grant;
	struct maptrack m;
	uint32_t handle;

	while (gt->release_cursor < gt->nr_maptrack * MAPTRACK_PER_PAGE) {
		handle = gt->release_cursor++;
		if (claim(gt, handle, &m))
			drop(d, handle, MT_HOST | MT_DEVICE);
		if (handle % 64 == 63 && preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}

/* Here, and not when the object goes, where nothing can be preempted. */
int grant_release_mappings(struct domain *d)
{
	struct grant_table *gt = d->grant;
	int rc = gt != NULL ? release_all(d) : 0;

	while (rc == 0 && gt != NULL && gt->nr_maptrack != 0) {
		free_hv_page(gt->maptrack[--gt->nr_maptrack]);
		if (gt->nr_maptrack % 64 == 0 && preempt_wanted())
			rc = -ERESTART_HC;
	}
	return rc;
}

int grant_reset_host(struct domain *d)
{
	int rc = release_all(d);

	if (rc == 0)
		d->grant->release_cursor = 0;
	return rc;
}
