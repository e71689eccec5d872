/* SPDX-License-Identifier: MIT */
/* General references to pages, and who owns a page. */
#include "domain/domain.h"
#include "lib/errno.h"
#include "mm/frametable.h"
#include "mm/page_alloc.h"
#include "x86/printk.h"

/* Far from wrapping even if every CPU adds one at once. */
#define PAGE_COUNT_LIMIT 0xf0000000u

#define OWNERS 0x8000u
static struct domain *owners[OWNERS]; /* by domid */

bool get_page(struct page_info *pg, struct domain *d)
{
	uint16_t owner = (uint16_t)(d->domid + 1);
	uint64_t x;

	/* A look before the locked instruction: the frame may be anybody's. */
	if (READ_ONCE(pg->owner) != owner)
		return false;
	hv_delay_point("page: owner seen");
	x = READ_ONCE(pg->count_info);
	do {
		/* 0 also of what became the hypervisor's own meanwhile: no reference to those. */
		if (unlikely((uint32_t)x - 1u >= PAGE_COUNT_LIMIT))
			return false;
	} while (!__atomic_compare_exchange_n(&pg->count_info, &x, x + 1, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	hv_delay_point("page: referenced");
	if (likely(READ_ONCE(pg->owner) == owner))
		return true;
	/* It was freed and given to another domain in between: this may be the last reference there. */
	put_page(pg);
	return false;
}

bool get_page_known(struct page_info *pg)
{
	uint64_t x = READ_ONCE(pg->count_info);

	do {
		BUG_ON((uint32_t)x == 0);
		if (unlikely((uint32_t)x - 1u >= PAGE_COUNT_LIMIT))
			return false;
	} while (!__atomic_compare_exchange_n(&pg->count_info, &x, x + 1, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	return true;
}

void get_page_once(struct page_info *pg)
{
	BUG_ON((uint32_t)__atomic_fetch_add(&pg->count_info, 1, __ATOMIC_SEQ_CST) == 0);
}

void put_page(struct page_info *pg)
{
	uint64_t x = __atomic_sub_fetch(&pg->count_info, 1, __ATOMIC_SEQ_CST);

	if (unlikely((uint32_t)x == 0))
		domain_page_release(pg);
	else
		BUG_ON((uint32_t)x == 0xffffffffu);
}

struct domain *page_owner(const struct page_info *pg)
{
	uint16_t owner = READ_ONCE(pg->owner);

	return owner ? READ_ONCE(owners[(owner - 1) % OWNERS]) : NULL;
}

int page_owner_enter(struct domain *d)
{
	struct domain *nobody = NULL;

	if (d->domid >= OWNERS)
		return -EINVAL;
	/* A dead domain of the same number may still own pages that others map. */
	if (!__atomic_compare_exchange_n(&owners[d->domid], &nobody, d, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return -EBUSY;
	return 0;
}

void page_owner_leave(struct domain *d) { WRITE_ONCE(owners[d->domid], NULL); }
