/* SPDX-License-Identifier: MIT */
/* GDT, LDT and single descriptors: what a guest may describe, and what it may not. */
#include "guest.h"

const char test_name[] = "descriptors";

static uint64_t gdt[512] page_aligned, ldt[512] page_aligned, plain[512] page_aligned;

#define DATA3 0x00cff3000000ffffull /* flat data, DPL 3 */
#define DATA0 0x00cf93000000ffffull
#define CODE64 0x00affb000000ffffull
#define CALL_GATE 0x0000ec000000e030ull
#define TSS 0x0000890000000067ull
#define LDT_DESC 0x0000820000000067ull
#define INT_GATE 0x0000ee000000e030ull

static long load_gdt(uint64_t entries)
{
	xen_pfn_t frame[1] = { va_to_mfn(gdt) };

	return hc_set_gdt(frame, entries);
}

static uint16_t load_ds(uint16_t sel)
{
	uint16_t now;

	__asm__ volatile("mov %1, %%ds; mov %%ds, %0" : "=r"(now) : "r"(sel));
	return now;
}

static void gdt_tests(void)
{
	static const uint64_t evil[] = { CALL_GATE, TSS, LDT_DESC, INT_GATE };
	xen_pfn_t foreign[1] = { 0x200 };
	unsigned int i;

	gdt[1] = DATA3;
	gdt[2] = CODE64;
	EXPECT_ERROR(load_gdt(512));                             /* mapped writable */
	EXPECT(map_page(gdt, va_to_ma(gdt) | PTE_RO), 0);
	EXPECT(load_gdt(512), 0);
	CATCH(load_ds(1 << 3 | 3));
	CHECK(caught.vector == NO_TRAP, "loading an own data selector: trap %d", caught.vector);
	EXPECT_TRAP(13, load_ds(100 << 3 | 3));                  /* an empty entry is null or #GP */
	EXPECT_ERROR(map_page(gdt, va_to_ma(gdt) | PTE_RW));     /* in use */
	EXPECT_TRAP(14, WRITE_ONCE(gdt[3], DATA3));

	EXPECT(hc_update_descriptor(va_to_ma(&gdt[3]), DATA3), 0);
	CHECK(gdt[3] != 0, "the descriptor was not written");
	for (i = 0; i < ARRAY_SIZE(evil); i++) {
		long ret = hc_update_descriptor(va_to_ma(&gdt[4]), evil[i]);

		CHECK(ret < 0 || (gdt[4] >> 44 & 1) || !(gdt[4] >> 47 & 1), "system descriptor %#lx was taken", evil[i]);
		hc_update_descriptor(va_to_ma(&gdt[4]), 0);
	}
	if (hc_update_descriptor(va_to_ma(&gdt[4]), DATA0) == 0)
		CHECK((gdt[4] >> 45 & 3) != 0, "a ring 0 descriptor was taken");
	EXPECT_ERROR(hc_update_descriptor(0x200000, DATA3));
	EXPECT_ERROR(hc_update_descriptor(va_to_ma(&gdt[3]) + 4, DATA3));
	EXPECT_ERROR(hc_update_descriptor(va_to_mfn((void *)start_info->pt_base) << PAGE_SHIFT, DATA3));
	EXPECT(hc_update_descriptor(va_to_ma(&plain[3]), DATA3), 0); /* an ordinary page will do as well */
	EXPECT_ERROR(hc_set_gdt(foreign, 512));
	EXPECT_ERROR(load_gdt(FIRST_RESERVED_GDT_ENTRY + 1));
	EXPECT_ERROR(load_gdt(1ul << 40));
	load_ds(0);
	EXPECT(hc_set_gdt(NULL, 0), 0);
	EXPECT(map_page(gdt, va_to_ma(gdt) | PTE_RW), 0);

	gdt[5] = CALL_GATE;
	EXPECT(map_page(gdt, va_to_ma(gdt) | PTE_RO), 0);
	EXPECT_ERROR(load_gdt(512));                             /* one evil entry spoils the page */
	EXPECT(map_page(gdt, va_to_ma(gdt) | PTE_RW), 0);
	gdt[5] = 0;
}

static long set_ldt(const void *va, unsigned int entries)
{
	struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };

	op.arg1.linear_addr = (unsigned long)va;
	op.arg2.nr_ents = entries;
	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void ldt_tests(void)
{
	ldt[1] = DATA3;
	EXPECT(map_page(ldt, va_to_ma(ldt) | PTE_RO), 0);
	EXPECT(set_ldt(ldt, 512), 0);
	CATCH(load_ds(1 << 3 | 4 | 3)); /* the page is mapped on the first use */
	CHECK(caught.vector == NO_TRAP, "loading a selector of the LDT: trap %d", caught.vector);
	load_ds(0);
	EXPECT_ERROR(set_ldt((char *)ldt + 8, 512));
	EXPECT_ERROR(set_ldt(ldt, 8193));
	EXPECT_ERROR(set_ldt((void *)HV_START, 512));
	EXPECT(set_ldt(NULL, 0), 0);
	EXPECT_TRAP(13, load_ds(1 << 3 | 4 | 3));
	EXPECT(map_page(ldt, va_to_ma(ldt) | PTE_RW), 0);
}

static void hidden_state(void)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) t = { 0 };
	uint16_t sel = 0;

	/* UMIP may trap these; what they must not do is change anything. */
	CATCH(__asm__ volatile("sgdt %0" : "=m"(t)));
	CATCH(__asm__ volatile("sidt %0" : "=m"(t)));
	CATCH(__asm__ volatile("str %0" : "=r"(sel)));
	EXPECT_TRAP(13, __asm__ volatile("lgdt %0" : : "m"(t)));
	EXPECT_TRAP(13, __asm__ volatile("lidt %0" : : "m"(t)));
	EXPECT_TRAP(13, __asm__ volatile("lldt %0" : : "r"(sel)));
	EXPECT_TRAP(13, __asm__ volatile("ltr %0" : : "r"(sel)));
	EXPECT_TRAP(13, load_ds(0xe008)); /* the hypervisor's own selectors are no use to a guest */
	EXPECT_TRAP(13, load_ds(0xe010));
}

void test_main(void)
{
	gdt_tests();
	ldt_tests();
	hidden_state();
}
