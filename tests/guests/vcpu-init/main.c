/* SPDX-License-Identifier: MIT */
/*
 * To initialise a vCPU takes as long as its root's tables are many. What the
 * other vCPUs ask of the hypervisor meanwhile must not wait for that. Counted,
 * not timed: the calls that one of them makes from its beginning to its end.
 */
#include "guest.h"

const char test_name[] = "vcpu-init";

#define NL2 16u
#define SPARE 1024u  /* pages left to the kernel */
#define ROUNDS 10u
#define ENOUGH 300u  /* with a lock held over the validation: one or two */
#define window ((uint64_t *)(VIRT_BASE + 0x3ff000))

static uint64_t l2[NL2][512] page_aligned, l3[512] page_aligned, l4[512] page_aligned, leaf[512] page_aligned;
static struct vcpu_guest_context ctx, bad;
static volatile unsigned long calls, failed, refused, strange;

void secondary_main(uint64_t arg)
{
	while (!secondary_stop) {
		if (hc_vcpu_op(VCPUOP_up, 1, NULL) != 0)
			failed++;
		switch (hc_vcpu_op(VCPUOP_initialise, 2, &bad)) {
		case -EBUSY:
			refused++;
			break;
		case -EINVAL:
			break;
		default:
			strange++;
		}
		calls++;
	}
	secondary_end();
}

/* Pages from the end of memory become L1 tables full of entries. How many, 0: an error. */
static unsigned int make_tables(void)
{
	uint64_t *mfn_list = (uint64_t *)start_info->mfn_list, top = start_info->nr_pages;
	unsigned int n = (unsigned int)(top > SPARE ? top - SPARE : 0), i, k;

	if (n > NL2 * 512)
		n = NL2 * 512;
	for (i = 0; i < n; i++) {
		uint64_t mfn = mfn_list[top - 1 - i], *e = pte_of((void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT)), 2);

		if (e && (*e & PTE_P) && map_page((void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT)), 0) != 0)
			return 0;
		if (hc_update_va_mapping(window, mfn << PAGE_SHIFT | PTE_RW, UVMF_INVLPG | UVMF_LOCAL) != 0)
			return 0;
		for (k = 0; k < 512; k++)
			window[k] = va_to_ma(leaf) | PTE_RO;
		l2[i / 512][i % 512] = mfn << PAGE_SHIFT | PTE_RW;
	}
	hc_update_va_mapping(window, 0, UVMF_TLB_FLUSH | UVMF_ALL);
	return n;
}

static bool make_root(unsigned int tables)
{
	unsigned int i;

	memcpy(l4, (void *)start_info->pt_base, sizeof(l4));
	memset(l4 + 256, 0, 16 * sizeof(uint64_t));
	for (i = 0; i < (tables + 511) / 512; i++) {
		l3[i] = va_to_ma(l2[i]) | PTE_RW;
		if (map_page(l2[i], va_to_ma(l2[i]) | PTE_RO) != 0)
			return false;
	}
	l4[300] = va_to_ma(l3) | PTE_RW;
	return map_page(l3, va_to_ma(l3) | PTE_RO) == 0 && map_page(l4, va_to_ma(l4) | PTE_RO) == 0;
}

/* A user root that is none makes the call fail at its end, so that it can be made again. */
static unsigned long initialise(uint64_t root)
{
	unsigned long before = calls, tries = 0;
	long rc;

	secondary_context(&ctx, 0);
	ctx.ctrlreg[3] = root;
	ctx.ctrlreg[1] = va_to_mfn(leaf) << PAGE_SHIFT;
	do
		rc = hc_vcpu_op(VCPUOP_initialise, 2, &ctx); /* the other one may have the mark just now */
	while (rc == -EBUSY && ++tries < 100000);
	EXPECT(rc, -EINVAL);
	return calls - before;
}

void test_main(void)
{
	unsigned long most = 0, n;
	unsigned int tables, round;

	if (hc_vcpu_op(VCPUOP_is_up, 2, NULL) < 0) {
		test_skip("give it vcpus=3");
		return;
	}
	tables = make_tables();
	if (!tables || !make_root(tables)) {
		test_error("no tables");
		return;
	}
	secondary_context(&bad, 0);
	bad.user_regs.rip = 0x8000000000000000;
	EXPECT(start_secondary(0), 0);
	while (!calls)
		hc_sched_op(SCHEDOP_yield, NULL);
	for (round = 0; round < ROUNDS && (most < ENOUGH || !refused); round++) {
		n = initialise(va_to_mfn(l4) << PAGE_SHIFT);
		most = n > most ? n : most;
		initialise(l4_mfn() << PAGE_SHIFT); /* takes the tables down again */
	}
	stop_secondary();
	printk("%u tables, %u rounds: %lu calls while one vCPU was initialised, %lu refused\n", tables, round, most,
	       refused);
	CHECK(most >= ENOUGH, "at most %lu calls of the other vCPU in the time of one", most);
	CHECK(refused, "two callers gave a vCPU its context at once");
	CHECK(!failed && !strange, "%lu calls failed, %lu had a strange result", failed, strange);
	secondary_context(&ctx, 0);
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 2, &ctx), 0);
	EXPECT(hc_vcpu_op(VCPUOP_initialise, 2, &ctx), -EEXIST);
}
