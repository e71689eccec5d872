/* SPDX-License-Identifier: MIT */
/*
 * GNTTABOP_transfer: a frame changes its owner. The receiver offered an entry
 * of type GTF_accept_transfer; "committed" tells it to keep its hands off,
 * "completed" that the frame number is in the entry.
 */
#include "grant/private.h"
#include "mm/page_alloc.h"
#include "pv/mmu.h"

static uint32_t *entry_word(struct grant_table *gt, uint32_t ref)
{
	return gt->version == 1 ? (uint32_t *)grant_v1(gt, ref) : (uint32_t *)&grant_v2(gt, ref)->hdr;
}

/* Under the lock that keeps the version and the frames as they are. */
static bool commit(struct grant_table *gt, uint32_t ref, domid_t from)
{
	uint32_t want = GTF_accept_transfer | (uint32_t)from << 16;

	if (gt->closed || ref >= grant_nr_refs(gt))
		return false;
	return __atomic_compare_exchange_n(entry_word(gt, ref), &want, want | GTF_transfer_committed, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void complete(struct grant_table *gt, uint32_t ref, uint64_t frame)
{
	if (gt->version == 1)
		WRITE_ONCE(grant_v1(gt, ref)->frame, frame);
	else
		WRITE_ONCE(grant_v2(gt, ref)->full_page.frame, frame);
	__atomic_or_fetch((uint16_t *)entry_word(gt, ref), GTF_transfer_completed, __ATOMIC_SEQ_CST);
}

static int hand_over(struct domain *ld, struct domain *rd, uint32_t ref, struct page_info *pg)
{
	struct grant_table *gt = rd->grant;
	uint64_t frame = page_to_mfn(pg).m, gfn = m2p_get(mfn(frame));
	int ret;

	spin_lock(&gt->lock);
	if (gt->version == 1 && frame > UINT32_MAX) {
		ret = GNTST_address_too_big;
	} else if (!commit(gt, ref, ld->domid)) {
		ret = GNTST_general_error;
	} else {
		/* While it is nobody's: what the giver said of it is not for the receiver. */
		m2p_set(mfn(frame), ~0ULL);
		ret = domain_page_assign(rd, pg) == 0 ? GNTST_okay : GNTST_general_error;
		if (ret != GNTST_okay)
			m2p_set(mfn(frame), gfn);
		complete(gt, ref, ret == GNTST_okay ? frame : 0);
	}
	spin_unlock(&gt->lock);
	return ret;
}

static int transfer(const struct gnttab_transfer *op)
{
	struct domain *ld = current->domain, *rd;
	mfn_t frame = mfn(op->mfn);
	struct page_info *pg;
	int ret;

	/* A machine frame changes hands: nothing for who has none to give, or takes gfns. */
	if (is_host_domain(ld) || ld->p2m)
		return GNTST_permission_denied;
	if (!mfn_valid(frame))
		return GNTST_bad_page;
	pg = mfn_to_page(frame);
	rd = get_domain_by_id(op->domid);
	if (rd == NULL || rd->grant == NULL || rd->p2m != NULL || rd->is_dying != DOMDYING_alive) {
		if (rd != NULL)
			put_domain(rd);
		return GNTST_bad_domain;
	}
	/* Hypervisor pages shared with the guest are not its to give. The steal flushes ld's TLB entries. */
	if ((READ_ONCE(pg->count_info) & PGC_hv) || domain_page_steal(ld, pg) != 0) {
		put_domain(rd);
		return GNTST_bad_page;
	}
	ret = hand_over(ld, rd, op->ref, pg);
	/* The page is kept by the caller where that can be done. */
	if (ret != GNTST_okay && domain_page_assign(ld, pg) != 0)
		stolen_page_free(pg);
	put_domain(rd);
	return ret;
}

int gnttab_transfer_one(uint64_t arg)
{
	struct gnttab_transfer op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	op.status = transfer(&op);
	return copy_to_guest(arg, &op, 1);
}
