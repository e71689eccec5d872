/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange tells new frames one by one. Another vCPU gives one of them
 * back at once, and somebody else may have it: its machine-to-physical entry
 * must not change any more.
 */
#include "guest.h"

const char test_name[] = "m2p-race";

#define ORDER 9u
#define PAGES (1u << ORDER)
#define NAME 0xdead000ul
#define ROUNDS 150u

static uint64_t in_frames[1], out_frames[PAGES];
static volatile enum { WAIT, LOOK_OUT, SEEN } state;
static volatile uint64_t freed;

static long reservation(unsigned int op, uint64_t *list, uint64_t n, unsigned int order)
{
	struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, list);
	return hc_memory_op(op, &r);
}

/* The first number is there: the last frame is known, and goes back. */
void secondary_main(uint64_t arg)
{
	while (!secondary_stop) {
		uint64_t f = READ_ONCE(out_frames[0]) + PAGES - 1;

		if (state != LOOK_OUT || f == NAME + PAGES - 1)
			continue;
		if (reservation(XENMEM_decrease_reservation, &f, 1, 0) == 1)
			freed = f;
		state = SEEN;
	}
	secondary_end();
}

/* So that there is room for a large extent. */
static bool give_pages(void)
{
	static uint64_t frames[PAGES + 64];
	uint64_t *mfn_list = (uint64_t *)start_info->mfn_list, top = start_info->nr_pages;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		void *va = (void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT));
		uint64_t *e = pte_of(va, 2);

		frames[i] = mfn_list[top - 1 - i];
		if (e && (*e & PTE_P) && map_page(va, 0) != 0)
			return false;
	}
	return reservation(XENMEM_decrease_reservation, frames, ARRAY_SIZE(frames), 0) == (long)ARRAY_SIZE(frames);
}

static bool ours(uint64_t mfn)
{
	struct mmu_update u = { .ptr = mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, .val = 0x1234 };

	return hc_mmu_update(&u, 1, NULL, DOMID_SELF) == 0;
}

/* 1: the entry of a frame that was given back has our name for it */
static int exchange(void)
{
	struct xen_memory_exchange x = {
		.in = { .nr_extents = 1, .extent_order = ORDER, .domid = DOMID_SELF },
		.out = { .nr_extents = PAGES, .extent_order = 0, .domid = DOMID_SELF },
	};
	unsigned int i;
	long rc;

	for (i = 0; i < PAGES; i++)
		out_frames[i] = NAME + i;
	freed = 0;
	set_xen_guest_handle(x.in.extent_start, in_frames);
	set_xen_guest_handle(x.out.extent_start, out_frames);
	state = LOOK_OUT;
	rc = hc_memory_op(XENMEM_exchange, &x);
	if (rc != 0) {
		test_error("exchange: %ld", rc);
		return -1;
	}
	while (state != SEEN)
		hc_sched_op(SCHEDOP_yield, NULL);
	state = WAIT;
	return freed && ((volatile uint64_t *)HV_START)[freed] == NAME + PAGES - 1 && !ours(freed);
}

void test_main(void)
{
	unsigned int round, bad = 0, given = 0, i;
	int rc = 0;

	if (start_secondary(0) == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	if (!give_pages()) {
		test_error("giving pages back");
		return;
	}
	for (round = 0; round < ROUNDS && rc >= 0; round++) {
		if (reservation(XENMEM_increase_reservation, in_frames, 1, ORDER) != 1) {
			test_error("round %u: no large extent", round);
			break;
		}
		rc = exchange();
		bad += rc > 0;
		given += freed != 0;
		for (i = 0; i < PAGES; i++)
			out_frames[i] = out_frames[0] + i;
		reservation(XENMEM_decrease_reservation, out_frames, freed ? PAGES - 1 : PAGES, 0);
	}
	stop_secondary();
	printk("%u exchanges, %u times a frame was given back\n", round, given);
	CHECK(given, "no frame was ever given back");
	CHECK(bad == 0, "%u entries of frames that were not ours any more were written", bad);
}
