/* SPDX-License-Identifier: MIT */
/* Direct paging: what must be refused, and what must work. */
#include "guest.h"

const char test_name[] = "mmu";

static uint64_t table[512] page_aligned, other[512] page_aligned, data[512] page_aligned, scratch[512] page_aligned;

static long ext(unsigned int cmd, uint64_t arg)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static uint64_t pte(const void *va, uint64_t flags)
{
	return va_to_mfn(va) << PAGE_SHIFT | flags;
}

/* A page table in use can be seen. A store into it is refused, or done as a checked update. */
static void live_tables(void)
{
	uint64_t *l4 = (uint64_t *)start_info->pt_base, *l1 = pte_of(data, 1);

	EXPECT_TRAP(14, WRITE_ONCE(l4[0], 0xfee00000 | PTE_RW));
	EXPECT_TRAP(14, WRITE_ONCE(l4[256], l4[511]));
	EXPECT_TRAP(14, WRITE_ONCE(l1[0], 0x200000 | PTE_RW));
	EXPECT_ERROR(map_page(scratch, l4_mfn() << PAGE_SHIFT | PTE_RW));
	EXPECT_ERROR(map_page(scratch, pte((void *)((uint64_t)l1 & ~4095ul), PTE_RW)));
	EXPECT(map_page(scratch, l4_mfn() << PAGE_SHIFT | PTE_RO), 0);
	CHECK(scratch[511] == l4[511], "a read-only view of the L4 differs");
	EXPECT_TRAP(14, WRITE_ONCE(scratch[0], 0xfee00000 | PTE_RW));
	EXPECT(map_page(scratch, pte(scratch, PTE_RW)), 0);
}

static void pinning(void)
{
	unsigned int i;

	memset(table, 0, sizeof(table));
	EXPECT(ext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), -EINVAL);   /* mapped writable */
	EXPECT(map_page(table, pte(table, PTE_RO)), 0);
	EXPECT(ext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)), 0);
	EXPECT_ERROR(ext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)));      /* twice */
	EXPECT_ERROR(ext(MMUEXT_PIN_L2_TABLE, va_to_mfn(table)));      /* as something else */
	EXPECT_ERROR(map_page(table, pte(table, PTE_RW)));
	EXPECT(set_pte(&table[0], pte(data, PTE_RW)), 0);
	EXPECT_ERROR(set_pte(&table[1], pte(table, PTE_RW)));           /* itself, writable */
	EXPECT(set_pte(&table[1], pte(table, PTE_RO)), 0);
	EXPECT_ERROR(set_pte(&table[2], 1ul << 51 | PTE_RW));           /* no such frame */
	EXPECT_ERROR(set_pte(&table[2], 0x200000 | PTE_RW));             /* the hypervisor's image */
	EXPECT_ERROR(set_pte(&table[2], 0xfee00000 | PTE_RW));          /* the local APIC */
	EXPECT_ERROR(set_pte(&table[2], 0xfee00000 | PTE_RO));
	EXPECT(ext(MMUEXT_UNPIN_TABLE, va_to_mfn(table)), 0);
	EXPECT_ERROR(ext(MMUEXT_UNPIN_TABLE, va_to_mfn(table)));
	EXPECT(map_page(table, pte(table, PTE_RW)), 0);
	CHECK((table[0] & PTE_FRAME) == va_to_ma(data), "the entry was lost with the pin");
	for (i = 0; i < 512; i++)
		table[i] = 0;
	table[3] = 0xfee00000 | PTE_RW;
	EXPECT(map_page(table, pte(table, PTE_RO)), 0);
	EXPECT_ERROR(ext(MMUEXT_PIN_L1_TABLE, va_to_mfn(table)));      /* one bad entry spoils it */
	EXPECT(map_page(table, pte(table, PTE_RW)), 0);
	table[3] = 0;
}

static void l4(void)
{
	struct mmu_update u;
	unsigned int slot;

	memcpy(other, (void *)start_info->pt_base, 4096);
	for (slot = 256; slot < 272; slot++)
		other[slot] = 0;
	EXPECT(map_page(other, pte(other, PTE_RO)), 0);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(other)), 0);
	for (slot = 256; slot < 272; slot++) {
		u = (struct mmu_update){ .ptr = va_to_ma(&other[slot]), .val = pte(data, PTE_RW) };
		EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_SELF));
	}
	/* A recursive slot: read-only, and to an L4 alone. */
	EXPECT_ERROR(set_pte(&other[300], pte(other, PTE_RW)));
	EXPECT(set_pte(&other[300], pte(other, PTE_RO & ~PTE_W)), 0);
	EXPECT_ERROR(set_pte(&other[301], pte(data, PTE_RW)));         /* data is mapped writable: no L3 */
	EXPECT(ext(MMUEXT_NEW_BASEPTR, va_to_mfn(other)), 0);
	EXPECT(READ_ONCE(data[0]), 0);
	EXPECT_ERROR(ext(MMUEXT_NEW_BASEPTR, va_to_mfn(data)));
	EXPECT(ext(MMUEXT_NEW_BASEPTR, l4_mfn()), 0);
	EXPECT(set_pte(&other[300], 0), 0);
	EXPECT(ext(MMUEXT_UNPIN_TABLE, va_to_mfn(other)), 0);
	EXPECT(map_page(other, pte(other, PTE_RW)), 0);
	EXPECT_ERROR(ext(MMUEXT_NEW_BASEPTR, ~0ul >> 12));
	EXPECT_ERROR(ext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(data)));
}

static bool is_own(uint64_t mfn, const uint64_t *grant_frames, unsigned int nr)
{
	uint64_t pfn = mfn_to_pfn(mfn);

	if (pfn < start_info->nr_pages && ((uint64_t *)start_info->mfn_list)[pfn] == mfn)
		return true;
	while (nr--)
		if (grant_frames[nr] == mfn)
			return true;
	return mfn == start_info->shared_info >> PAGE_SHIFT;
}

/* Frames that are not ours: none maps, however it is asked for. */
static void foreign(void)
{
	/* The hypervisor's own pages that it shares with us. */
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	struct gnttab_setup_table grants = { .dom = DOMID_SELF };
	static uint64_t frames[64];
	struct mmu_update u;
	uint64_t mfn;

	EXPECT(hc_grant_table_op(GNTTABOP_query_size, &size, 1), 0);
	grants.nr_frames = size.nr_frames < 64 ? size.nr_frames : 64;
	set_xen_guest_handle(grants.frame_list, frames);
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &grants, 1), 0);

	for (mfn = 0; mfn < 0x8000; mfn += 7)
		if (map_page(scratch, mfn << PAGE_SHIFT | PTE_RW) == 0 && !is_own(mfn, frames, grants.nr_frames))
			test_failed("frame %#lx is not ours and maps writable", mfn);
	EXPECT(map_page(scratch, pte(scratch, PTE_RW)), 0);
	u = (struct mmu_update){ .ptr = va_to_ma(pte_of(scratch, 1)), .val = pte(data, PTE_RW) };
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, 0));
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_XEN));
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_IO));
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, 0x7000));
	u.ptr = 0x200000;
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_SELF));
	u.ptr = ~0ul & ~7ul;
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_SELF));
}

static void large_and_reserved(void)
{
	uint64_t *l2 = pte_of(data, 2), old = *l2;

	EXPECT_ERROR(set_pte(l2, (va_to_ma(data) & ~0x1fffffful) | PTE_RW | PTE_PSE));
	CHECK(*l2 == old, "the L2 entry changed");
	EXPECT_ERROR(hc_update_va_mapping(HV_START, pte(data, PTE_RW), 0));
	EXPECT_ERROR(hc_update_va_mapping(HV_END - 4096, pte(data, PTE_RW), 0));
	EXPECT_ERROR(hc_update_va_mapping(0x0000900000000000, pte(data, PTE_RW), 0));
	EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)0xffff840000000000));
	EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)0xffff830000000000));
	EXPECT_TRAP(14, WRITE_ONCE(*(uint64_t *)HV_START, 1));
	/* Its own descriptors it may be able to read there: pv/far.c. */
	EXPECT_TRAP(14, WRITE_ONCE(*(uint64_t *)0xffff828000000000, 0));
	EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)0xffff82800000f000));
}

static void machphys(void)
{
	struct mmu_update u = { .ptr = va_to_ma(data) | MMU_MACHPHYS_UPDATE, .val = 12345 };
	uint64_t pfn = mfn_to_pfn(va_to_mfn(data));

	EXPECT(hc_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
	CHECK(mfn_to_pfn(va_to_mfn(data)) == 12345, "the update is not seen");
	u.val = pfn;
	EXPECT(hc_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
	u.ptr = 0x200000 | MMU_MACHPHYS_UPDATE;
	EXPECT_ERROR(hc_mmu_update(&u, 1, NULL, DOMID_SELF));
}

static void batch(void)
{
	static struct mmu_update u[1024];
	unsigned int i, done = 0;

	for (i = 0; i < 1024; i++) {
		u[i].ptr = va_to_ma(pte_of(scratch, 1));
		u[i].val = pte(i & 1 ? scratch : data, PTE_RW);
	}
	EXPECT(hc_mmu_update(u, 1024, &done, DOMID_SELF), 0);
	CHECK(done == 1024, "%u of 1024 done", done);
	u[700].val = 0xfee00000 | PTE_RW;
	done = 0;
	EXPECT_ERROR(hc_mmu_update(u, 1024, &done, DOMID_SELF));
	CHECK(done == 700, "%u of 700 done before the bad one", done);
	EXPECT(map_page(scratch, pte(scratch, PTE_RW)), 0);
}

void test_main(void)
{
	live_tables();
	pinning();
	l4();
	foreign();
	large_and_reserved();
	machphys();
	batch();
	EXPECT(ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
	EXPECT_ERROR(ext(999, 0));
}
