/* SPDX-License-Identifier: MIT */
/*
 * L4 entries that are not present may hold any bits, also those that the
 * hypervisor uses in its own root tables. An entry that the guest took out of
 * its L4 must be gone from every root, whatever stood in the slot before, and one
 * that it changed must be seen after a flush.
 */
#include "guest.h"

const char test_name[] = "root-slots";

#define SLOT 508u /* beside the kernel's own: its group of entries is in use */
#define TARGET ((0xfffful << 48) | (uint64_t)SLOT << 39)
#define ROUNDS 64u

static uint64_t kernel_l4[512] page_aligned, user_l4[512] page_aligned;
static uint64_t l3[512] page_aligned, l2[512] page_aligned, l1[512] page_aligned;
static uint64_t other_l3[512] page_aligned, other_l2[512] page_aligned, other_l1[512] page_aligned, other_data[512] page_aligned;
static uint64_t data[512] page_aligned, user_stack[512] page_aligned, kernel_stack[512] page_aligned;
/* mov (%rsi), %rax; syscall: rsi is the stack pointer that enter_user was given */
static uint8_t code[16] page_aligned = { 0x48, 0x8b, 0x06, 0x0f, 0x05 };

static long ext(unsigned int cmd, uint64_t arg)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static void read_only(void *page)
{
	EXPECT(map_page(page, va_to_ma(page) | PTE_RO), 0);
}

static void user_reads_target(int want, unsigned int line)
{
	CATCH(enter_user((uint64_t)code, TARGET));
	CHECK(caught.vector == want, "line %u: user's read of the slot: trap %d, not %d, rax %#lx", line, caught.vector, want,
	      caught.regs.rax);
}

static void build(uint64_t user_entry)
{
	memcpy(kernel_l4, (void *)start_info->pt_base, sizeof(kernel_l4));
	memset(kernel_l4 + 256, 0, 16 * sizeof(uint64_t));
	memcpy(user_l4, kernel_l4, sizeof(user_l4));
	l1[0] = va_to_ma(data) | PTE_RO;
	l2[0] = va_to_ma(l1) | PTE_RW;
	l3[0] = va_to_ma(l2) | PTE_RW;
	kernel_l4[SLOT] = va_to_ma(l3) | PTE_RW;
	user_l4[SLOT] = user_entry;
	data[0] = 0x5ec7e7;
	read_only(l1);
	read_only(l2);
	read_only(l3);
	read_only(kernel_l4);
	read_only(user_l4);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_PIN_L4_TABLE, va_to_mfn(user_l4)), 0);
}

static void tear_down(void)
{
	uint64_t *const pages[] = { l1, l2, l3, kernel_l4, user_l4 };
	unsigned int i;

	EXPECT(ext(MMUEXT_NEW_BASEPTR, l4_mfn()), 0);
	EXPECT(ext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	EXPECT(ext(MMUEXT_UNPIN_TABLE, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_UNPIN_TABLE, va_to_mfn(user_l4)), 0);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		EXPECT(map_page(pages[i], va_to_ma(pages[i]) | PTE_RW), 0);
		memset(pages[i], 0, PAGE_SIZE);
	}
}

/* The kernel's entry changes while the user root shows the user's; then the kernel's L4 is left. */
static void update_closed(uint64_t user_entry)
{
	uint64_t entry = va_to_ma(l3) | PTE_RW;

	build(user_entry);
	EXPECT(ext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(user_l4)), 0);
	EXPECT(set_pte(&kernel_l4[SLOT], entry), 0);
	user_reads_target(14, __LINE__);
	EXPECT(set_pte(&kernel_l4[SLOT], entry), 0);
	EXPECT(ext(MMUEXT_NEW_BASEPTR, l4_mfn()), 0);
	EXPECT(set_pte(&kernel_l4[SLOT], 0), 0);
	user_reads_target(14, __LINE__);
	/* No reference is left: the tables are plain memory now. */
	EXPECT(map_page(l3, va_to_ma(l3) | PTE_RW), 0);
	user_reads_target(14, __LINE__);
	tear_down();
}

/* The same with the user root opened for the kernel, by a trap from user mode. */
static void update_opened(uint64_t user_entry)
{
	uint64_t entry = va_to_ma(l3) | PTE_RW;

	build(user_entry);
	EXPECT(ext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(user_l4)), 0);
	user_reads_target(14, __LINE__);
	CHECK(READ_ONCE(*(uint64_t *)TARGET) == 0x5ec7e7, "the kernel's slot");
	EXPECT(set_pte(&user_l4[SLOT], user_entry ^ (1ul << 61)), 0);
	EXPECT(set_pte(&kernel_l4[SLOT], entry), 0);
	CHECK(READ_ONCE(*(uint64_t *)TARGET) == 0x5ec7e7, "the kernel's slot");
	EXPECT(set_pte(&kernel_l4[SLOT], 1ul << 62), 0);
	EXPECT(ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
	EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)TARGET));
	user_reads_target(14, __LINE__);
	EXPECT(map_page(l3, va_to_ma(l3) | PTE_RW), 0);
	user_reads_target(14, __LINE__);
	tear_down();
}

/*
 * Both have the same entry, so it is no slot that opening and closing knows about; then the kernel's becomes another one, or
 * goes. From the flush on the kernel sees what its own L4 has, whose root it is on.
 */
static void change_what_was_the_same(uint64_t new)
{
	build(va_to_ma(l3) | PTE_RW);
	EXPECT(ext(MMUEXT_NEW_BASEPTR, va_to_mfn(kernel_l4)), 0);
	EXPECT(ext(MMUEXT_NEW_USER_BASEPTR, va_to_mfn(user_l4)), 0);
	user_reads_target(VEC_SYSCALL, __LINE__);
	CHECK(READ_ONCE(*(uint64_t *)TARGET) == 0x5ec7e7, "the kernel's slot");
	EXPECT(set_pte(&kernel_l4[SLOT], new), 0);
	EXPECT(ext(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
	if (new)
		CHECK(READ_ONCE(*(uint64_t *)TARGET) == 0x07e5, "the kernel's slot shows the user's: %#lx", *(uint64_t *)TARGET);
	else
		EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)TARGET));
	user_reads_target(VEC_SYSCALL, __LINE__);
	CHECK(caught.regs.rax == 0x5ec7e7, "the user's slot: %#lx", caught.regs.rax);
	tear_down();
}

static void others_tables(void)
{
	other_data[0] = 0x07e5;
	other_l1[0] = va_to_ma(other_data) | PTE_RO;
	other_l2[0] = va_to_ma(other_l1) | PTE_RW;
	other_l3[0] = va_to_ma(other_l2) | PTE_RW;
	read_only(other_l1);
	read_only(other_l2);
	read_only(other_l3);
}

/* All bits that are not the present one, of an entry that is otherwise right. */
void test_main(void)
{
	static const uint64_t bits[] = { 0, 1ul << 62, 1ul << 62 | 0x200000, ~1ul, 1ul << 63, 1ul << 61 };
	unsigned int i;

	EXPECT(hc_stack_switch(FLAT_KERNEL_SS, kernel_stack + 512), 0);
	user_stack[0] = 0;
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		update_closed(bits[i]);
		update_opened(bits[i]);
	}
	others_tables();
	change_what_was_the_same(va_to_ma(other_l3) | PTE_RW);
	change_what_was_the_same(0);
	for (i = 0; i < ROUNDS; i++)
		update_closed(1ul << (i ? i : 1));
}
