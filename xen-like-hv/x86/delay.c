/* SPDX-License-Identifier: MIT */
/*
 * How long to wait, and how often. Most points pass at once. For a few
 * milliseconds some places, chosen by their address, are hot: they wait often and
 * long, so that one window at a time is wide while all around it is quick;
 * everywhere short waits are frequent and long ones rare.
 */
#include "lib/types.h"

#ifdef HV_DELAYS
#include "lib/cmdline.h"
#include "x86/cpu_info.h"
#include "x86/printk.h"
#include "x86/processor.h"

#define STREAMS 64u
#define LONG_POINT_US 30000u
#define TICKS_PER_US 2500u /* near enough for any machine */
#define EPOCH_SHIFT 26     /* of the TSC: some 26 ms */

/* One for each stack: a CPU has its own but for the rare one that shares it, which harms nobody. */
static uint64_t stream[STREAMS];
static uint64_t seed;
static unsigned int scale; /* percent; 0: off */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

void hv_delay_init(void)
{
	seed = cmdline_u64("delays", rdtsc() & 0xffffff);
	for (unsigned int i = 0; i < STREAMS; i++)
		stream[i] = mix(seed + i) | 1;
	printk("delays: seed %lu\n", seed);
	scale = seed ? (unsigned int)cmdline_u64("delay_scale", 100) : 0;
}

void hv_delay_stop(void) { scale = 0; }

static uint64_t next_random(void)
{
	uint64_t *s = &stream[(uint64_t)__builtin_frame_address(0) / STACK_SIZE % STREAMS], x = *s;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*s = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static void spin(uint64_t ticks)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < ticks)
		;
}

/* Up to max_us, short ones more often than long ones. */
static void spin_random(uint64_t r, unsigned int max_us)
{
	spin(((r & 0xffffff) * TICKS_PER_US * max_us >> 24) >> (r >> 24 & 3));
}

static bool hot(uint64_t site, unsigned int one_in)
{
	return mix(site ^ seed << 32 ^ rdtsc() >> EPOCH_SHIFT) % one_in == 0;
}

enum kind { ANY_ACCESS, MARKED, MARKED_LONG };

static void delay_at(uint64_t site, enum kind kind)
{
	unsigned int percent = scale, any, pick;
	uint64_t r;

	if (!percent)
		return;
	r = next_random();
	any = (unsigned int)(r >> 32) % 65536;
	pick = any * 100 / percent;
	r = mix(r);
	/* Whatever the scale: few places, and the other side comes by as rarely in any case. */
	if (kind == MARKED_LONG && any < 512)
		spin_random(r, LONG_POINT_US);
	else if (pick < 2)
		spin_random(r, 1000);
	else if (pick < 64)
		spin_random(r, 50);
	else if (pick < 32768 && hot(site, kind ? 4 : 32))
		spin_random(r, kind ? 500 : 200);
	else if (pick & 1)
		spin(r % 256);
}

void hv_delay(void)
{
	delay_at((uint64_t)__builtin_return_address(0), ANY_ACCESS);
}

void hv_delay_marked(void)
{
	delay_at((uint64_t)__builtin_return_address(0), MARKED);
}

void hv_delay_long(void)
{
	delay_at((uint64_t)__builtin_return_address(0), MARKED_LONG);
}
#endif
