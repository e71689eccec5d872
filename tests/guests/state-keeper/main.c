/* SPDX-License-Identifier: MIT */
/*
 * Keeps something in every register that a vCPU is saved with, and looks all the time whether it is still there:
 * AVX, x87 and SSE control, TSC_AUX, debug registers, segment bases. Its clock must not go backwards, nor its
 * time of day jump. With "long" on the command line it does so for two minutes of its own time.
 */
#include "guest.h"

const char test_name[] = "state-keeper";

#define CR4_OSXSAVE (1ul << 18)
#define MSR_TSC_AUX 0xc0000103u
#define MSR_FS_BASE 0xc0000100u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define AUX 0x5aul
#define NS 1000000000ull
#define WALL_SLACK (100 * NS)
#define LONG_NS (120 * NS)
#define SHORT_ROUNDS 20000u

static bool avx, rdtscp;
static uint8_t pattern[16][32] __attribute__((aligned(32))), found[16][32] __attribute__((aligned(32)));
static uint64_t watched[8];

static uint64_t system_time(void)
{
	const struct vcpu_time_info *t = &shared.info.vcpu_info[0].time;
	uint64_t delta, ret;
	uint32_t version;

	do {
		version = READ_ONCE(t->version) & ~1u;
		barrier();
		delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;
		delta = t->tsc_shift >= 0 ? delta << t->tsc_shift : delta >> -t->tsc_shift;
		ret = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while (READ_ONCE(t->version) != version);
	return ret;
}

static uint64_t wall_at_zero(void)
{
	const struct shared_info *si = &shared.info;
	uint64_t ret;
	uint32_t version;

	do {
		version = READ_ONCE(si->wc_version) & ~1u;
		barrier();
		ret = ((uint64_t)si->wc_sec_hi << 32 | si->wc_sec) * NS + si->wc_nsec;
		barrier();
	} while (READ_ONCE(si->wc_version) != version);
	return ret;
}

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	/* The prefix that asks the hypervisor, whether the CPU would fault or not. */
	__asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static void write_msr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)));
}

static uint64_t read_msr(uint32_t msr)
{
	uint32_t a, d;

	__asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(msr));
	return a | (uint64_t)d << 32;
}

static void set_up(void)
{
	uint32_t r[4];
	unsigned int i, k;

	cpuid(1, r);
	avx = (r[2] >> 26 & 1) && (r[2] >> 28 & 1);
	cpuid(0x80000001u, r);
	rdtscp = r[3] >> 27 & 1;
	for (i = 0; i < 16; i++)
		for (k = 0; k < 32; k++)
			pattern[i][k] = (uint8_t)(i * 32 + k + 1);
	if (avx) {
		uint64_t cr4;

		__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSXSAVE));
		__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	}
	if (rdtscp)
		write_msr(MSR_TSC_AUX, AUX);
	write_msr(MSR_FS_BASE, (uint64_t)watched);
	write_msr(MSR_KERNEL_GS_BASE, (uint64_t)pattern);
	/* A write watchpoint on a word that nobody writes. */
	EXPECT(hc_set_debugreg(0, &watched[3]), 0);
	EXPECT(hc_set_debugreg(7, 0x90001), 0);
}

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_YMM(n) "vmovdqa 32*" #n "(%0), %%ymm" #n "\n"
#define STORE_YMM(n) "vmovdqa %%ymm" #n ", 32*" #n "(%1)\n"
#define LOAD_XMM(n) "movdqa 32*" #n "(%0), %%xmm" #n "\n"
#define STORE_XMM(n) "movdqa %%xmm" #n ", 32*" #n "(%1)\n"
/* Between the two nothing may touch them, so this waits in here. */
#define SPIN "mov $20000, %%ecx\n1: pause\ndec %%ecx\njnz 1b\n"

static void hold_vectors(void)
{
	memset(found, 0, sizeof(found));
	if (avx)
		__asm__ volatile(EACH(LOAD_YMM) SPIN EACH(STORE_YMM) : : "r"(pattern), "r"(found) : "ecx", "memory");
	else
		__asm__ volatile(EACH(LOAD_XMM) SPIN EACH(STORE_XMM) : : "r"(pattern), "r"(found) : "ecx", "memory");
}

static void check_vectors(void)
{
	unsigned int i, bytes = avx ? 32 : 16;

	for (i = 0; i < 16; i++)
		CHECK(!memcmp(found[i], pattern[i], bytes), "vector register %u is not what it was: %x %x", i, found[i][0],
		      found[i][bytes - 1]);
}

static void check_control(uint16_t fcw, uint32_t mxcsr)
{
	uint16_t cw;
	uint32_t csr;

	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(cw), "=m"(csr));
	CHECK(cw == fcw, "x87 control word %#x, was %#x", cw, fcw);
	CHECK((csr & ~0x3fu) == (mxcsr & ~0x3fu), "MXCSR %#x, was %#x", csr, mxcsr);
}

static void check_rest(void)
{
	uint32_t a, d, c = AUX;

	if (rdtscp)
		__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	CHECK(c == AUX, "TSC_AUX is %#x", c);
	CHECK(read_msr(MSR_FS_BASE) == (uint64_t)watched, "FS base %lx", read_msr(MSR_FS_BASE));
	CHECK(read_msr(MSR_KERNEL_GS_BASE) == (uint64_t)pattern, "the user's GS base %lx", read_msr(MSR_KERNEL_GS_BASE));
	EXPECT(hc_get_debugreg(0), (long)&watched[3]);
	EXPECT(hc_get_debugreg(7), 0x90401);
}

void test_main(void)
{
	bool is_long = strncmp((const char *)start_info->cmd_line, "long", 4) == 0;
	uint64_t start = system_time(), last = start, wall = wall_at_zero() + start, now, t;
	uint16_t fcw = 0x27f;
	uint32_t mxcsr = 0x3f80;
	unsigned int round;

	set_up();
	__asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(fcw), "m"(mxcsr));
	printk("holding\n");
	for (round = 0; is_long ? last - start < LONG_NS : round < SHORT_ROUNDS / 100; round++) {
		hold_vectors();
		check_vectors();
		check_control(fcw, mxcsr);
		check_rest();
		now = system_time();
		CHECK(now >= last, "system time %lu after %lu", now, last);
		t = wall_at_zero() + now;
		CHECK(t - wall + WALL_SLACK < 2 * WALL_SLACK, "the time of day went from %lu to %lu", wall, t);
		last = now;
		wall = t;
	}
}
