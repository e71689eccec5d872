/* SPDX-License-Identifier: MIT */
/* Start-up and memory of a test guest. */
#include "guest.h"

struct start_info *start_info;
union shared_page shared page_aligned;

void guest_start(struct start_info *si);

uint64_t va_to_mfn(const void *va)
{
	return ((uint64_t *)start_info->mfn_list)[((uint64_t)va - VIRT_BASE) >> PAGE_SHIFT];
}

uint64_t mfn_to_pfn(uint64_t mfn)
{
	return ((volatile uint64_t *)HV_START)[mfn];
}

void *mfn_to_va(uint64_t mfn)
{
	return (void *)(VIRT_BASE + (mfn_to_pfn(mfn) << PAGE_SHIFT));
}

uint64_t l4_mfn(void)
{
	return va_to_mfn((void *)start_info->pt_base);
}

uint64_t *pte_of(const void *va, int level)
{
	uint64_t *table = (uint64_t *)start_info->pt_base;
	int l;

	for (l = 4;; l--) {
		uint64_t *e = &table[((uint64_t)va >> (12 + 9 * (l - 1))) & 511];

		if (l == level)
			return e;
		if (!(*e & PTE_P))
			return NULL;
		table = mfn_to_va((*e & PTE_FRAME) >> PAGE_SHIFT);
	}
}

domid_t own_domid(void)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_status s = { .dom = DOMID_SELF };

	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &a), 0);
	s.port = a.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &s), 0);
	return s.u.unbound.dom;
}

long map_page(void *va, uint64_t pte)
{
	return hc_update_va_mapping(va, pte, UVMF_INVLPG);
}

long set_pte(uint64_t *entry, uint64_t val)
{
	struct mmu_update u = { .ptr = va_to_ma(entry) | MMU_NORMAL_PT_UPDATE, .val = val };

	return hc_mmu_update(&u, 1, NULL, DOMID_SELF);
}

void guest_start(struct start_info *si)
{
	start_info = si;
	trap_setup(0);
	if (map_page(&shared, si->shared_info | PTE_RW) != 0)
		test_error("shared_info cannot be mapped");
	else
		test_main();
	test_end();
}
