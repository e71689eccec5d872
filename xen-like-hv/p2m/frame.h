/* SPDX-License-Identifier: MIT */
/* A frame as a guest names it in a hypercall or a grant: by gfn where its domain has a p2m, else by machine number. */
#ifndef P2M_FRAME_H
#define P2M_FRAME_H
#include "p2m/p2m.h"
#include "pv/mmu.h"

/*
 * A reference to d's own page, write: as writable, too (put_page_and_type). 0; or -EINVAL (not d's), -EBUSY (a page table), and *ret is as it was.
 */
static inline int guest_frame_get(struct domain *d, uint64_t frame, bool write, struct page_info **ret)
{
	struct page_info *pg;
	int rc;

	if (unlikely(d->p2m != NULL)) {
		*ret = p2m_get_page(d, frame, write);
		return *ret ? 0 : -EINVAL;
	}
	if (!mfn_valid(mfn(frame)))
		return -EINVAL;
	pg = mfn_to_page(mfn(frame));
	rc = write ? get_page_and_type(pg, d, PGT_writable) : get_page(pg, d) ? 0 : -EINVAL;
	if (rc == 0)
		*ret = pg;
	return rc;
}
#endif
