/* SPDX-License-Identifier: MIT */
/* mmu_update: checked stores into page tables and the machine-to-physical table. */
#include "domain/continuation.h"
#include "domain/dirty_log.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"

#define FETCH_MAX 8u

struct mmu_batch {
	struct vcpu *v;
	struct domain *fd;      /* owner of the frames mapped; NULL: none may be (DOMID_IO) */
	struct domain *pt_dom;
};

static int resolve_foreigndom(struct mmu_batch *b, unsigned long foreigndom)
{
	uint32_t pfd = (uint32_t)foreigndom >> 16;
	domid_t fd = (domid_t)foreigndom;
	int rc;

	rc = resolve_domain_arg(pfd ? (domid_t)(pfd - 1) : DOMID_SELF, &b->pt_dom);
	if (rc)
		return rc;
	if (fd == DOMID_IO) {
		b->fd = NULL;
		return 0;
	}
	rc = resolve_domain_arg(fd, &b->fd);
	if (rc)
		release_domain_arg(b->pt_dom);
	return rc;
}

static int update_pt(struct mmu_batch *b, uint64_t ptr, uint64_t val, enum pt_mode mode)
{
	struct pt_write w = { .pt_dom = b->pt_dom, .fd = b->fd, .mode = mode, .val = val };
	mfn_t m = mfn(ptr >> PAGE_SHIFT);

	if (unlikely((ptr & 4) || !mfn_valid(m)))
		return -EINVAL;
	return pt_write(b->v, mfn_to_page(m), (ptr & ~PAGE_MASK) >> 3, &w);
}

static int update_machphys(struct mmu_batch *b, uint64_t ptr, uint64_t gfn)
{
	mfn_t m = mfn(ptr >> PAGE_SHIFT);
	struct page_info *pg;

	if (!b->fd || !mfn_valid(m))
		return -EINVAL;
	pg = mfn_to_page(m);
	if (!get_page(pg, b->fd))
		return -EINVAL;
	m2p_set(m, gfn);
	/* Under its new name it was never told. */
	page_written(b->fd, pg);
	put_page(pg);
	return 0;
}

static int update_one(struct mmu_batch *b, const struct mmu_update *req)
{
	switch (req->ptr & 3) {
	case MMU_NORMAL_PT_UPDATE:
	case MMU_PT_UPDATE_NO_TRANSLATE:
		return update_pt(b, req->ptr & ~3UL, req->val, PT_STORE);
	case MMU_PT_UPDATE_PRESERVE_AD:
		return update_pt(b, req->ptr & ~3UL, req->val, PT_PRESERVE_AD);
	default:
		return update_machphys(b, req->ptr & ~3UL, req->val);
	}
}

/* Returns how many were done; *rc says why no more. */
static uint32_t update_batch(struct mmu_batch *b, uint64_t ureqs, uint32_t count, int *rc)
{
	struct mmu_update req[FETCH_MAX];
	uint32_t i;

	*rc = 0;
	for (i = 0; i < count; i++) {
		uint32_t k = i % FETCH_MAX;

		if (i && unlikely(preempt_wanted())) {
			*rc = -ERESTART_HC;
			break;
		}
		if (k == 0) {
			*rc = copy_from_guest(req, ureqs + (uint64_t)i * sizeof(*req), min(count - i, FETCH_MAX));
			if (unlikely(*rc))
				break;
		}
		*rc = update_one(b, &req[k]);
		if (unlikely(*rc))
			break;
		if (unlikely(b->v->partial_page)) {
			*rc = -ERESTART_HC;
			i++;
			break;
		}
	}
	return i;
}

long do_mmu_update(unsigned long ureqs, unsigned long ucount, unsigned long pdone, unsigned long foreigndom)
{
	uint32_t count = (uint32_t)ucount & ~(uint32_t)MMU_UPDATE_PREEMPTED, before = 0, done = 0;
	struct mmu_batch b = { .v = current };
	int rc;

	/* Only the guest itself reads this count again. */
	if (unlikely((ucount & MMU_UPDATE_PREEMPTED) && pdone) && copy_from_guest(&before, pdone, 1))
		return -EFAULT;
	rc = pv_finish_partial(b.v);
	if (likely(!rc)) {
		rc = resolve_foreigndom(&b, foreigndom);
		if (rc)
			return rc;
		done = update_batch(&b, ureqs, count, &rc);
		release_domain_arg(b.fd);
		release_domain_arg(b.pt_dom);
	}
	if (pdone) {
		uint32_t total = before + done;

		if (copy_to_guest(pdone, &total, 1) && !rc)
			rc = -EFAULT;
	}
	if (unlikely(rc == -ERESTART_HC))
		return hypercall_continuation(__HYPERVISOR_mmu_update, ureqs + (uint64_t)done * sizeof(struct mmu_update),
					      (count - done) | MMU_UPDATE_PREEMPTED, pdone, foreigndom, 0);
	return rc;
}
