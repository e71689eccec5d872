/* SPDX-License-Identifier: MIT */
/*
 * The longest times (debug build): with interrupts off, and of each hypercall
 * between two looks at whether it should stop. Sites are return addresses.
 */
#include "x86/debug.h"

#ifdef HV_DEBUG
#include "x86/cpu_info.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include "x86/tsc.h"

#define NR_OPS (LONGEST_EXCEPTION + 1)
#define NO_OP NR_OPS

struct longest { uint64_t ticks, from, to; };
/* Each CPU writes its own; the one that shows them may lose a record to one that is just made. */
static struct {
	uint64_t off_since, off_site, since, site;
	unsigned int op; /* + 1; 0: none */
	struct longest irqs_off, ops[NR_OPS];
} cpu_times[NR_CPUS];

#define SITE ((uint64_t)__builtin_return_address(0))

static void note(struct longest *l, uint64_t since, uint64_t from, uint64_t to)
{
	uint64_t ticks = rdtsc() - since;

	if (ticks > l->ticks)
		*l = (struct longest){ ticks, from, to };
}

void longest_irqs_off(void)
{
	unsigned int cpu = smp_cpu();

	cpu_times[cpu].off_site = SITE;
	cpu_times[cpu].off_since = rdtsc();
}

void longest_irqs_on(void)
{
	unsigned int cpu = smp_cpu();

	if (cpu_times[cpu].off_since)
		note(&cpu_times[cpu].irqs_off, cpu_times[cpu].off_since, cpu_times[cpu].off_site, SITE);
	cpu_times[cpu].off_since = 0;
}

static void start_op(unsigned int cpu, uint64_t site)
{
	cpu_times[cpu].site = site;
	cpu_times[cpu].since = rdtsc();
}

static void note_op(unsigned int cpu, uint64_t site)
{
	if (cpu_times[cpu].op)
		note(&cpu_times[cpu].ops[cpu_times[cpu].op - 1], cpu_times[cpu].since, cpu_times[cpu].site, site);
}

unsigned int longest_begin(unsigned int nr)
{
	unsigned int cpu = smp_cpu(), before = cpu_times[cpu].op;

	/* One in a batch goes on with the time since the last look. */
	if (!before)
		start_op(cpu, SITE);
	cpu_times[cpu].op = (nr < NR_OPS ? nr : LONGEST_EXCEPTION) + 1;
	return before;
}

void longest_end(unsigned int before)
{
	unsigned int cpu = smp_cpu();

	note_op(cpu, SITE);
	cpu_times[cpu].op = before;
}

void longest_checked(void)
{
	unsigned int cpu = smp_cpu();

	note_op(cpu, SITE);
	start_op(cpu, SITE);
}

static struct longest worst(unsigned int op)
{
	struct longest l = { 0, 0, 0 };
	unsigned int cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		struct longest *m = op == NO_OP ? &cpu_times[cpu].irqs_off : &cpu_times[cpu].ops[op];

		if (m->ticks > l.ticks)
			l = *m;
		m->ticks = 0;
	}
	return l;
}

static uint64_t to_ns(uint64_t ticks) { return tsc_khz ? ticks * 1000000 / tsc_khz : 0; }

void longest_show(void)
{
	struct longest l = worst(NO_OP);
	unsigned int op;

	printk("longest: interrupts off %lu ns from %lx to %lx\n", to_ns(l.ticks), l.from, l.to);
	for (op = 0; op < NR_OPS; op++) {
		l = worst(op);
		if (l.ticks)
			printk("longest: %s %u %lu ns from %lx to %lx\n", op == LONGEST_EXCEPTION ? "exception" : "hypercall",
			       op, to_ns(l.ticks), l.from, l.to);
	}
}
#endif
