/* SPDX-License-Identifier: MIT */
/* Many hypercalls in one: results, long batches, and bad members. */
#include "guest.h"

const char test_name[] = "multicall";

static struct multicall_entry calls[2000];
static uint64_t data[512] page_aligned;

static void plain(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 77 };
		calls[i].args[0] = XENVER_pagesize;
	}
	EXPECT(hc_multicall(calls, ARRAY_SIZE(calls)), 0);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		CHECK((long)calls[i].result == 4096, "result %u is %ld", i, (long)calls[i].result);
}

static void bad_members(void)
{
	memset(calls, 0, sizeof(calls[0]) * 8);
	calls[0].op = 0x7fffffff;
	calls[1].op = ~0ul;
	calls[2].op = __HYPERVISOR_multicall;
	calls[2].args[0] = (unsigned long)calls;
	calls[2].args[1] = 1;
	calls[3].op = __HYPERVISOR_domctl;
	calls[4].op = __HYPERVISOR_xen_version;
	calls[4].args[0] = XENVER_pagesize;
	hc_multicall(calls, 5);
	CHECK((long)calls[0].result == -ENOSYS, "an unknown hypercall: %ld", (long)calls[0].result);
	CHECK((long)calls[1].result == -ENOSYS, "an unknown hypercall: %ld", (long)calls[1].result);
	CHECK((long)calls[2].result < 0, "a multicall in a multicall: %ld", (long)calls[2].result);
	CHECK((long)calls[3].result == -EPERM, "a domctl: %ld", (long)calls[3].result);
	CHECK((long)calls[4].result == 4096, "the one after them: %ld", (long)calls[4].result);
	EXPECT(hc_multicall(HV_START, 1), -EFAULT);
	EXPECT(hc_multicall(calls, 0), 0);
}

/* A member that is preempted goes on where it stopped. */
static void long_member(void)
{
	static struct mmu_update u[2048];
	unsigned int i, done = 0;
	uint64_t frame = va_to_ma(data);

	for (i = 0; i < ARRAY_SIZE(u); i++) {
		u[i].ptr = va_to_ma(pte_of(data, 1));
		u[i].val = frame | (i & 1 ? PTE_RW : PTE_RO);
	}
	for (i = 0; i < 20; i++) {
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update, .result = 77 };
		calls[i].args[0] = (unsigned long)u;
		calls[i].args[1] = ARRAY_SIZE(u);
		calls[i].args[2] = (unsigned long)&done;
		calls[i].args[3] = DOMID_SELF;
	}
	EXPECT(hc_multicall(calls, 20), 0);
	for (i = 0; i < 20; i++)
		CHECK(calls[i].result == 0, "result %u is %ld", i, (long)calls[i].result);
	CHECK(done == ARRAY_SIZE(u), "%u done", done);
	WRITE_ONCE(data[0], 1);
}

void test_main(void)
{
	plain();
	bad_members();
	long_member();
}
