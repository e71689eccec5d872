/* SPDX-License-Identifier: MIT */
/*
 * Two vCPUs write by every way there is, and change who may: through aliases, entries that come and go, tables that
 * are pinned and are not, clear and copy operations, other names for frames, frames given up and got back. Whether
 * the log of writes misses any of it is for who reads it (tests/e2e/26-savestate.t); what is looked at here is that
 * nothing of it shows: entries are as they were written, but for A and D as the CPU would set them.
 */
#include "guest.h"

const char test_name[] = "dirty-writer";

#define PAGES 64u
#define LONG_NS (30ull * 1000000000)

static uint8_t area[PAGES][PAGE_SIZE] page_aligned;
/* Addresses without frames of their own, for aliases. */
static uint8_t alias[PAGES][PAGE_SIZE] page_aligned;
static uint64_t table[512] page_aligned, spare[512] page_aligned;
static uint64_t area_mfn[PAGES];

static uint32_t rnd(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t)(*seed >> 16);
}

static long ext(unsigned int cmd, uint64_t mfn, uint64_t src)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = mfn, .arg2.src_mfn = src };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* A write through an entry that allows it leaves A and D behind, and nothing else. */
static void write_and_look(unsigned int i, unsigned int word, uint64_t val)
{
	volatile uint64_t *p = (volatile uint64_t *)alias[i];
	uint64_t *e = pte_of(alias[i], 1), before = READ_ONCE(*e), after;

	p[word] = val;
	after = READ_ONCE(*e);
	CHECK((after & (PTE_W | PTE_P)) == (PTE_W | PTE_P), "the entry was %lx, after a write %lx", before, after);
	CHECK((after & (PTE_A | PTE_D)) == (PTE_A | PTE_D), "after a write the entry is %lx", after);
	CHECK(((before ^ after) & ~(PTE_A | PTE_D)) == 0, "the entry changed from %lx to %lx", before, after);
}

/* One alias, all that can happen to it. Each vCPU has its own half. */
static void alias_step(unsigned int i, uint64_t *seed)
{
	uint64_t frame = area_mfn[(i & 32) + rnd(seed) % 32] << PAGE_SHIFT, *e = pte_of(alias[i], 1);

	switch (rnd(seed) % 6) {
	case 0:
		EXPECT(map_page(alias[i], frame | PTE_RW), 0);
		write_and_look(i, rnd(seed) % 512, rnd(seed));
		break;
	case 1:
		EXPECT(map_page(alias[i], frame | PTE_P | PTE_U | PTE_W), 0);
		CHECK((READ_ONCE(*e) & PTE_D) == 0, "D without a write: %lx", READ_ONCE(*e));
		write_and_look(i, rnd(seed) % 512, rnd(seed));
		break;
	case 2:
		EXPECT(map_page(alias[i], frame | PTE_RO), 0);
		EXPECT_TRAP(14, *(volatile uint64_t *)alias[i] = 1);
		CHECK((caught.error_code & 3) == 3, "a write to a read-only page: error code %lx", caught.error_code);
		EXPECT(set_pte(e, frame | PTE_RW), 0);
		write_and_look(i, rnd(seed) % 512, rnd(seed));
		break;
	case 3:
		EXPECT(set_pte(e, 0), 0);
		EXPECT(ext(MMUEXT_INVLPG_LOCAL, 0, 0), 0);
		break;
	case 4:
		/* W alone goes and comes; then D goes, and a write brings it back. */
		EXPECT(map_page(alias[i], frame | PTE_RW), 0);
		EXPECT(map_page(alias[i], frame | PTE_RO), 0);
		EXPECT(map_page(alias[i], frame | PTE_RO | PTE_W), 0);
		write_and_look(i, rnd(seed) % 512, rnd(seed));
		break;
	case 5:
		*(volatile uint64_t *)(area[(i & 32) + rnd(seed) % 32] + rnd(seed) % 512 * 8) = rnd(seed);
		break;
	}
}

/* On the first vCPU alone. */
static void frame_step(uint64_t *seed)
{
	unsigned int i = rnd(seed) % 32, k = rnd(seed) % 32;
	uint64_t mfn = va_to_mfn(table);
	struct mmu_update u;

	switch (rnd(seed) % 4) {
	case 0:
		EXPECT(ext(MMUEXT_CLEAR_PAGE, area_mfn[i], 0), 0);
		break;
	case 1:
		EXPECT(ext(MMUEXT_COPY_PAGE, area_mfn[i], area_mfn[k]), 0);
		break;
	case 2:
		/* A page becomes a table and changes as one, and is plain again. */
		memset(table, 0, sizeof(table));
		table[i] = area_mfn[k] << PAGE_SHIFT | PTE_RO;
		EXPECT(map_page(table, mfn << PAGE_SHIFT | PTE_RO), 0);
		EXPECT(ext(MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
		u = (struct mmu_update){ .ptr = (mfn << PAGE_SHIFT) + k * 8, .val = area_mfn[i] << PAGE_SHIFT | PTE_RO };
		EXPECT(hc_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
		EXPECT(ext(MMUEXT_UNPIN_TABLE, mfn, 0), 0);
		EXPECT(map_page(table, mfn << PAGE_SHIFT | PTE_RW), 0);
		break;
	case 3:
		/* Two frames change their names. */
		mfn = va_to_mfn(spare);
		u = (struct mmu_update){ .ptr = mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, .val = mfn_to_pfn(mfn) };
		EXPECT(hc_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
		spare[k] = rnd(seed);
		break;
	}
}

void secondary_main(uint64_t arg)
{
	uint64_t seed = 88172645463325252ul;

	while (!secondary_stop) {
		/* Of its own half; traps are for the first vCPU. */
		unsigned int i = 32 + rnd(&seed) % 32;
		uint64_t frame = area_mfn[32 + rnd(&seed) % 32] << PAGE_SHIFT;

		EXPECT(map_page(alias[i], frame | (rnd(&seed) & 1 ? PTE_RW : PTE_P | PTE_U | PTE_W)), 0);
		write_and_look(i, rnd(&seed) % 512, rnd(&seed));
		if (rnd(&seed) % 4 == 0)
			EXPECT(map_page(alias[i], frame | PTE_RO), 0);
	}
	secondary_end();
}

void test_main(void)
{
	bool is_long = strncmp((const char *)start_info->cmd_line, "long", 4) == 0;
	struct vcpu_runstate_info now;
	uint64_t seed = 1234567, start;
	unsigned int i, n = 0;
	long ret;

	for (i = 0; i < PAGES; i++)
		area_mfn[i] = va_to_mfn(area[i]);
	ret = start_secondary(0);
	if (ret && ret != -ENOENT)
		test_error("the second vCPU: %ld", ret);
	EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &now), 0);
	start = now.time[RUNSTATE_running];
	printk("writing\n");
	do {
		for (i = 0; i < 200; i++) {
			alias_step(rnd(&seed) % 32, &seed);
			if (i % 8 == 0)
				frame_step(&seed);
		}
		EXPECT(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &now), 0);
	} while (is_long ? now.time[RUNSTATE_running] - start < LONG_NS : ++n < 20);
	if (!ret)
		stop_secondary();
}
