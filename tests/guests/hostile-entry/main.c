/* SPDX-License-Identifier: MIT */
/*
 * The ways into the hypervisor and back, with everything a guest can put into
 * registers, selectors, flags and debug registers. Any trap is right, as long
 * as the node and this domain go on.
 */
#include "guest.h"

const char test_name[] = "hostile-entry";

#define LOW 0x400000ul
#define UD2 (LOW + 2) /* in the first snippet */
#define STACK (LOW + PAGE_SIZE + 2048)
#define RING3_CS32 0xe023
#define DR7_WRITE_8(n) (1ul << (2 * (n)) | 0x9ul << (16 + 4 * (n)))
#define DR7_RW_8(n) (1ul << (2 * (n)) | 0xbul << (16 + 4 * (n)))

static uint64_t l3[512] page_aligned, l2[512] page_aligned, l1[512] page_aligned;
static uint8_t code[PAGE_SIZE] page_aligned;
static uint64_t user_stack[512] page_aligned, kernel_stack[512] page_aligned;
static volatile uint64_t watched[8] __attribute__((aligned(64)));

static void alive(unsigned int line)
{
	long ret = hc_version(XENVER_pagesize, NULL);

	CHECK(ret == 4096, "line %u: a hypercall gave %ld afterwards", line, ret);
}

static long ext(unsigned int cmd, uint64_t arg)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* The code page below 4 GiB, for 32-bit segments. */
static void map_low(void)
{
	uint64_t *l4 = (uint64_t *)start_info->pt_base;

	l1[(LOW >> 12) & 511] = va_to_ma(code) | PTE_RO;
	l1[(LOW >> 12 & 511) + 1] = va_to_ma(user_stack) | PTE_RW;
	l2[(LOW >> 21) & 511] = va_to_ma(l1) | PTE_RW;
	l3[0] = va_to_ma(l2) | PTE_RW;
	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	EXPECT(map_page(l1, va_to_ma(l1) | PTE_RO), 0);
	EXPECT(map_page(l2, va_to_ma(l2) | PTE_RO), 0);
	EXPECT(map_page(l3, va_to_ma(l3) | PTE_RO), 0);
	EXPECT(set_pte(&l4[0], va_to_ma(l3) | PTE_RW), 0);
}

static const uint8_t snippets[][16] = {
	{ 0x0f, 0x05, 0x0f, 0x0b },             /* syscall */
	{ 0x0f, 0x34, 0x0f, 0x0b },             /* sysenter */
	{ 0xcd, 0x80, 0x0f, 0x0b },             /* int 0x80 */
	{ 0xcd, 0x82, 0x0f, 0x0b },
	{ 0xcc, 0x0f, 0x0b },
	{ 0xf1, 0x0f, 0x0b },                   /* icebp */
	{ 0xf4, 0x0f, 0x0b },                   /* hlt */
	{ 0xe4, 0x60, 0x0f, 0x0b },             /* in */
	{ 0x0f, 0x01, 0xc1, 0x0f, 0x0b },       /* vmcall */
	{ 0x0f, 0x01, 0xd9, 0x0f, 0x0b },       /* vmmcall */
	{ 0x0f, 0x01, 0xf8, 0x0f, 0x0b },       /* swapgs */
	{ 0x0f, 0x07, 0x0f, 0x0b },             /* sysret */
	{ 0x0f, 0x35, 0x0f, 0x0b },             /* sysexit */
	{ 0x0f, 0x30, 0x0f, 0x0b },             /* wrmsr */
	{ 0x48, 0xcf, 0x0f, 0x0b },             /* iretq */
	{ 0x0f, 0xa2, 0x0f, 0x0b },             /* cpuid */
	{ 0xce, 0x0f, 0x0b },                   /* into */
	{ 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2, 0x0f, 0x0b },
	{ 0x9d, 0x0f, 0x05, 0x0f, 0x0b },       /* popf; syscall: the stack's top is TF */
	{ 0x9d, 0x0f, 0x34, 0x0f, 0x0b },
	{ 0x9d, 0xcd, 0x80, 0x0f, 0x0b },
};

/* iret with a frame of its own: as enter_user, but for selectors and flags. */
static void iret_to(uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss, uint64_t flags)
{
	__asm__ volatile("push %4; push %3; push %2; push %1; push %0; push %5; pushq $0; pushq $0; pushq $0\n\t"
			 "mov $23, %%eax; syscall; ud2"
			 : : "r"(rip), "r"(cs), "r"(rflags), "r"(rsp), "r"(ss), "r"(flags) : "rax", "rcx", "r11", "memory");
}

static void user_snippets(void)
{
	static const uint64_t segments[] = { 0xe033, RING3_CS32 };
	unsigned int i, s, k;

	for (s = 0; s < ARRAY_SIZE(segments); s++)
		for (i = 0; i < ARRAY_SIZE(snippets); i++)
			for (k = 0; k < 2; k++) {
				user_stack[256] = 0x4346; /* for those that pop flags */
				CATCH(iret_to(LOW + i * 16, segments[s], k ? 0x346 : 0x202, STACK, 0xe02b, 0));
				CHECK(caught.vector != NO_TRAP, "snippet %u in %#lx: no trap", i, segments[s]);
			}
	alive(__LINE__);
}

static const uint16_t selectors[] = {
	0, 1, 2, 3, 4, 7, 8, 0x0b, 0x100, 0x10b, 0xdff8, 0xdffb, 0xe000, 0xe003, 0xe008, 0xe00b, 0xe010, 0xe013, 0xe01b,
	0xe020, 0xe023, 0xe028, 0xe02b, 0xe030, 0xe033, 0xe040, 0xe043, 0xe048, 0xe04b, 0xe050, 0xe053, 0xe05b, 0xe100,
	0xeffb, 0xf000, 0xf003, 0xfff8, 0xfffb, 0xffff, 0xe00c, 0xe00f, 0xe034, 0xe037,
};

static void bad_irets(void)
{
	static const uint64_t flags[] = { 0x202, ~0ul, 0x3f7fd7, 0x4302, 0x20202, 0x10302 };
	static const uint64_t rips[] = { UD2, 0x800000000000, 0xffff800000000000, ~0ul, 0x7fffffffffff, 0x7ffffffffffe };
	unsigned int c, s, f, r;

	for (c = 0; c < ARRAY_SIZE(selectors); c++)
		for (s = 0; s < ARRAY_SIZE(selectors); s++)
			CATCH(iret_to(UD2, selectors[c], flags[(c + s) % ARRAY_SIZE(flags)], STACK, selectors[s], 0));
	alive(__LINE__);
	for (r = 0; r < ARRAY_SIZE(rips); r++)
		for (f = 0; f < ARRAY_SIZE(flags); f++) {
			CATCH(iret_to(rips[r], 0xe033, flags[f], 0x800000000000, 0xe02b, 0));
			CATCH(iret_to(rips[r], 0xe033, flags[f], STACK, 0xe02b, VGCF_in_syscall));
			CATCH(iret_to(rips[r], RING3_CS32, flags[f], ~0ul, 0xe02b, 0));
		}
	alive(__LINE__);
}

/*
 * By far return, from the guest's kernel: what the descriptor tables of the hypervisor let through. On a stack below
 * 4 GiB, of which no half is lost in a segment of 32 bits.
 */
static void far_returns(void)
{
	unsigned int c;

	for (c = 0; c < ARRAY_SIZE(selectors); c++)
		CATCH(__asm__ volatile("mov %2, %%rsp; push %0; push %1; lretq"
				       : : "r"((uint64_t)selectors[c]), "r"(UD2), "r"(STACK) : "memory"));
	for (c = 0; c < 0x10000; c += 8) {
		uint32_t a = 0, sel = c;

		__asm__ volatile("lar %1, %0; lsl %1, %0; verr %w1; verw %w1" : "+r"(a) : "r"(sel) : "cc");
	}
	alive(__LINE__);
}

#define FAR (LOW + 3072)
#define DIRECTMAP 0xffff840000000000ul
static uint64_t frame[512] page_aligned; /* the stack, as a page of ours; user_stack[0] and [1] are a far pointer */

static const struct { const char *what; uint8_t code[12]; bool writes; } far_transfers[] = {
	{ "lretq", { 0x48, 0xcb }, false },
	{ "lretq $8", { 0x48, 0xca, 8, 0 }, false },
	{ "iretq", { 0x48, 0xcf }, false },
	{ "lcall", { 0x48, 0xff, 0x1c, 0x25, 0x00, 0x10, 0x40, 0x00 }, true },
};

static void make_far(unsigned int i, uint16_t sel)
{
	EXPECT(map_page(code, va_to_ma(code) | PTE_RW), 0);
	memcpy(code + 3072, far_transfers[i].code, sizeof(far_transfers[i].code));
	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	memset(frame, 0, sizeof(frame));
	frame[256] = user_stack[0] = UD2;
	frame[257] = user_stack[1] = sel;
	frame[258] = 0x202;
	frame[259] = STACK;
	frame[260] = 0xe02b;
}

/*
 * Far transfers of a process. On its own stack they work. The hypervisor's memory is nobody's stack: nothing is read
 * there, nothing is written, and no error code tells what could be a selector.
 */
static void far_stacks(void)
{
	static const uint16_t sels[] = { 0xe033, 0x1234, 0x1237, 0xf00b, 0xf043, 0 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(far_transfers); i++) {
		const char *what = far_transfers[i].what;

		make_far(i, 0xe033);
		memcpy(&user_stack[256], &frame[256], 5 * 8);
		CATCH(iret_to(FAR, 0xe033, 0x202, STACK, 0xe02b, 0));
		CHECK(caught.vector == 6 && caught.rip == UD2, "%s: trap %d at %#lx, cr2 %#lx", what, caught.vector, caught.rip,
		      caught.cr2);
		if (far_transfers[i].writes)
			CHECK(user_stack[254] == FAR + 8 && user_stack[255] == 0xe033 && caught.regs.rsp == STACK - 16,
			      "%s: %#lx %#lx pushed, rsp %#lx", what, user_stack[254], user_stack[255], caught.regs.rsp);
		for (k = 0; k < ARRAY_SIZE(sels); k++) {
			make_far(i, sels[k]);
			CATCH(iret_to(FAR, 0xe033, 0x202, DIRECTMAP + va_to_ma(&frame[256]), 0xe02b, 0));
			CHECK(caught.vector == 13 || caught.vector == 14, "%s: trap %d", what, caught.vector);
			CHECK(caught.rip == FAR, "%s: by way of the hypervisor's memory it got to %#lx", what, caught.rip);
			CHECK(caught.vector != 13 || far_transfers[i].writes || caught.error_code == 0,
			      "%s: error code %#lx, where the hypervisor's memory has %#x", what, caught.error_code, sels[k]);
			CHECK(!frame[254] && !frame[255], "%s: wrote to the hypervisor's memory", what);
		}
	}
	alive(__LINE__);
}

static void segment_registers(void)
{
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(selectors); i++)
		for (k = 0; k < 5; k++) {
			uint32_t sel = selectors[i];

			CATCH(switch (k) {
			case 0: __asm__ volatile("mov %0, %%ds" : : "r"(sel)); break;
			case 1: __asm__ volatile("mov %0, %%es" : : "r"(sel)); break;
			case 2: __asm__ volatile("mov %0, %%fs" : : "r"(sel)); break;
			case 3: __asm__ volatile("mov %0, %%gs" : : "r"(sel)); break;
			default: __asm__ volatile("mov %0, %%ss; nop" : : "r"(sel)); break;
			});
			hc_set_segment_base(SEGBASE_GS_USER_SEL, sel);
			hc_sched_op(SCHEDOP_yield, NULL);
			alive(__LINE__);
		}
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs; mov %1, %%ss"
			 : : "r"(0), "r"(FLAT_KERNEL_SS));
}

static void every_vector(void)
{
	static uint8_t *const at = code + 2048 + 16;
	unsigned int n;

	for (n = 0; n < 256; n++) {
		EXPECT(map_page(code, va_to_ma(code) | PTE_RW), 0);
		at[0] = 0xcd;
		at[1] = (uint8_t)n;
		at[2] = 0x0f;
		at[3] = 0x0b;
		EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
		CATCH(((void (*)(void))(uint64_t)at)());
		CHECK(caught.vector != NO_TRAP, "int %u: no trap", n);
		CATCH(iret_to(LOW + 2048 + 16, 0xe033, 0x202, STACK, 0xe02b, 0));
		CHECK(caught.vector != NO_TRAP, "int %u of user mode: no trap", n);
	}
	alive(__LINE__);
}

/* A #DB that waits for the instruction after mov ss, which is a way in. */
static void delayed_debug(void)
{
	watched[0] = FLAT_KERNEL_SS;
	EXPECT(hc_set_debugreg(0, (uint64_t)&watched[0]), 0);
	EXPECT(hc_set_debugreg(7, DR7_RW_8(0)), 0);
	CATCH(__asm__ volatile("mov %0, %%ss; int3" : : "m"(watched[0])));
	CATCH(__asm__ volatile("mov %0, %%ss; int $0x80" : : "m"(watched[0])));
	CATCH(__asm__ volatile("mov %0, %%ss; .byte 0xf1" : : "m"(watched[0])));
	CATCH(__asm__ volatile("mov %0, %%ss; ud2" : : "m"(watched[0])));
	CATCH(__asm__ volatile("mov %0, %%ss; syscall" : : "m"(watched[0]), "a"(__HYPERVISOR_xen_version),
			       "D"(XENVER_pagesize) : "rcx", "r11", "memory"));
	/* With a frame: an emulated mov may have no #DB. */
	CATCH(__asm__ volatile("pushq $0xe02b; push %1; pushq $0x202; pushq $0xe033; push %2; pushq $0; pushq $0; pushq $0; pushq $0\n\t"
			       "mov %0, %%ss; syscall"
			       : : "m"(watched[0]), "r"(STACK), "r"(UD2), "a"(__HYPERVISOR_iret) : "rcx", "r11", "memory"));
	EXPECT(hc_set_debugreg(7, 0), 0);
	alive(__LINE__);
}

/* Breakpoints on what the hypervisor reads and writes for the guest. */
static void watched_copies(void)
{
	struct xen_feature_info fi = { .submap_idx = 0 };
	volatile uint64_t *top = kernel_stack + 512 - 7;

	EXPECT(hc_set_debugreg(0, (uint64_t)&fi & ~7ul), 0);
	EXPECT(hc_set_debugreg(1, (uint64_t)top), 0);
	EXPECT(hc_set_debugreg(2, (uint64_t)&watched[1]), 0);
	EXPECT(hc_set_debugreg(3, HV_END), 0);
	EXPECT(hc_set_debugreg(7, DR7_RW_8(0) | DR7_WRITE_8(1) | DR7_WRITE_8(2) | DR7_RW_8(3)), 0);
	CATCH(hc_version(XENVER_get_features, &fi));
	CATCH(iret_to(LOW, 0xe033, 0x202, STACK, 0xe02b, 0));
	CATCH(hc_sched_op(SCHEDOP_yield, NULL));
	CATCH(iret_to(LOW + 2 * 16, 0xe033, 0x302, STACK, 0xe02b, 0));
	EXPECT(hc_set_debugreg(7, 0), 0);
	EXPECT_ERROR(hc_set_debugreg(3, HV_END - 8));
	EXPECT_ERROR(hc_set_debugreg(3, HV_START - 8));
	EXPECT_ERROR(hc_set_debugreg(3, 0x0000800000000000));
	alive(__LINE__);
}

/* Single-stepping over the ways in, of the kernel. */
static void stepped(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		uint64_t flags = i & 1 ? 0x346 : 0x4346 | 1ul << 18 | 1ul << 21;

		CATCH(__asm__ volatile("push %0; popf; syscall; nop; nop"
				       : : "r"(flags), "a"(__HYPERVISOR_xen_version), "D"(XENVER_pagesize)
				       : "rcx", "r11", "memory", "cc"));
		CATCH(__asm__ volatile("push %0; popf; int3; nop" : : "r"(flags) : "memory", "cc"));
		CATCH(__asm__ volatile("push %0; popf; mov %%cr0, %%rax; nop" : : "r"(flags) : "rax", "memory", "cc"));
		__asm__ volatile("pushq $0x202; popf" : : : "memory", "cc");
		alive(__LINE__);
	}
}

static void bases(void)
{
	static const uint64_t bad[] = { 0x800000000000, 0xffff7fffffffffff, 1ul << 63 };
	unsigned int i, which;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (which = 0; which < 3; which++)
			EXPECT_ERROR(hc_set_segment_base(which, bad[i]));
	/* The hypervisor's addresses are harmless as a base. */
	EXPECT(hc_set_segment_base(SEGBASE_GS_KERNEL, HV_START), 0);
	EXPECT_TRAP(14, __asm__ volatile("mov %%gs:0x30000000000, %%rax" : : : "rax"));
	EXPECT(hc_set_segment_base(SEGBASE_GS_KERNEL, 0), 0);
}

void test_main(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(snippets); i++)
		memcpy(code + i * 16, snippets[i], 16);
	map_low();
	EXPECT(hc_stack_switch(FLAT_KERNEL_SS, kernel_stack + 512), 0);
	EXPECT(ext(MMUEXT_NEW_USER_BASEPTR, l4_mfn()), 0);
	user_snippets();
	bad_irets();
	far_returns();
	far_stacks();
	segment_registers();
	every_vector();
	delayed_debug();
	watched_copies();
	stepped();
	bases();
}
