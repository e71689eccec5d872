/* SPDX-License-Identifier: MIT */
/* GNTTABOP_map_grant_ref. */
#include "grant/private.h"
#include "p2m/p2m.h"
#include "pv/mmu.h"

static int check_args(const struct gnttab_map_grant_ref *op)
{
	if (!(op->flags & (GNTMAP_host_map | GNTMAP_device_map)))
		return GNTST_bad_gntref;
	if (op->flags & GNTMAP_contains_pte && op->flags & GNTMAP_host_map && op->host_addr % sizeof(pte_t) != 0)
		return GNTST_general_error;
	return GNTST_okay;
}

/* host_addr is a physical address of ld's, where it has nothing (ballooned out, or never populated). */
static int install_by_gfn(struct domain *ld, struct domain *rd, const struct gnttab_map_grant_ref *op, mfn_t frame)
{
	enum p2m_type type = op->flags & GNTMAP_readonly ? P2M_grant_ro : P2M_grant_rw;

	if (op->flags & GNTMAP_contains_pte || op->host_addr % PAGE_SIZE != 0 ||
	    p2m_add_page(ld, op->host_addr >> PAGE_SHIFT, mfn_to_page(frame), rd, type) != 0)
		return GNTST_general_error;
	return GNTST_okay;
}

/* Domain 0 of a hosted node has no page tables: it reaches the frame by its machine address. */
static int install(struct domain *ld, struct domain *rd, const struct gnttab_map_grant_ref *op, mfn_t frame)
{
	uint64_t avail = ((uint64_t)(op->flags >> _GNTMAP_guest_avail0) << 9) & PTE_AVAIL;
	bool pte = op->flags & GNTMAP_contains_pte;

	if (!(op->flags & GNTMAP_host_map) || is_host_domain(ld))
		return GNTST_okay;
	if (ld->p2m)
		return install_by_gfn(ld, rd, op, frame);
	if (pv_grant_map_pte(current, op->host_addr, pte, frame, op->flags & GNTMAP_readonly, avail) == 0)
		return GNTST_okay;
	return pte ? GNTST_general_error : GNTST_bad_virt_addr;
}

static uint8_t handle_flags(uint32_t flags)
{
	return (flags & GNTMAP_host_map ? MT_HOST : 0) | (flags & GNTMAP_device_map ? MT_DEVICE : 0) |
	       (flags & GNTMAP_readonly ? MT_RO : 0) | (flags & GNTMAP_contains_pte ? MT_PTE : 0);
}

static int map_grant(struct domain *ld, struct domain *rd, struct gnttab_map_grant_ref *op)
{
	bool readonly = op->flags & GNTMAP_readonly;
	struct maptrack m = { .rd = rd, .ref = op->ref, .flags = handle_flags(op->flags) };
	struct grant_table *gt = ld->grant;
	struct grant_use use;
	uint32_t handle;
	int ret;

	handle = maptrack_alloc(gt);
	if (handle == MAPTRACK_NONE)
		return GNTST_no_space;
	ret = grant_acquire(rd, op->ref, ld, readonly, true, &use);
	if (ret != GNTST_okay)
		goto free_handle;
	m.frame = use.frame;
	ret = install(ld, rd, op, use.frame);
	if (ret != GNTST_okay)
		goto release;

	op->handle = handle;
	/* Where there are no machine frames to be seen, a bus address is what the CPU's is. */
	op->dev_bus_addr = ld->p2m ? op->host_addr : use.frame.m << PAGE_SHIFT;
	spin_lock(&gt->maptrack_lock);
	*maptrack_get(gt, handle) = m;
	spin_unlock(&gt->maptrack_lock);
	return GNTST_okay;

release:
	grant_put_frame(use.frame, readonly);
	grant_unpin(rd, op->ref, readonly);
free_handle:
	maptrack_free(gt, handle);
	return ret;
}

int gnttab_map_one(uint64_t arg)
{
	struct gnttab_map_grant_ref op;
	struct domain *rd;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	op.status = check_args(&op);
	if (op.status == GNTST_okay) {
		rd = get_domain_by_id(op.dom);
		/* The handle keeps the reference to rd. */
		op.status = rd != NULL ? map_grant(current->domain, rd, &op) : GNTST_bad_domain;
		if (op.status != GNTST_okay && rd != NULL)
			put_domain(rd);
	}
	return copy_to_guest(arg, &op, 1);
}
