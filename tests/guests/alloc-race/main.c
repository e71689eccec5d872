/* SPDX-License-Identifier: MIT */
/*
 * One vCPU asks for memory while another gives back frames that it is not told
 * of yet: machine frame numbers can be guessed.
 */
#include "guest.h"

const char test_name[] = "alloc-race";

#define ORDER 9u
#define PAGES (1u << ORDER)
#define ROUNDS 400u
#define CYCLES (20ul << 30) /* at most: on the delay build a round takes long */

static uint64_t frames[PAGES + 64];
static volatile uint64_t guess;
static volatile unsigned long hits;

static long reservation(unsigned int op, uint64_t *list, uint64_t n, unsigned int order)
{
	struct xen_memory_reservation r = { .nr_extents = n, .extent_order = order, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, list);
	return hc_memory_op(op, &r);
}

void secondary_main(uint64_t arg)
{
	static const unsigned int at[] = { 0, PAGES - 1, 1, PAGES / 2 };
	unsigned int i;
	uint64_t f;

	for (i = 0; !secondary_stop; i++) {
		f = guess + at[i % ARRAY_SIZE(at)];
		if (guess && reservation(XENMEM_decrease_reservation, &f, 1, 0) == 1)
			hits++;
	}
	secondary_end();
}

/* The upper part of the initial memory: nothing of ours is there. */
static bool give_pages(void)
{
	uint64_t *mfn_list = (uint64_t *)start_info->mfn_list;
	uint64_t top = start_info->nr_pages;
	unsigned int i;

	if (top < 2 * ARRAY_SIZE(frames))
		return false;
	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		void *va = (void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT));
		uint64_t *e = pte_of(va, 2);

		frames[i] = mfn_list[top - 1 - i];
		if (e && (*e & PTE_P) && map_page(va, 0) != 0)
			return false;
	}
	return reservation(XENMEM_decrease_reservation, frames, ARRAY_SIZE(frames), 0) == (long)ARRAY_SIZE(frames);
}

void test_main(void)
{
	uint64_t first, start = __builtin_ia32_rdtsc();
	unsigned int round, i, got = 0;
	long ret;

	if (!give_pages()) {
		test_error("the memory to play with cannot be given back");
		return;
	}
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	for (round = 0; round < ROUNDS && __builtin_ia32_rdtsc() - start < CYCLES; round++) {
		if (reservation(XENMEM_increase_reservation, &first, 1, ORDER) != 1)
			continue;
		got++;
		guess = first;
		for (i = 0; i < PAGES; i++) {
			uint64_t f = first + i;

			reservation(XENMEM_decrease_reservation, &f, 1, 0);
		}
	}
	stop_secondary();
	printk("%u chunks, %lu frames given back by the other vCPU\n", got, hits);
	CHECK(got > round / 2, "only %u chunks of %u", got, round);
}
