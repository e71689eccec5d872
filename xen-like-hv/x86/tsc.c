/* SPDX-License-Identifier: MIT */
#include "x86/tsc.h"
#include "x86/lapic.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/spinlock.h"

#define PM_TIMER_HZ 3579545u
#define PIT_HZ 1193182u
#define PIT_CH2 0x42
#define PIT_COMMAND 0x43
#define PIT_GATE 0x61
#define WARM_UP_US 500u
#define WINDOW_US 10000u
#define HINTED_WINDOW_US 2000u
#define MIN_KHZ 100000u
#define MAX_KHZ 20000000u

uint32_t tsc_khz;
struct tsc_scale tsc_scale;
static uint64_t tsc_base;
static uint16_t pm_port;

uint64_t tsc_read(void)
{
	return rdtsc();
}

/* The formula of the public vcpu_time_info. */
s_time_t tsc_to_ns(uint64_t tsc)
{
	uint64_t delta = tsc - tsc_base;

	if (tsc_scale.shift >= 0)
		delta <<= tsc_scale.shift;
	else
		delta >>= -tsc_scale.shift;
	return (s_time_t)(uint64_t)(((unsigned __int128)delta * tsc_scale.mul_frac) >> 32);
}

s_time_t NOW(void)
{
	return tsc_to_ns(rdtsc());
}

/* ns = (tsc << shift) * mul_frac / 2^32, mul_frac in [2^31, 2^32) for the best resolution. */
static void set_scale(uint32_t khz)
{
	uint64_t hz = (uint64_t)khz * 1000, ns = 1000000000;
	int8_t shift = 0;

	while (hz > ns * 2) {
		hz >>= 1;
		shift--;
	}
	while (hz <= ns) {
		hz <<= 1;
		shift++;
	}
	/* ns / hz is in [1/2, 1) now. */
	tsc_scale.mul_frac = (uint32_t)((ns << 32) / hz);
	tsc_scale.shift = shift;
	tsc_khz = khz;
}

/* The reference clock, the TSC and the LAPIC's count at one moment. */
struct point {
	uint64_t tsc;
	uint32_t ref, lapic;
};

struct reference {
	uint32_t (*read)(void); /* counts up */
	uint32_t hz, mask;
};

static uint32_t pm_read(void)
{
	return inl(pm_port);
}

static uint32_t pit_read(void)
{
	uint32_t lo;

	outb(PIT_COMMAND, 0x80); /* latch channel 2 */
	lo = inb(PIT_CH2);
	return ~(lo | (uint32_t)inb(PIT_CH2) << 8);
}

static bool pm_timer_works(void)
{
	uint32_t first;

	if (!pm_port)
		return false;
	first = pm_read();
	for (unsigned int i = 0; i < 10000; i++)
		if (pm_read() != first)
			return true;
	return false;
}

static struct reference find_reference(void)
{
	if (pm_timer_works())
		return (struct reference){ pm_read, PM_TIMER_HZ, 0xffffff };
	outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1); /* speaker off, gate open */
	outb(PIT_COMMAND, 0xb4);                  /* channel 2, mode 2, from 65536 */
	outb(PIT_CH2, 0);
	outb(PIT_CH2, 0);
	return (struct reference){ pit_read, PIT_HZ, 0xffff };
}

/* The machine may be taken away between two reads: of some tries, the one that took least. */
static struct point take_point(const struct reference *r)
{
	uint64_t best = ~0ULL;
	struct point p = { 0, 0, 0 };

	for (unsigned int i = 0; i < 8; i++) {
		uint64_t before = rdtsc(), after;
		uint32_t ref = r->read(), lapic = lapic_count_elapsed();

		after = rdtsc();
		if (after - before < best) {
			best = after - before;
			p = (struct point){ before + best / 2, ref, lapic };
		}
	}
	return p;
}

/* kHz of the TSC; *lapic_per_tsc: LAPIC ticks for 2^32 TSC ticks. */
static uint64_t measure(const struct reference *r, uint32_t window_us, uint64_t *lapic_per_tsc)
{
	uint32_t want = (uint32_t)((uint64_t)r->hz * window_us / 1000000), ticks;
	struct point a, b;

	lapic_count_start();
	a = take_point(r);
	while (((r->read() - a.ref) & r->mask) < want)
		cpu_relax();
	b = take_point(r);
	ticks = (b.ref - a.ref) & r->mask;
	*lapic_per_tsc = ((uint64_t)(b.lapic - a.lapic) << 32) / (b.tsc - a.tsc);
	return (b.tsc - a.tsc) * r->hz / ticks / 1000;
}

void tsc_init(uint32_t hint_khz, uint16_t pm_timer_port)
{
	bool hinted = hint_khz >= MIN_KHZ && hint_khz <= MAX_KHZ;
	struct reference ref;
	uint64_t khz, lapic_per_tsc;

	pm_port = pm_timer_port;
	ref = find_reference();
	measure(&ref, WARM_UP_US, &lapic_per_tsc); /* the first sample is off: cold translations */
	khz = measure(&ref, hinted ? HINTED_WINDOW_US : WINDOW_US, &lapic_per_tsc);
	/* The host's figure is exact, unless it is of another machine. */
	if (hinted && khz > hint_khz - hint_khz / 16 && khz < hint_khz + hint_khz / 16)
		khz = hint_khz;
	if (khz < MIN_KHZ / 100 || khz > MAX_KHZ)
		panic("the TSC runs at %lu kHz?\n", khz);
	tsc_base = rdtsc();
	set_scale((uint32_t)khz);
	/* Over the TSC: both counted the same window. */
	lapic_timer_khz = (uint32_t)(lapic_per_tsc * khz >> 32);
	if (!lapic_timer_khz)
		panic("the local APIC's timer does not count\n");
	printk("TSC %u.%03u MHz, APIC timer %u MHz\n", tsc_khz / 1000, tsc_khz % 1000, lapic_timer_khz / 1000);
}
