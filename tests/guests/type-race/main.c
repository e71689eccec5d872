/* SPDX-License-Identifier: MIT */
/*
 * The last writable mapping of a page goes away on one vCPU while the other maps
 * it, stores and unmaps it without a flush. Then it becomes a page table: a store
 * through what the other's TLB still has must fault.
 */
#include "guest.h"

const char test_name[] = "type-race";

#define ROUNDS 60000u
#define CYCLES (20ul << 30) /* at most */
#define HOSTILE (0x200000ul | PTE_RW)

static uint64_t table[512] page_aligned, alias_a[512] page_aligned;
/* In another L1 table than alias_a: the two do not wait for each other's lock. */
#define alias_b ((uint64_t *)(VIRT_BASE + 0x3ff000))
static volatile enum { IDLE, MAP, MAPPED, UNMAPPED } other;

void secondary_main(uint64_t arg)
{
	uint64_t frame = va_to_ma(table);

	while (!secondary_stop) {
		unsigned int spins = 0;

		while (other != MAP && !secondary_stop)
			spin_or_nap(&spins);
		hc_update_va_mapping(alias_a, frame | PTE_RW, 0);
		other = MAPPED;
		hc_update_va_mapping(alias_a, 0, 0);
		other = UNMAPPED;
	}
	secondary_end();
}

static long ext(unsigned int cmd)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = va_to_mfn(table) };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void use_here(uint64_t frame)
{
	EXPECT(hc_update_va_mapping(alias_b, frame | PTE_RW, UVMF_TLB_FLUSH | UVMF_LOCAL), 0);
	WRITE_ONCE(alias_b[7], 0);
	/* No flush: this CPU may still store there. */
	EXPECT(hc_update_va_mapping(alias_b, 0, 0), 0);
}

static bool one_round(unsigned int round, uint64_t frame)
{
	unsigned int k, spins = 0;
	bool stored;

	other = MAP;
	while (other == MAP)
		spin_or_nap(&spins);
	do {
		use_here(frame);
		for (k = 0; k < 3000 && other == MAPPED; k++)
			;
	} while (other == MAPPED);
	EXPECT(ext(MMUEXT_PIN_L1_TABLE), 0);
	CATCH(WRITE_ONCE(alias_b[7], HOSTILE));
	stored = caught.vector == NO_TRAP;
	CHECK(!stored && READ_ONCE(table[7]) != HOSTILE, "round %u: stored into a page table through a stale translation",
	      round);
	if (stored)
		WRITE_ONCE(alias_b[7], 0);
	EXPECT(ext(MMUEXT_UNPIN_TABLE), 0);
	return !stored;
}

void test_main(void)
{
	uint64_t frame = va_to_ma(table), start = __builtin_ia32_rdtsc();
	unsigned int round = 0;
	long ret;

	EXPECT(map_page(table, frame | PTE_RO), 0);
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	while (round < ROUNDS && __builtin_ia32_rdtsc() - start < CYCLES && one_round(round, frame))
		round++;
	stop_secondary();
	printk("%u rounds\n", round);
	EXPECT(map_page(table, frame | PTE_RW), 0);
}
