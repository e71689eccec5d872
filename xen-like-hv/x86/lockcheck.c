/* SPDX-License-Identifier: MIT */
/*
 * The order of locks, checked (debug build). A lock's class is found by the way
 * the code writes it: no lock has to say more than its name. docs/locking.md is
 * this table in words.
 */
#include "x86/debug.h"

#ifdef HV_DEBUG
#include "lib/string.h"
#include "x86/cpu_info.h"
#include "x86/printk.h"
#include "x86/processor.h"

#define IRQ 1u    /* interrupt handlers take it: only with interrupts off */
#define WHOLE 2u  /* held over all of an operation of domain 0's, which alone waits for it */
#define PAIRS 4u  /* two of them at once, lower address first */
#define MAX_HELD 12u

/* Outer before inner; one line, one rank. */
static const struct lock_class { const char *name; unsigned int rank, flags; } classes[] = {
	{ "host_worker", 1, WHOLE },
	{ "hypercall_lock", 2, 0 },
	{ "gt->lock", 3, 0 },
	{ "maptrack_lock", 4, 0 },
	{ "event_lock", 5, PAIRS },
	{ "p2m->lock", 6, 0 },
	{ "PGT_locked", 6, 0 }, /* never with the one before */
	{ "root_lock", 7, 0 },
	{ "page_lock", 8, 0 },
	{ "shadow_lock", 8, 0 }, /* never with the one before */
	{ "domlist_lock", 9, 0 },
	{ "wc_lock", 10, 0 },
	{ "console_lock", 11, 0 },
	{ "flush_lock", 12, 0 },
	{ "rendezvous_lock", 13, 0 },
	{ "shutdown_lock", 14, IRQ },
	{ "virq_lock", 15, IRQ },
	{ "f->lock", 16, IRQ },
	{ "classes[class].lock", 17, IRQ },
	{ "heap_lock", 18, IRQ },
	{ "rq->lock", 19, IRQ },
	{ "from->lock", 19, IRQ }, /* another run queue's: tried only */
	{ "sched.lock", 20, IRQ },
	{ "area_lock", 21, IRQ },
	{ "h->lock", 22, IRQ },
	{ "watch_lock", 23, IRQ },
	{ "base.lock", 24, IRQ },
	{ "limit.lock", 25, IRQ },
	{ "conring_lock", 26, IRQ },
};

static struct {
	unsigned int nr;
	struct { const volatile void *lock; const struct lock_class *class; } held[MAX_HELD];
} cpu_locks[NR_CPUS];
static bool complained; /* once: the report itself takes locks */

/* irq_save is measured, and this is no part of what it should measure. */
static uint64_t off(void)
{
	uint64_t f = read_rflags();

	__asm__ volatile("cli" ::: "memory");
	return f;
}
static void restore(uint64_t f)
{
	if (f & RFLAGS_IF)
		__asm__ volatile("sti" ::: "memory");
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "&d->event_lock" ends in the word "event_lock". */
static const struct lock_class *find(const char *text)
{
	size_t n = strlen(text), k;

	for (unsigned int i = 0; i < ARRAY_SIZE(classes); i++) {
		k = strlen(classes[i].name);
		if (n >= k && !memcmp(text + n - k, classes[i].name, k) && (n == k || !is_name(text[n - k - 1])))
			return &classes[i];
	}
	return NULL;
}

static void complain(const char *rule, const char *a, const char *b)
{
	if (complained)
		return;
	complained = true;
	printk("BUG: lock rules: %s: %s, %s\n", rule, a, b);
	BUG();
}

static void check(const volatile void *lock, const struct lock_class *c, bool trylock, bool irqs_on)
{
	unsigned int cpu = smp_cpu(), i;

	if ((c->flags & IRQ) && irqs_on)
		complain("interrupts are on", c->name, "which handlers take");
	if (!(c->flags & IRQ) && get_cpu_info()->in_irq)
		complain("in an interrupt handler", c->name, "which is taken with interrupts on");
	for (i = 0; i < cpu_locks[cpu].nr; i++) {
		const struct lock_class *h = cpu_locks[cpu].held[i].class;

		if (cpu_locks[cpu].held[i].lock == lock)
			complain("taken twice", c->name, h->name);
		if (!trylock && (h->rank > c->rank || (h->rank == c->rank &&
				 !((c->flags & PAIRS) && cpu_locks[cpu].held[i].lock < lock))))
			complain("wrong order", c->name, h->name);
	}
}

void lockcheck_take(const volatile void *lock, const struct lock_class **class, const char *name, bool trylock)
{
	uint64_t f = off();
	unsigned int cpu = smp_cpu();

	if (!*class)
		*class = find(name);
	if (!*class)
		complain("a lock without a place in the order", name, "see x86/lockcheck.c");
	else if (!complained)
		check(lock, *class, trylock, f & RFLAGS_IF);
	if (*class && cpu_locks[cpu].nr < MAX_HELD) {
		cpu_locks[cpu].held[cpu_locks[cpu].nr].lock = lock;
		cpu_locks[cpu].held[cpu_locks[cpu].nr++].class = *class;
	}
	restore(f);
}

void lockcheck_drop(const volatile void *lock)
{
	uint64_t f = off();
	unsigned int cpu = smp_cpu(), i;

	for (i = cpu_locks[cpu].nr; i > 0 && cpu_locks[cpu].held[i - 1].lock != lock; i--)
		;
	if (!i)
		complain("released, but not held here", "a lock", "whose it is is unknown");
	else
		for (cpu_locks[cpu].nr--; i <= cpu_locks[cpu].nr; i++)
			cpu_locks[cpu].held[i - 1] = cpu_locks[cpu].held[i];
	restore(f);
}

static const char *held_but(unsigned int flags_ok)
{
	unsigned int cpu = smp_cpu(), i;

	for (i = 0; i < cpu_locks[cpu].nr; i++)
		if (!(cpu_locks[cpu].held[i].class->flags & flags_ok))
			return cpu_locks[cpu].held[i].class->name;
	return NULL;
}

void lockcheck_none(const char *what)
{
	uint64_t f = off();
	const char *name = held_but(WHOLE);

	if (name)
		complain("a lock is held over it", what, name);
	restore(f);
}

void lockcheck_may_wait(void)
{
	uint64_t f = off();
	unsigned int cpu = smp_cpu(), i;

	if (!(f & RFLAGS_IF))
		complain("waits for another CPU", "interrupts are off", "");
	for (i = 0; i < cpu_locks[cpu].nr; i++)
		if (cpu_locks[cpu].held[i].class->flags & IRQ)
			complain("waits for another CPU", "lock is held", cpu_locks[cpu].held[i].class->name);
	restore(f);
}
#endif
