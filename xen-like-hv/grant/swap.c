/* SPDX-License-Identifier: MIT */
/* GNTTABOP_swap_grant_ref and cache_flush. */
#include "grant/private.h"

static void swap_bytes(void *a, void *b, size_t n)
{
	uint8_t tmp[sizeof(union grant_entry_v2)];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

static int swap_refs(struct grant_table *gt, uint32_t a, uint32_t b)
{
	struct active_grant *x, *y;

	if (a >= grant_nr_refs(gt) || b >= grant_nr_refs(gt))
		return GNTST_bad_gntref;
	if (a == b)
		return GNTST_okay;
	x = grant_active(gt, a);
	y = grant_active(gt, b);
	if (x->readers || x->writers || y->readers || y->writers)
		return GNTST_eagain;
	if (gt->version == 1) {
		swap_bytes(grant_v1(gt, a), grant_v1(gt, b), sizeof(struct grant_entry_v1));
	} else {
		swap_bytes(grant_v2(gt, a), grant_v2(gt, b), sizeof(union grant_entry_v2));
		swap_bytes(grant_status(gt, a), grant_status(gt, b), sizeof(grant_status_t));
	}
	return GNTST_okay;
}

int gnttab_swap_one(uint64_t arg)
{
	struct grant_table *gt = current->domain->grant;
	struct gnttab_swap_grant_ref op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	spin_lock(&gt->lock);
	op.status = swap_refs(gt, op.ref_a, op.ref_b);
	spin_unlock(&gt->lock);
	return copy_to_guest(arg, &op, 1);
}

/*
 * Caches are coherent with every device of a node, so there is nothing to
 * write back; the caller learns all the same whether it asked for a frame that
 * is its own or that it maps.
 */
int gnttab_cache_flush_one(uint64_t arg)
{
	struct domain *ld = current->domain;
	struct gnttab_cache_flush op;
	struct page_info *pg;
	mfn_t frame;
	int rc;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.op & GNTTAB_CACHE_SOURCE_GREF || ld->p2m)
		return -EOPNOTSUPP;
	if (op.op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL) || op.offset >= PAGE_SIZE ||
	    op.offset + op.length > PAGE_SIZE)
		return -EINVAL;
	if (op.length == 0 || op.op == 0)
		return 0;
	frame = mfn(op.a.dev_bus_addr >> PAGE_SHIFT);
	if (!mfn_valid(frame))
		return -EINVAL;
	pg = mfn_to_page(frame);
	if (get_page(pg, ld)) {
		put_page(pg);
		return 0;
	}
	rc = maptrack_maps(ld->grant, frame);
	return rc == 1 ? 0 : rc == 0 ? -EPERM : rc;
}
