/* SPDX-License-Identifier: MIT */
/*
 * A user root that all fuzzers share. One takes entries out of it and brings
 * them back, the others' user modes store by way of these: never while they are
 * out, whatever roots were made of them.
 */
#include "fuzz.h"

#define LOW_SLOT 3u
#define HIGH_SLOT 301u

static uint64_t l4[512] page_aligned, l3[512] page_aligned, l2[512] page_aligned, l1[512] page_aligned;
static uint64_t data[512] page_aligned;
static volatile uint32_t taken;

/* Where nothing differs from the kernel's root in the lower half, the kernel runs on the user's. */
static bool low_too(void) { return seed & 2; }

static uint64_t entry(const uint64_t *page) { return va_to_ma(page) | PTE_RW; }

void root_init(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = va_to_mfn(l4) };
	uint64_t *const tables[] = { l4, l3, l2, l1 };
	unsigned int i;

	l4[511] = kernel_l4_entry;
	l4[LOW_SLOT] = low_too() ? entry(l3) : 0;
	l4[HIGH_SLOT] = entry(l3);
	l3[0] = entry(l2);
	l2[0] = entry(l1);
	l1[0] = entry(data);
	for (i = 0; i < ARRAY_SIZE(tables); i++)
		EXPECT(map_page(tables[i], va_to_ma(tables[i]) | PTE_RO), 0);
	EXPECT(hc_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
}

static void set_slots(struct fuzzer *z, uint64_t val)
{
	struct mmu_update u[2] = { { .ptr = va_to_ma(&l4[HIGH_SLOT]), .val = val }, { .ptr = va_to_ma(&l4[LOW_SLOT]), .val = val } };

	expect(z, CALL(mmu_update, u, low_too() ? 2 : 1, 0, DOMID_SELF), true);
}

static void take_out(struct fuzzer *z)
{
	unsigned int spins = below(z, 4000), yields = one_in(z, 2) ? below(z, 16) : 0, i;
	uint64_t was[VCPUS];

	z->what = "shared root";
	if (__atomic_exchange_n(&taken, 1, __ATOMIC_SEQ_CST))
		return;
	set_slots(z, 0);
	/* As far as TLBs go this is the guest's own to do; the roots are not. */
	expect(z, mmuext(z, MMUEXT_TLB_FLUSH_ALL, 0, 0), true);
	memcpy(was, data, sizeof(was));
	while (spins--)
		__asm__ volatile("pause");
	/* The others come and go. */
	while (yields--)
		hc_sched_op(SCHEDOP_yield, NULL);
	for (i = 0; i < FUZZERS; i++)
		if (READ_ONCE(data[i]) != was[i])
			finding(z, "vCPU %u's user mode stores through an L4 entry that is gone", i);
	set_slots(z, entry(l3));
	__atomic_store_n(&taken, 0, __ATOMIC_SEQ_CST);
}

static void use(struct fuzzer *z)
{
	unsigned int n = 1 + below(z, 500), turns = 1 + below(z, 4);
	uint64_t va = low_too() && one_in(z, 2) ? (uint64_t)LOW_SLOT << 39 : 0xffff000000000000ul | (uint64_t)HIGH_SLOT << 39;

	z->what = "shared root's user";
	expect(z, mmuext(z, MMUEXT_NEW_USER_BASEPTR, va_to_mfn(l4), 0), true);
	if (z->user_base)
		model_put(z, z->user_base);
	z->user_base = NULL;
	while (turns--) {
		z->calls++;
		try_user_stores(z, (uint64_t *)va + z->id, rnd(z), n);
		/* Off the CPU as a kernel that came from user mode. */
		if (one_in(z, 2))
			hc_sched_op(SCHEDOP_yield, NULL);
	}
}

void root_step(struct fuzzer *z)
{
	if (one_in(z, 2))
		take_out(z);
	else
		use(z);
}
