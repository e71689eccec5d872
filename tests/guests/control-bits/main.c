/* SPDX-License-Identifier: MIT */
/*
 * Virtual IOPL, and the bits of a guest's CR4 that change what its instructions
 * do: FSGSBASE, TSD, DE. The second vCPU shares the CPU (cpus="0") and has them
 * the other way round.
 */
#include "guest.h"
#include <xen/physdev.h>

const char test_name[] = "control-bits";

#define ARCHITECTURAL_IOPL 4
#define CR4_TSD (1ul << 2)
#define CR4_DE (1ul << 3)
#define CR4_FSGSBASE (1ul << 16)
#define SWITCHES 300u

#define UD 6
#define GP 13
/* User code ends by ud2: "nothing happened before". */
#define CODE_IN 0
#define CODE_CLI 16
#define CODE_RDTSC 32
#define CODE_RDTSCP 48
#define CODE_RDFSBASE 64
#define CODE_WRGSBASE 80
static uint8_t code[4096] page_aligned;
static uint64_t user_stack[512] page_aligned, kernel_stack[512] page_aligned;
static uint8_t bitmap[8193];

static int in_user_mode(unsigned int offset)
{
	CATCH(enter_user((uint64_t)code + offset, (uint64_t)(user_stack + 512)));
	/* After the first instruction: it was carried out. */
	return caught.vector == UD && caught.rip != (uint64_t)code + offset ? NO_TRAP : caught.vector;
}

static void fill_code(void)
{
	static const struct { unsigned int at; uint8_t bytes[8]; } parts[] = {
		{ CODE_IN, { 0xec, 0x0f, 0x0b } },
		{ CODE_CLI, { 0xfa, 0x0f, 0x0b } },
		{ CODE_RDTSC, { 0x0f, 0x31, 0x0f, 0x0b } },
		{ CODE_RDTSCP, { 0x0f, 0x01, 0xf9, 0x0f, 0x0b } },
		{ CODE_RDFSBASE, { 0xf3, 0x48, 0x0f, 0xae, 0xc0, 0x0f, 0x0b } },
		{ CODE_WRGSBASE, { 0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x0f, 0x0b } },
	};
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = l4_mfn() };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		memcpy(code + parts[i].at, parts[i].bytes, sizeof(parts[i].bytes));
	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	EXPECT(hc_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
	EXPECT(hc_stack_switch(FLAT_KERNEL_SS, kernel_stack + 512), 0);
}

static void set_iopl(unsigned int iopl)
{
	struct physdev_set_iopl op = { .iopl = iopl };

	EXPECT(HC(physdev_op, PHYSDEVOP_set_iopl, &op, 0, 0, 0), 0);
}

static void kernel_io(int want)
{
	uint32_t v = 0;

	EXPECT_TRAP(want, __asm__ volatile("cli"));
	EXPECT_TRAP(want, __asm__ volatile("sti"));
	EXPECT_TRAP(want, __asm__ volatile("inb $0x80, %b0" : "+a"(v)));
	EXPECT_TRAP(want, __asm__ volatile("inb %w1, %b0" : "+a"(v) : "d"(0x80)));
	EXPECT_TRAP(want, __asm__ volatile("inw %w1, %w0" : "+a"(v) : "d"(0x80)));
	EXPECT_TRAP(want, __asm__ volatile("inl %w1, %0" : "+a"(v) : "d"(0x80)));
	EXPECT_TRAP(want, __asm__ volatile("outb %b0, $0x80" : : "a"(v)));
	EXPECT_TRAP(want, __asm__ volatile("outw %w0, %w1" : : "a"(v), "d"(0x80)));
	CHECK(want != GP || caught.error_code == 0, "error code %#lx", caught.error_code);
}

static void iopl(void)
{
	struct physdev_set_iobitmap op = { .nr_ports = 65536 };

	kernel_io(GP);
	CHECK(in_user_mode(CODE_IN) == GP, "in of user mode: trap %d", caught.vector);
	set_xen_guest_handle(op.bitmap, bitmap);
	EXPECT(HC(physdev_op, PHYSDEVOP_set_iobitmap, &op, 0, 0, 0), 0);
	CHECK(in_user_mode(CODE_IN) == NO_TRAP, "in that the bitmap allows: trap %d", caught.vector);
	CHECK(in_user_mode(CODE_CLI) == GP, "cli of user mode, with the bitmap: trap %d", caught.vector);
	kernel_io(GP); /* the bitmap is the user's */
	op.nr_ports = 0;
	EXPECT(HC(physdev_op, PHYSDEVOP_set_iobitmap, &op, 0, 0, 0), 0);
	set_iopl(1);
	kernel_io(NO_TRAP);
	CHECK(in_user_mode(CODE_IN) == GP, "in of user mode at IOPL 1: trap %d", caught.vector);
	set_iopl(0);
	kernel_io(GP);
	EXPECT(hc_vm_assist(VMASST_CMD_enable, ARCHITECTURAL_IOPL), 0);
	kernel_io(NO_TRAP);
	EXPECT(hc_vm_assist(VMASST_CMD_disable, ARCHITECTURAL_IOPL), 0);
	kernel_io(GP);
	set_iopl(3);
	CHECK(in_user_mode(CODE_IN) == NO_TRAP, "in of user mode at IOPL 3: trap %d", caught.vector);
	set_iopl(0);
}

static uint64_t read_cr4(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static void write_cr4(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v));
}

static uint64_t rdfsbase(void)
{
	uint64_t v;

	__asm__ volatile("rdfsbase %0" : "=r"(v));
	return v;
}

static void bases_trap(int want)
{
	uint64_t v = 0x5000;

	EXPECT_TRAP(want, __asm__ volatile("wrfsbase %0" : : "r"(v)));
	EXPECT_TRAP(want, __asm__ volatile("wrgsbase %0" : : "r"(v)));
	EXPECT_TRAP(want, __asm__ volatile("rdfsbase %0" : "=r"(v)));
	EXPECT_TRAP(want, __asm__ volatile("rdgsbase %0" : "=r"(v)));
	CHECK(in_user_mode(CODE_RDFSBASE) == want, "rdfsbase of user mode: trap %d", caught.vector);
	CHECK(in_user_mode(CODE_WRGSBASE) == want, "wrgsbase of user mode: trap %d", caught.vector);
}

static void rdmsr_fs_base(uint64_t want)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0xc0000100));
	CHECK(((uint64_t)hi << 32 | lo) == want, "FS base %#lx, not %#lx", (uint64_t)hi << 32 | lo, want);
}

static bool have_fsgsbase(void)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 | CR4_FSGSBASE);
	if (read_cr4() & CR4_FSGSBASE)
		return true;
	test_skip("no FSGSBASE");
	return false;
}

static void fsgsbase(void)
{
	uint64_t cr4 = read_cr4();

	CHECK(!(cr4 & CR4_FSGSBASE), "CR4 starts as %#lx", cr4);
	bases_trap(UD);
	if (!have_fsgsbase())
		return;
	bases_trap(NO_TRAP);
	EXPECT(hc_set_segment_base(SEGBASE_FS, 0x123456789000), 0);
	CHECK(rdfsbase() == 0x123456789000, "FS base %#lx", rdfsbase());
	write_cr4(cr4);
	bases_trap(UD);
	rdmsr_fs_base(0x123456789000);
	EXPECT(hc_set_segment_base(SEGBASE_FS, 0x6000), 0);
	rdmsr_fs_base(0x6000);
	EXPECT(hc_set_segment_base(SEGBASE_GS_KERNEL, 0), 0);
}

static volatile unsigned int other_rounds;
static volatile uint64_t other_base;

/* With FSGSBASE, and a base of its own. */
void secondary_main(uint64_t arg)
{
	write_cr4(read_cr4() | CR4_FSGSBASE);
	__asm__ volatile("wrfsbase %0" : : "r"(0x7000ul));
	other_base = 0x7000;
	while (!secondary_stop) {
		if (rdfsbase() != 0x7000)
			other_base = rdfsbase();
		other_rounds++;
		hc_sched_op(SCHEDOP_yield, NULL);
	}
	secondary_end();
}

/* Without it, beside one that has it. */
static void fsgsbase_of_two(void)
{
	unsigned int i, seen;
	long ret;

	if (!have_fsgsbase())
		return;
	write_cr4(read_cr4() & ~CR4_FSGSBASE);
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	EXPECT(hc_set_segment_base(SEGBASE_FS, 0x6000), 0);
	for (i = 0; i < SWITCHES; i++) {
		for (seen = other_rounds; other_rounds == seen;)
			hc_sched_op(SCHEDOP_yield, NULL);
		EXPECT_TRAP(UD, (void)rdfsbase());
		rdmsr_fs_base(0x6000);
	}
	stop_secondary();
	CHECK(other_base == 0x7000, "the other vCPU had FS base %#lx", other_base);
	EXPECT(hc_set_segment_base(SEGBASE_FS, 0), 0);
}

static void tsd(void)
{
	uint64_t cr4 = read_cr4();
	uint32_t a = 0, d = 0, c = 0;
	bool have_rdtscp;

	CATCH(__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c)));
	have_rdtscp = caught.vector == NO_TRAP;
	CHECK(in_user_mode(CODE_RDTSC) == NO_TRAP, "rdtsc of user mode: trap %d", caught.vector);
	write_cr4(cr4 | CR4_TSD);
	CHECK(in_user_mode(CODE_RDTSC) == GP, "rdtsc of user mode with TSD: trap %d", caught.vector);
	EXPECT_TRAP(NO_TRAP, __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)));
	CHECK(a | d, "rdtsc gave 0");
	if (have_rdtscp) {
		CHECK(in_user_mode(CODE_RDTSCP) == GP, "rdtscp of user mode with TSD: trap %d", caught.vector);
		a = d = 0;
		c = 0x55;
		EXPECT_TRAP(NO_TRAP, __asm__ volatile("rdtscp" : "+a"(a), "+d"(d), "+c"(c)));
		CHECK((a | d) && c == 0, "rdtscp gave %#x %#x %#x", d, a, c);
	}
	write_cr4(cr4);
	CHECK(in_user_mode(CODE_RDTSC) == NO_TRAP, "rdtsc of user mode without TSD: trap %d", caught.vector);
}

static void de(void)
{
	uint64_t cr4 = read_cr4(), v = 0;

	EXPECT_TRAP(NO_TRAP, __asm__ volatile("mov %%dr4, %0" : "=r"(v)));
	EXPECT_TRAP(NO_TRAP, __asm__ volatile("mov %0, %%dr5" : : "r"(0x400ul)));
	write_cr4(cr4 | CR4_DE);
	EXPECT_TRAP(UD, __asm__ volatile("mov %%dr4, %0" : "=r"(v)));
	EXPECT_TRAP(UD, __asm__ volatile("mov %0, %%dr5" : : "r"(0x400ul)));
	EXPECT_TRAP(NO_TRAP, __asm__ volatile("mov %%dr6, %0" : "=r"(v)));
	EXPECT(hc_set_debugreg(5, 0x400), -EINVAL);
	EXPECT(hc_get_debugreg(4), -EINVAL);
	EXPECT(hc_get_debugreg(7), 0x400);
	write_cr4(cr4);
	EXPECT_TRAP(NO_TRAP, __asm__ volatile("mov %%dr5, %0" : "=r"(v)));
}

void test_main(void)
{
	fill_code();
	iopl();
	fsgsbase();
	fsgsbase_of_two();
	tsd();
	de();
}
