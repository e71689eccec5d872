/* SPDX-License-Identifier: MIT */
/* Gives pages to the domain that came last, until it is destroyed itself: the other half of xfer-dst. */
#include "guest.h"

const char test_name[] = "xfer-src";

#define PAGES 64u
#define FIRST_REF 8u
#define LAST_REF 508u
#define GIVE_UP 20u /* tries on a domain that is not there */

static uint64_t frames[PAGES];

static void refill(uint64_t *frame)
{
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	*frame = 0;
	set_xen_guest_handle(r.extent_start, frame);
	hc_memory_op(XENMEM_increase_reservation, &r);
}

static bool unmap_pages(void)
{
	uint64_t *mfn_list = (uint64_t *)start_info->mfn_list, top = start_info->nr_pages;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		void *va = (void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT));
		uint64_t *e = pte_of(va, 2);

		frames[i] = mfn_list[top - 1 - i];
		if (e && (*e & PTE_P) && map_page(va, 0) != 0)
			return false;
	}
	return true;
}

void test_main(void)
{
	unsigned int i, ref = FIRST_REF, missing = 0;
	domid_t own = own_domid(), to = own + 1;

	if (!unmap_pages()) {
		test_error("unmapping");
		return;
	}
	printk("giving\n");
	for (i = 0;; i = (i + 1) % PAGES) {
		struct gnttab_transfer x = { .mfn = frames[i], .domid = to, .ref = ref };

		if (!frames[i]) {
			refill(&frames[i]);
			continue;
		}
		ref = ref < LAST_REF ? ref + 1 : FIRST_REF;
		hc_grant_table_op(GNTTABOP_transfer, &x, 1);
		if (x.status == GNTST_okay)
			refill(&frames[i]);
		missing = x.status == GNTST_bad_domain ? missing + 1 : 0;
		if (missing > GIVE_UP) {
			missing = 0;
			to = to < own + 300 ? to + 1 : own + 1;
		}
	}
}
