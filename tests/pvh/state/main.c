/* SPDX-License-Identifier: MIT */
/*
 * Keeps something in every register that belongs to a vCPU, on two of them, and looks all the time whether it is still
 * there, while others run on the same CPU. First of all, what is there at the start is nobody else's.
 */
#include "pvh.h"

const char test_name[] = "pvh-state";

#define ROUNDS 400u
#define NR_MSRS 8u

struct keep {
	uint8_t pattern[16][32] __attribute__((aligned(32))), found[16][32] __attribute__((aligned(32)));
	uint64_t msr[NR_MSRS], dr[4], rounds;
	uint32_t aux;
	volatile bool done;
};
static struct keep keep[2];
static bool avx;

static const uint32_t msrs[NR_MSRS] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0x174, 0x175, 0x176 };

#define READ_DR(n, v) __asm__ volatile("mov %%dr" #n ", %0" : "=r"(v))
#define WRITE_DR(n, v) __asm__ volatile("mov %0, %%dr" #n :: "r"((uint64_t)(v)))

static void check_fresh(void)
{
	static uint8_t regs[16][16] __attribute__((aligned(16)));
	uint64_t dr[4], dr7;
	uint32_t lo, hi, mxcsr;
	uint16_t fcw;

#define STORE_FIRST(n) "movaps %%xmm" #n ", 16*" #n "(%0)\n"
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
	__asm__ volatile(EACH(STORE_FIRST) :: "r"(regs) : "memory");
	for (unsigned int i = 0; i < sizeof(regs); i++)
		CHECK(((uint8_t *)regs)[i] == 0, "xmm%u is not 0 at the start", i / 16);
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(fcw), "=m"(mxcsr));
	CHECK(fcw == 0x37f && mxcsr == 0x1f80, "x87 %#x MXCSR %#x at the start", fcw, mxcsr);
	READ_DR(0, dr[0]);
	READ_DR(1, dr[1]);
	READ_DR(2, dr[2]);
	READ_DR(3, dr[3]);
	READ_DR(7, dr7);
	CHECK(!(dr[0] | dr[1] | dr[2] | dr[3]) && dr7 == 0x400, "debug registers %lx %lx %lx %lx %lx", dr[0], dr[1], dr[2], dr[3], dr7);
	for (unsigned int i = 0; i < NR_MSRS; i++)
		CHECK(rdmsr(msrs[i]) == 0, "MSR %x is %lx at the start", msrs[i], rdmsr(msrs[i]));
	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(mxcsr));
	CHECK(mxcsr == 0, "TSC_AUX is %#x at the start", mxcsr);
	CHECK(rdmsr(0x277) == 0x0007040600070406ul, "PAT %lx", rdmsr(0x277));
}

static uint64_t xcr0(void)
{
	uint32_t a, d;

	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a | (uint64_t)d << 32;
}

static void enable_avx(void)
{
	uint64_t cr4;
	uint32_t r[4];

	cpuid(1, 0, r);
	avx = (r[2] >> 26 & 1) && (r[2] >> 28 & 1);
	if (!avx)
		return;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" :: "r"(cr4 | 1ul << 18));
	cpuid(1, 0, r);
	CHECK(r[2] >> 27 & 1, "CPUID does not show OSXSAVE");
	EXPECT_TRAP(13, __asm__ volatile("xsetbv" :: "c"(0), "a"(6), "d"(0)));
	EXPECT_TRAP(13, __asm__ volatile("xsetbv" :: "c"(1), "a"(7), "d"(0)));
	/* What CPUID does not tell is not to be had, or not for long. */
	CATCH(__asm__ volatile("xsetbv" :: "c"(0), "a"(0x207), "d"(0)));
	for (unsigned int i = 0; i < 20000 && xcr0() == 0x207; i++) {
		hc_sched_op(SCHEDOP_yield, NULL);
		cpuid(0xd, 0, r);
	}
	CHECK(!(xcr0() & ~7ul), "XCR0 is %lx", xcr0());
	__asm__ volatile("xsetbv" :: "c"(0), "a"(7), "d"(0));
}

static void set_up(struct keep *k, unsigned int id)
{
	uint64_t cr4;

	for (unsigned int i = 0; i < 512; i++)
		((uint8_t *)k->pattern)[i] = (uint8_t)(i * 7 + id * 101 + 1);
	if (avx) {
		__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
		__asm__ volatile("mov %0, %%cr4" :: "r"(cr4 | 1ul << 18));
		__asm__ volatile("xsetbv" :: "c"(0), "a"(7), "d"(0));
	}
	for (unsigned int i = 0; i < NR_MSRS; i++) {
		k->msr[i] = 0x1000 * (i + 1) + id * 0x10 + (i == 3 || i == 5 ? 0 : 0x40000000);
		wrmsr(msrs[i], k->msr[i]);
	}
	k->aux = 0x77 + id;
	wrmsr(0xc0000103, k->aux);
	wrmsr(0x277, 0x0007040600070406ul ^ (id + 1) * 0);
	for (unsigned int i = 0; i < 4; i++)
		k->dr[i] = (uint64_t)k + 8 * i;
	WRITE_DR(0, k->dr[0]);
	WRITE_DR(1, k->dr[1]);
	WRITE_DR(2, k->dr[2]);
	WRITE_DR(3, k->dr[3]);
}

#define LOAD_YMM(n) "vmovdqa 32*" #n "(%0), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqa %%ymm" #n ", 32*" #n "(%1)\n"
#define LOAD_XMM(n) "movdqa 32*" #n "(%0), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqa %%xmm" #n ", 32*" #n "(%1)\n"
/* Between the two nothing of ours touches them. Each exit is in there, and turns of others. */
#define WAIT "mov $20000, %%r9d\n1: pause\ndec %%r9d\njnz 1b\nmov $29, %%eax\nmov $0, %%edi\nxor %%esi, %%esi\nvmmcall\nxor %%eax, %%eax\nxor %%ecx, %%ecx\ncpuid\n"

static void hold(struct keep *k)
{
	const void *from = k->pattern;
	void *to = k->found;

	memset(to, 0, sizeof(k->found));
	if (avx)
		__asm__ volatile("mov %0, %%r12\nmov %1, %%r13\n" EACH(LOAD_YMM) WAIT "mov %%r13, %1\n" EACH(STORE_YMM)
				 : "+r"(from), "+r"(to) :: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r9", "r12", "r13", "memory");
	else
		__asm__ volatile("mov %0, %%r12\nmov %1, %%r13\n" EACH(LOAD_XMM) WAIT "mov %%r13, %1\n" EACH(STORE_XMM)
				 : "+r"(from), "+r"(to) :: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r9", "r12", "r13", "memory");
}

static void look(const struct keep *k, unsigned int id)
{
	uint64_t dr[4];
	uint32_t a, d, c;

	for (unsigned int i = 0; i < 16; i++)
		CHECK(!memcmp(k->found[i], k->pattern[i], avx ? 32 : 16), "v%u: vector register %u is not what it was", id, i);
	for (unsigned int i = 0; i < NR_MSRS; i++)
		CHECK(rdmsr(msrs[i]) == k->msr[i], "v%u: MSR %x is %lx, was %lx", id, msrs[i], rdmsr(msrs[i]), k->msr[i]);
	READ_DR(0, dr[0]);
	READ_DR(1, dr[1]);
	READ_DR(2, dr[2]);
	READ_DR(3, dr[3]);
	CHECK(!memcmp(dr, k->dr, sizeof(dr)), "v%u: debug registers %lx %lx %lx %lx", id, dr[0], dr[1], dr[2], dr[3]);
	__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	CHECK(c == k->aux, "v%u: TSC_AUX is %#x", id, c);
}

static void run(unsigned int id)
{
	struct keep *k = &keep[id];

	set_up(k, id);
	for (k->rounds = 0; k->rounds < ROUNDS; k->rounds++) {
		hold(k);
		look(k, id);
	}
	k->done = true;
}

static void secondary(void) { run(1); }

static void __attribute__((noinline)) stop_here(void) { __asm__ volatile("nop"); }

/* A breakpoint of the guest's fires, there and nowhere else. A watchpoint does where the CPU is not emulated; hvm/debugreg.c says why. */
static void check_breakpoints(void)
{
	static volatile uint64_t word;
	uint64_t dr6;

	WRITE_DR(0, stop_here);
	WRITE_DR(7, 0x401);
	EXPECT_TRAP(1, stop_here());
	READ_DR(6, dr6);
	CHECK((dr6 & 0xf) == 1, "DR6 is %lx", dr6);
	WRITE_DR(0, &word);
	WRITE_DR(7, 0xd0401); /* 8... 4 bytes, writes */
	CATCH(word = 1);
	READ_DR(7, dr6);
	CHECK(dr6 == 0xd0401, "DR7 is %lx", dr6);
	WRITE_DR(6, 0xffff0ff0);
	READ_DR(6, dr6);
	CHECK(dr6 == 0xffff0ff0, "DR6 is %lx after it was cleared", dr6);
	WRITE_DR(7, 0x400);
	CATCH(word = 2);
	CHECK(caught.vector == NO_TRAP, "a watchpoint that is off fires");
	EXPECT_TRAP(13, WRITE_DR(7, 1ul << 32));
	/* Where the hypervisor's own code is, it must do no harm. */
	for (uint64_t a = 0xffff830000000000; a < 0xffff830000040000; a += 64) {
		WRITE_DR(1, a);
		WRITE_DR(2, a + 16);
		WRITE_DR(3, a + 32);
		WRITE_DR(7, 0x4fc);
		hc_sched_op(SCHEDOP_yield, NULL);
	}
	WRITE_DR(7, 0x400);
}

void test_main(void)
{
	check_fresh();
	check_breakpoints();
	enable_avx();
	on_secondary(secondary);
	run(0);
	for (unsigned int i = 0; !keep[1].done && i < 100000; i++)
		hc_sched_op(SCHEDOP_yield, NULL);
	CHECK(keep[1].done, "the second vCPU did not end: round %lu", keep[1].rounds);
}
