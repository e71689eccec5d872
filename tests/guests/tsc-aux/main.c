/* SPDX-License-Identifier: MIT */
/* TSC_AUX is a vCPU's own. On one physical CPU (cpus="0") each sees what it wrote itself. */
#include "guest.h"

const char test_name[] = "tsc-aux";

#define MSR_TSC_AUX 0xc0000103u
#define OURS 0x77u
#define ROUNDS 300u

static volatile uint32_t other = ~0u;
static volatile bool foreign;
static volatile unsigned int looked;

static uint32_t read_aux(void)
{
	uint32_t a, d, c;

	__asm__ volatile("rdtscp" : "=a"(a), "=d"(d), "=c"(c));
	return c;
}

void secondary_main(uint64_t arg)
{
	while (!secondary_stop) {
		uint32_t aux = read_aux();

		if (aux != 0) {
			other = aux;
			foreign = true;
		}
		looked++;
		hc_sched_op(SCHEDOP_yield, NULL);
	}
	secondary_end();
}

static void write_aux(uint32_t val)
{
	__asm__ volatile("wrmsr" : : "c"(MSR_TSC_AUX), "a"(val), "d"(0));
}

void test_main(void)
{
	unsigned int i;
	long ret;

	CATCH((void)read_aux());
	if (caught.vector != NO_TRAP) {
		test_skip("no rdtscp");
		return;
	}
	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	for (i = 0; i < ROUNDS; i++) {
		uint32_t val = i & 1 ? OURS : 0, seen = looked;

		CATCH(write_aux(val));
		CHECK(caught.vector == NO_TRAP, "wrmsr TSC_AUX: trap %d", caught.vector);
		while (looked == seen)
			hc_sched_op(SCHEDOP_yield, NULL);
		CHECK(read_aux() == val, "wrote %#x, read %#x", val, read_aux());
	}
	stop_secondary();
	CHECK(!foreign, "the other vCPU sees %#x, and never wrote it", other);
}
