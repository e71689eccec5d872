/* SPDX-License-Identifier: MIT */
/*
 * One-shot timers: a leftist heap for each CPU, linked through the timers
 * themselves, so that setting one never allocates and never fails.
 */
#include "time/timer.h"
#include "x86/cpu_info.h"
#include "x86/lapic.h"
#include "x86/printk.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"

struct timer_heap {
	spinlock_t lock;
	struct leftist *root;
	struct timer *running;   /* its fn is being called, without the lock */
	s_time_t armed;          /* what the LAPIC was told last; 0: nothing */
} __aligned(64);

static struct timer_heap heaps[NR_CPUS];

static struct timer *timer_of(const struct leftist *n)
{
	return n ? container_of(n, struct timer, node) : NULL;
}

static bool expires_before(const struct leftist *a, const struct leftist *b)
{
	return timer_of(a)->expires < timer_of(b)->expires;
}

static void heap_insert(struct timer_heap *h, struct timer *t)
{
	leftist_insert(&h->root, &t->node, expires_before);
	t->state = TIMER_QUEUED;
}

static void heap_remove(struct timer_heap *h, struct timer *t)
{
	leftist_remove(&h->root, &t->node, expires_before);
	t->state = TIMER_IDLE;
}

/* The heap of t's CPU, locked; t may be on its way to another. */
static struct timer_heap *lock_heap(struct timer *t, unsigned long *flags)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(t->cpu);
		struct timer_heap *h = &heaps[cpu];

		*flags = spin_lock_irqsave(&h->lock);
		if (READ_ONCE(t->cpu) == cpu)
			return h;
		spin_unlock_irqrestore(&h->lock, *flags);
	}
}

/* t is the first of h: see to it that the CPU hears of it in time. */
static void arm(struct timer_heap *h, struct timer *t)
{
	if (h->armed && h->armed <= t->expires)
		return;
	if (t->cpu != smp_cpu() || t->expires <= NOW()) {
		softirq_raise_cpu(t->cpu, TIMER_SOFTIRQ);
		return;
	}
	h->armed = t->expires;
	lapic_timer_set(t->expires);
}

void timer_init(struct timer *t, void (*fn)(void *), void *data, unsigned int cpu)
{
	*t = (struct timer){ .fn = fn, .data = data, .cpu = (uint16_t)cpu, .state = TIMER_IDLE };
}

void timer_set(struct timer *t, s_time_t expires)
{
	unsigned long flags;
	struct timer_heap *h;

	if (t->state == TIMER_DEAD)
		return;
	h = lock_heap(t, &flags);
	if (t->state == TIMER_QUEUED)
		heap_remove(h, t);
	if (t->state == TIMER_IDLE) {
		t->expires = expires;
		heap_insert(h, t);
		if (h->root == &t->node)
			arm(h, t);
	}
	spin_unlock_irqrestore(&h->lock, flags);
}

void timer_stop(struct timer *t)
{
	unsigned long flags;
	struct timer_heap *h;

	if (READ_ONCE(t->state) != TIMER_QUEUED)
		return;
	h = lock_heap(t, &flags);
	if (t->state == TIMER_QUEUED)
		heap_remove(h, t);
	spin_unlock_irqrestore(&h->lock, flags);
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	unsigned long flags;
	struct timer_heap *h;
	bool queued;

	if (t->state == TIMER_DEAD || t->cpu == cpu)
		return;
	h = lock_heap(t, &flags);
	queued = t->state == TIMER_QUEUED;
	if (queued)
		heap_remove(h, t);
	WRITE_ONCE(t->cpu, (uint16_t)cpu);
	spin_unlock_irqrestore(&h->lock, flags);
	if (!queued)
		return;
	/* A timer_set that came between counts more than the old expiry. */
	h = lock_heap(t, &flags);
	if (t->state == TIMER_IDLE) {
		heap_insert(h, t);
		if (h->root == &t->node)
			arm(h, t);
	}
	spin_unlock_irqrestore(&h->lock, flags);
}

static bool runs_somewhere(const struct timer *t)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (cpu != smp_cpu() && READ_ONCE(heaps[cpu].running) == t)
			return true;
	return false;
}

void timer_kill(struct timer *t)
{
	unsigned long flags;
	struct timer_heap *h;

	if (t->state == TIMER_DEAD)
		return;
	h = lock_heap(t, &flags);
	if (t->state == TIMER_QUEUED)
		heap_remove(h, t);
	t->state = TIMER_DEAD;
	spin_unlock_irqrestore(&h->lock, flags);
	while (runs_somewhere(t))
		cpu_relax();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void timer_softirq(void)
{
	struct timer_heap *h = &this_cpu(heaps);
	unsigned long flags = spin_lock_irqsave(&h->lock);
	s_time_t now = NOW();
	struct timer *t;

	while ((t = timer_of(h->root)) != NULL && t->expires <= now) {
		void (*fn)(void *) = t->fn;
		void *data = t->data;

		heap_remove(h, t);
		h->running = t;
		spin_unlock_irqrestore(&h->lock, flags);
		fn(data);
		flags = spin_lock_irqsave(&h->lock);
		h->running = NULL;
	}
	/* The interrupt may have been early, late or not the LAPIC's: say it again. */
	h->armed = 0;
	if (t)
		arm(h, t);
	spin_unlock_irqrestore(&h->lock, flags);
}

void timers_init(void)
{
	softirq_register(TIMER_SOFTIRQ, timer_softirq);
}
