/* SPDX-License-Identifier: MIT */
/* Exceptions, software interrupts and privileged instructions of a guest kernel. */
#include "guest.h"

const char test_name[] = "traps";

static uint64_t user_stack[512] page_aligned;

static void rdmsr(uint32_t msr, uint64_t *val)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	*val = (uint64_t)hi << 32 | lo;
}

static void wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

/* In ring 0 it would switch SMAP off; the hypervisor's debug build looks whether it does. */
static void set_ac(bool on)
{
	uint64_t flags;

	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	flags = on ? flags | 1UL << 18 : flags & ~(1UL << 18);
	__asm__ volatile("pushq %0; popfq" : : "r"(flags) : "cc");
}

static void exceptions(void)
{
	uint64_t x = 0;

	set_ac(true);
	EXPECT_TRAP(3, __asm__ volatile("int3"));
	set_ac(false);

	EXPECT_TRAP(6, __asm__ volatile("ud2"));
	EXPECT_TRAP(0, __asm__ volatile("xor %%edx, %%edx; divl %0" : "+m"(x) : "a"(1) : "edx"));
	EXPECT_TRAP(3, __asm__ volatile("int3"));
	EXPECT_TRAP(13, (void)READ_ONCE(*(uint64_t *)0x8000000000000000));
	CHECK(caught.error_code == 0, "#GP error %#lx", caught.error_code);
	EXPECT_TRAP(14, (void)READ_ONCE(*(uint64_t *)0x123456789000));
	CHECK(caught.cr2 == 0x123456789000, "cr2 %#lx", caught.cr2);
	CHECK(!(caught.error_code & 1), "#PF error %#lx", caught.error_code);
	EXPECT_TRAP(14, WRITE_ONCE(*(uint64_t *)0x123456789008, 1));
	CHECK((caught.error_code & 3) == 2, "#PF error %#lx", caught.error_code);
	CHECK((caught.cs & 3) == 0, "the kernel's frame has cs %#lx", caught.cs);
}

static void software_interrupts(void)
{
	EXPECT_TRAP(0x41, __asm__ volatile("int $0x41"));              /* DPL 1: the kernel may */
	EXPECT_TRAP(13, __asm__ volatile("int $0x42"));                /* DPL 0: nobody may */
	CHECK(caught.error_code == (0x42 << 3 | 2), "int 0x42: error %#lx", caught.error_code);
	EXPECT_TRAP(13, __asm__ volatile("int $0x80"));
	CHECK(caught.error_code == (0x80 << 3 | 2), "int 0x80: error %#lx", caught.error_code);
	trap_setup(3);
	EXPECT_TRAP(0x80, __asm__ volatile("int $0x80"));
	trap_setup(0);
}

/* Under TCG each iteration of a string instruction costs the same: nothing says that bytes are fast. Nor of what makes Linux fault. */
static void cpuid_slow(void)
{
	uint32_t a = 0x40000000, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (b != 0x54474354) /* "TCGT" */
		return;
	a = 7;
	c = 0;
	CATCH(__asm__ volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d)));
	CHECK(caught.vector == NO_TRAP, "cpuid 7 with the prefix: trap %d", caught.vector);
	CHECK(!(b & 1u << 9) && !(d & 1u << 4), "ERMS or FSRM under TCG: %#x %#x", b, d);
	/* The instructions work all the same, for whom CPUID told of them on another machine (control-bits). */
	CHECK(!(b & 1), "FSGSBASE under TCG: %#x", b);
	CHECK(b & 1u << 3, "no BMI1 in %#x", b); /* the leaf is there at all */
}

static void cpuid(void)
{
	uint32_t a, b, c, d;

	a = 0x40000000;
	c = 0;
	CATCH(__asm__ volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d)));
	CHECK(caught.vector == NO_TRAP, "cpuid with the prefix: trap %d", caught.vector);
	CHECK(b == 0x566e6558 && c == 0x65584d4d && d == 0x4d4d566e, "cpuid signature %#x %#x %#x", b, c, d);
	a = 1;
	c = 0;
	CATCH(__asm__ volatile(XEN_CPUID : "+a"(a), "=b"(b), "+c"(c), "=d"(d)));
	CHECK(c >> 31, "the hypervisor bit is not set");
	CHECK(!(c & 1u << 5), "VMX is offered");
	EXPECT_TRAP(6, __asm__ volatile(".byte 0x0f,0x0b,0x78,0x65,0x6f; nop"));
}

static void msrs(void)
{
	static const uint32_t hostile[] = { 0x1b, 0x174, 0x176, 0x277, 0x1d9, 0xc0000080, 0xc0000081, 0xc0000082,
					    0xc0000084, 0x12345678, 0xc0010117, 0x830 };
	uint64_t v = 0, lstar = 0;
	unsigned int i;

	CATCH(rdmsr(0xc0000082, &lstar));
	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		CATCH(rdmsr(hostile[i], &v));
		CATCH(wrmsr(hostile[i], 0xffff800000001000));
	}
	EXPECT(hc_version(XENVER_pagesize, NULL), 4096); /* syscall still goes where it went */
	EXPECT_TRAP(13, wrmsr(0xc0000100, 0x8000000000000000));
	EXPECT_TRAP(13, wrmsr(0xc0000101, 0x0000900000000000));
	CATCH(wrmsr(0xc0000100, 0x1234000));
	CHECK(caught.vector == NO_TRAP, "wrmsr FS_BASE: trap %d", caught.vector);
	CATCH(rdmsr(0xc0000100, &v));
	CHECK(v == 0x1234000, "FS_BASE reads %#lx", v);
	EXPECT(hc_set_segment_base(SEGBASE_FS, 0), 0);
	EXPECT_ERROR(hc_set_segment_base(SEGBASE_FS, 0x8000000000000000));
	EXPECT_ERROR(hc_set_segment_base(99, 0));
}

static void privileged(void)
{
	uint64_t r = 0;

	EXPECT_TRAP(13, __asm__ volatile("mov %0, %%cr8" : : "r"(r)));
	/* Emulated or refused: both are right. */
	CATCH(__asm__ volatile("lmsw %w0" : : "r"(0)));
	CATCH(__asm__ volatile("invlpg (%0)" : : "r"(&r)));
	CATCH(__asm__ volatile("invlpg (%0)" : : "r"(HV_START)));
	EXPECT_TRAP(13, __asm__ volatile("swapgs"));
	CATCH(__asm__ volatile("mov %%cr0, %0" : "=r"(r)));
	CHECK(caught.vector == NO_TRAP && (r & 0x80000001) == 0x80000001, "cr0 %#lx trap %d", r, caught.vector);
	CATCH(__asm__ volatile("mov %%cr3, %0" : "=r"(r)));
	CHECK(caught.vector == NO_TRAP && r >> 12 == l4_mfn(), "cr3 %#lx trap %d", r, caught.vector);
	CATCH(__asm__ volatile("mov %%cr4, %0" : "=r"(r)));
	CHECK(caught.vector == NO_TRAP && (r & 0x20), "cr4 %#lx trap %d", r, caught.vector);
	CATCH(__asm__ volatile("mov %0, %%cr4" : : "r"(r & ~0x20ul)));  /* no PAE: refused or not heeded */
	CATCH(__asm__ volatile("mov %0, %%cr0" : : "r"(0ul)));          /* no paging: the same */
	EXPECT_TRAP(13, __asm__ volatile("mov %0, %%cr3" : : "r"(0xdeadul << 24)));
	CATCH(__asm__ volatile("cli; sti"));
}

static void ports(void)
{
	static const uint16_t list[] = { 0x20, 0x21, 0x40, 0x60, 0x64, 0x70, 0x71, 0x80, 0xf4, 0x3f8, 0x501, 0x604,
					 0xb2, 0xcf8, 0xcf9, 0xcfc };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		uint32_t v = 0;

		CATCH(__asm__ volatile("inb %w1, %b0" : "=a"(v) : "d"(list[i])));
		CATCH(__asm__ volatile("outb %b0, %w1" : : "a"(0x6), "d"(list[i])));
		CATCH(__asm__ volatile("outl %0, %w1" : : "a"(0x2000), "d"(list[i])));
	}
	CATCH(__asm__ volatile("rep insb" : : "d"(0x60), "D"(HV_START), "c"(16) : "memory"));
	CATCH(__asm__ volatile("rep outsb" : : "d"(0x60), "S"(HV_START), "c"(16) : "memory"));
}

static void user_mode(void)
{
	static uint8_t code[64] page_aligned = { 0x0f, 0x05, 0x0f, 0x0b }; /* syscall; ud2 */
	struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = l4_mfn() };

	EXPECT(hc_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
	EXPECT(map_page(code, va_to_ma(code) | PTE_RO), 0);
	CATCH(enter_user((uint64_t)code, (uint64_t)(user_stack + 512)));
	CHECK(caught.vector == VEC_SYSCALL, "syscall of user mode: trap %d", caught.vector);
	CHECK((caught.cs & 3) == 3, "the user's frame has cs %#lx", caught.cs);
	CATCH(enter_user((uint64_t)code + 2, (uint64_t)(user_stack + 512)));
	CHECK(caught.vector == 6 && (caught.cs & 3) == 3, "ud2 of user mode: trap %d cs %#lx", caught.vector, caught.cs);
	CATCH(enter_user(HV_START, (uint64_t)(user_stack + 512)));
	CHECK(caught.vector == 14 || caught.vector == 13, "user mode in the hypervisor: trap %d", caught.vector);
	CATCH(enter_user(0x8000000000000000, (uint64_t)(user_stack + 512)));
	CHECK(caught.vector == 13 || caught.vector == 14 || caught.vector == VEC_FAILSAFE,
	      "user mode at no address: trap %d", caught.vector);
}

static void debug_registers(void)
{
	EXPECT(hc_set_debugreg(0, 0x1000), 0);
	EXPECT(hc_get_debugreg(0), 0x1000);
	EXPECT_ERROR(hc_set_debugreg(0, HV_START));
	EXPECT_ERROR(hc_set_debugreg(8, 0));
	EXPECT_ERROR(hc_set_debugreg(7, 0xffffffff00000000));
	EXPECT_ERROR(hc_set_debugreg(7, 0x2000)); /* general detect */
	EXPECT(hc_set_debugreg(7, 0), 0);
	EXPECT(hc_set_debugreg(0, 0), 0);
}

void test_main(void)
{
	exceptions();
	software_interrupts();
	cpuid();
	cpuid_slow();
	msrs();
	privileged();
	ports();
	debug_registers();
	user_mode();
}
