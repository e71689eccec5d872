/* SPDX-License-Identifier: MIT */
/*
 * One vCPU makes a page a page table and back; another maps it writable and
 * read-only, without flushes, and stores hostile entries whenever it can. A
 * page that is pinned never holds one.
 */
#include "guest.h"

const char test_name[] = "mmu-race";

#define ROUNDS 3000u
#define HOSTILE (0x200000ul | PTE_RW)

static uint64_t table[512] page_aligned, alias[512] page_aligned;
static volatile uint64_t stored;

void secondary_main(uint64_t arg)
{
	uint64_t frame = va_to_ma(table);
	unsigned int i;

	for (i = 0; !secondary_stop; i++) {
		hc_update_va_mapping(alias, frame | PTE_RW, 0);
		secondary_store(&alias[i % 512], HOSTILE);
		hc_update_va_mapping(alias, frame | PTE_RO, 0); /* no flush: the TLB may still allow the next */
		secondary_store(&alias[i * 7 % 512], HOSTILE);
		secondary_store(&alias[i * 13 % 512], 0);
		stored++;
	}
	secondary_end();
}

static long ext(unsigned int cmd)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = va_to_mfn(table) };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

void test_main(void)
{
	unsigned int i, k, pinned = 0;
	long ret;

	EXPECT(map_page(table, va_to_ma(table) | PTE_RO), 0);
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	for (i = 0; i < ROUNDS; i++) {
		if (ext(MMUEXT_PIN_L1_TABLE) != 0) {
			/* Full of hostile entries: wipe it when the other side lets us. */
			if (map_page(table, va_to_ma(table) | PTE_RW) == 0) {
				memset(table, 0, sizeof(table));
				EXPECT(map_page(table, va_to_ma(table) | PTE_RO), 0);
			}
			continue;
		}
		pinned++;
		for (k = 0; k < 2048; k++)
			CHECK(READ_ONCE(table[k % 512]) != HOSTILE, "a hostile entry in a pinned table");
		EXPECT(ext(MMUEXT_UNPIN_TABLE), 0);
	}
	stop_secondary();
	printk("%u of %u pinned, %lu rounds of stores\n", pinned, ROUNDS, stored);
	CHECK(stored != 0, "the second vCPU did nothing");
	EXPECT(map_page(alias, va_to_ma(alias) | PTE_RW), 0);
	EXPECT(map_page(table, va_to_ma(table) | PTE_RW), 0);
	memset(table, 0, sizeof(table));
}
