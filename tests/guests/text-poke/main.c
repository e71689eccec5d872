/* SPDX-License-Identifier: MIT */
/*
 * A kernel changes its code while another vCPU runs it, as kernels do: INT3 first, then the rest, then the first byte,
 * each once the others have seen the one before. Who hits the INT3 tries again. Once all is there, it is found to be
 * there: a CPU that goes on with the INT3, which memory has no more, would do so for good.
 */
#include "guest.h"

const char test_name[] = "text-poke";

#define CYCLES (8ul << 30) /* at most */
#define INT3 0xcc
#define TRAP_INT3 3
#define SEEN 3u            /* calls that began after a change: then it was seen */
#define STALE 200000u      /* calls in vain */

/* nopl 0(%rax,%rax); mov $1, %eax; ret; and what a jump goes to: mov $2, %eax; ret */
static uint8_t code[64] page_aligned = { 0x0f, 0x1f, 0x44, 0, 0, 0xb8, 1, 0, 0, 0, 0xc3, 0xb8, 2, 0, 0, 0, 0xc3 };
static const uint8_t nop[5] = { 0x0f, 0x1f, 0x44, 0, 0 }, jump[5] = { 0xe9, 6, 0, 0, 0 };
static volatile unsigned int calls, last; /* last: what the call gave; 0: it was the INT3 */
static volatile unsigned long traps;

static unsigned int call(void)
{
	unsigned int ret;

	__asm__ volatile("call *%1" : "=a"(ret) : "r"(code) : "memory", "cc");
	return ret;
}

void secondary_main(uint64_t arg)
{
	volatile unsigned int got;

	while (!secondary_stop) {
		got = 0;
		CATCH(got = call());
		if (caught.vector == TRAP_INT3)
			traps++;
		last = got;
		calls++;
	}
	secondary_end();
}

/* The other one has begun anew since. */
static void seen(void)
{
	unsigned int from = calls, spins = 0;

	while (calls - from < SEEN)
		spin_or_nap(&spins);
}

static void poke(const uint8_t *what)
{
	unsigned int i;

	WRITE_ONCE(code[0], INT3);
	seen();
	for (i = 1; i < 5; i++)
		WRITE_ONCE(code[i], what[i]);
	seen();
	WRITE_ONCE(code[0], what[0]);
}

static bool is_there(unsigned int want)
{
	unsigned int from = calls, spins = 0;

	while (calls - from < SEEN || last != want) {
		if (calls - from > STALE)
			return false;
		spin_or_nap(&spins);
	}
	return true;
}

void test_main(void)
{
	uint64_t start = __builtin_ia32_rdtsc();
	unsigned int rounds;
	long ret = start_secondary(0);

	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	for (rounds = 0; __builtin_ia32_rdtsc() - start < CYCLES; rounds++) {
		bool jumps = rounds % 2 == 0;

		poke(jumps ? jump : nop);
		if (!is_there(jumps ? 2 : 1)) {
			test_failed("change %u: the other vCPU still finds %u, memory has 0x%x", rounds, last, READ_ONCE(code[0]));
			break;
		}
	}
	stop_secondary();
	printk("%u changes, %lu times an INT3\n", rounds, traps);
	CHECK(traps > 0, "nobody ever found the INT3");
}
