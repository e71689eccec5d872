/* SPDX-License-Identifier: MIT */
/* Threads as coroutines, and what they access. */
#include "private.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSHARED_MAX 20000

struct vthread threads[VERIFY_THREADS_MAX];
struct store stores[VERIFY_THREADS_MAX][STORES_MAX];

__attribute__((noinline)) void switch_stack(char **save, char *load);
__asm__(".text\n.globl switch_stack\nswitch_stack:\n"
	"push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

/* --- a thread's side --- */

static void leave(void)
{
	struct vthread *t = &threads[E->running];

	switch_stack(&t->sp, E->own_sp);
}

static void yield(const void *pc)
{
	struct vthread *t = &threads[E->running];

	if (t->atomic)
		return;
	t->pc = pc;
	for (;;) {
		leave();
		if (!t->take_irq)
			return;
		t->take_irq = false;
		t->irq_on = false;
		{
			uint8_t choices = t->choices;
			uint16_t locks = t->locks; /* not the handler's: it can come while they are held, or not */
			bool (*ready)(void *) = t->ready;

			t->choices = 0;
			t->locks = 0;
			t->ready = NULL;
			t->in_irq = true;
			verify_irq();
			t->in_irq = false;
			t->choices = choices;
			t->locks = locks;
			t->ready = ready;
		}
		t->irq_on = true;
		t->pc = pc;
	}
}

void verify_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(E->why, sizeof(E->why), fmt, ap);
	va_end(ap);
	E->failed = true;
	if (E->running < 0) {
		fprintf(stderr, "setup: %s\n", E->why);
		exit(2);
	}
	for (;;)
		leave();
}

static unsigned int setup_cpu;
unsigned int verify_cpu(void) { return E->running < 0 ? setup_cpu : (unsigned int)E->running; }
void verify_setup_as(unsigned int cpu) { setup_cpu = cpu; }
void verify_atomic_begin(void)
{
	if (E->running >= 0 && threads[E->running].atomic++ == 0) {
		threads[E->running].atomic = 0;
		yield(__builtin_return_address(0));
		threads[E->running].atomic = 1;
	}
}
void verify_atomic_end(void)
{
	if (E->running >= 0)
		threads[E->running].atomic--;
}

bool verify_irq_set(bool on)
{
	bool was;

	if (E->running < 0)
		return true;
	was = threads[E->running].irq_on;
	threads[E->running].irq_on = on;
	return was;
}

unsigned int verify_choose(unsigned int n)
{
	struct vthread *t = &threads[E->running];
	uint8_t atomic = t->atomic;

	if (n < 2)
		return 0;
	t->atomic = 0;
	t->choices = (uint8_t)n;
	yield(__builtin_return_address(0));
	t->choices = 0;
	t->atomic = atomic;
	n = t->choice;
	t->choice = 0;
	return n;
}

void verify_wait(bool (*ready)(void *), void *arg)
{
	struct vthread *t = &threads[E->running];
	uint8_t atomic = t->atomic;

	t->atomic = 0;
	do {
		t->ready = ready;
		t->ready_arg = arg;
		yield(__builtin_return_address(0));
		t->ready = NULL;
	} while (!ready(arg));
	t->atomic = atomic;
}

void verify_done(void)
{
	struct vthread *t = &threads[E->running];

	t->done = true;
	for (;;)
		yield(__builtin_return_address(0));
}

static void thread_main(void)
{
	E->sc->thread((unsigned int)E->running);
	verify_done();
}

/* --- the compiler's calls --- */

void verify_lock(const void *lock, bool held)
{
	unsigned int i;

	if (E->running < 0)
		return;
	for (i = 0; i < E->nr_locks && E->locks[i] != lock; i++)
		;
	if (i == LOCKS_MAX)
		return;
	E->locks[i] = lock;
	E->nr_locks += i == E->nr_locks;
	if (held)
		threads[E->running].locks |= (uint16_t)(1u << i);
	else
		threads[E->running].locks &= (uint16_t)~(1u << i);
}

void verify_watch(const volatile void *p, size_t n)
{
	uintptr_t i, off = (uintptr_t)p - (uintptr_t)E->base;

	for (i = off / 8; i <= (off + n - 1) / 8; i++)
		E->shared[i] = WATCHED;
}

static bool note_access(uintptr_t a, size_t n, bool write)
{
	uintptr_t base = (uintptr_t)E->base, i;
	bool shared = false;

	if (a < base || a >= base + E->len)
		return false;
	for (i = (a - base) / LINE; write && i <= (a + n - 1 - base) / LINE; i++)
		if (!E->changes[i]) {
			E->changes[i] = 1;
			E->restart = true;
		}
	if (E->running < 0)
		return false;
	for (i = (a - base) / 8; i <= (a + n - 1 - base) / 8; i++) {
		/* What interrupts a CPU counts as somebody else. */
		E->users[i] |= (uint8_t)(1u << (E->running + (threads[E->running].in_irq ? VERIFY_THREADS_MAX : 0)));
		E->written[i] |= write;
		if (!E->shared[i] && !E->found[i] && E->written[i] && (E->users[i] & (E->users[i] - 1))) {
			E->found[i] = 1;
			E->restart = true;
		}
		/* What all use under one lock needs no stop while that lock is held. */
		if (E->lockset[i] & ~threads[E->running].locks) {
			E->lockset[i] &= threads[E->running].locks;
			if (!E->lockset[i] && E->shared[i])
				E->restart = true;
		}
		shared |= E->shared[i] == WATCHED || (E->shared[i] && !E->lockset[i]);
	}
	return shared;
}

static void drain(struct vthread *t, unsigned int n);

static void hook(const volatile void *p, size_t n, bool write, bool fence, const void *pc)
{
	const char *why;
	struct vthread *t;
	bool shared;

	if (E->running < 0) {
		if (!E->in_setup)
			note_access((uintptr_t)p, n, write);
		return;
	}
	t = &threads[E->running];
	shared = note_access((uintptr_t)p, n, write);
	/* A loop that waits for a word not known to be shared yet must not go on for ever. */
	if (shared || E->warming || ++E->unshared > UNSHARED_MAX)
		yield(pc);
	why = verify_access((uintptr_t)p, n, write);
	if (why)
		verify_fail("%s", why);
	if (!E->tso)
		return;
	if (fence) {
		drain(t, t->nr_stores);
	} else if (write && shared && n <= 8 && !t->atomic) {
		if (t->nr_stores == STORES_MAX)
			drain(t, 1);
		stores[t - threads][t->nr_stores++] = (struct store){ (uintptr_t)p, 0, (uint8_t)n };
		raw_copy(&stores[t - threads][t->nr_stores - 1].val, (const void *)p, n); /* what is there without it */
	}
}

#define PC __builtin_return_address(0)
void __tsan_init(void);
void __tsan_init(void) { }
void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc) { }
void __tsan_func_exit(void);
void __tsan_func_exit(void) { }
#define PLAIN(n) \
	void __tsan_read##n(void *p); void __tsan_read##n(void *p) { hook(p, n, false, false, PC); } \
	void __tsan_write##n(void *p); void __tsan_write##n(void *p) { hook(p, n, true, false, PC); } \
	void __tsan_unaligned_read##n(void *p); void __tsan_unaligned_read##n(void *p) { hook(p, n, false, false, PC); } \
	void __tsan_unaligned_write##n(void *p); void __tsan_unaligned_write##n(void *p) { hook(p, n, true, false, PC); } \
	void __tsan_volatile_read##n(void *p); void __tsan_volatile_read##n(void *p) { hook(p, n, false, false, PC); } \
	void __tsan_volatile_write##n(void *p); void __tsan_volatile_write##n(void *p) { hook(p, n, true, false, PC); }
PLAIN(1) PLAIN(2) PLAIN(4) PLAIN(8) PLAIN(16)
void __tsan_read_range(void *p, size_t n);
void __tsan_read_range(void *p, size_t n) { hook(p, n, false, false, PC); }
void __tsan_write_range(void *p, size_t n);
void __tsan_write_range(void *p, size_t n) { hook(p, n, true, true, PC); }
/* A store that is not seq_cst may wait in the buffer, as any other. */
#define ATOMIC(bits, T) \
	T __tsan_atomic##bits##_load(const volatile T *a, int mo); \
	T __tsan_atomic##bits##_load(const volatile T *a, int mo) { hook(a, sizeof(T), false, false, PC); return *a; } \
	void __tsan_atomic##bits##_store(volatile T *a, T v, int mo); \
	void __tsan_atomic##bits##_store(volatile T *a, T v, int mo) \
	{ hook(a, sizeof(T), true, mo == __ATOMIC_SEQ_CST, PC); *a = v; } \
	T __tsan_atomic##bits##_exchange(volatile T *a, T v, int mo); \
	T __tsan_atomic##bits##_exchange(volatile T *a, T v, int mo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; *a = v; return old; } \
	T __tsan_atomic##bits##_fetch_add(volatile T *a, T v, int mo); \
	T __tsan_atomic##bits##_fetch_add(volatile T *a, T v, int mo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; *a = (T)(old + v); return old; } \
	T __tsan_atomic##bits##_fetch_sub(volatile T *a, T v, int mo); \
	T __tsan_atomic##bits##_fetch_sub(volatile T *a, T v, int mo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; *a = (T)(old - v); return old; } \
	T __tsan_atomic##bits##_fetch_and(volatile T *a, T v, int mo); \
	T __tsan_atomic##bits##_fetch_and(volatile T *a, T v, int mo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; *a = old & v; return old; } \
	T __tsan_atomic##bits##_fetch_or(volatile T *a, T v, int mo); \
	T __tsan_atomic##bits##_fetch_or(volatile T *a, T v, int mo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; *a = old | v; return old; } \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile T *a, T *c, T v, int mo, int fmo); \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile T *a, T *c, T v, int mo, int fmo) \
	{ T old; hook(a, sizeof(T), true, true, PC); old = *a; \
	  if (old == *c) { *a = v; return 1; } *c = old; return 0; }
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
void __tsan_atomic_thread_fence(int mo);
void __tsan_atomic_thread_fence(int mo)
{
	struct vthread *t;

	if (E->running < 0 || !E->tso || mo != __ATOMIC_SEQ_CST)
		return;
	t = &threads[E->running];
	if (t->nr_stores)
		yield(PC);
	drain(t, t->nr_stores);
}

/*
 * --tso: stores wait in their CPU's buffer, in order, until they are drained at
 * a moment of the search's choice, or by a locked instruction of that CPU. The
 * program stores straight to memory; so when a thread stops, what it stored
 * since is taken out again, and put back for the time it runs.
 */
static void swap_stores(struct vthread *t, bool in)
{
	unsigned int i;

	for (i = 0; i < t->nr_stores; i++) {
		struct store *s = &stores[t - threads][in ? i : t->nr_stores - 1 - i];
		uint64_t mem = 0;

		raw_copy(&mem, (void *)s->addr, s->size);
		raw_copy((void *)s->addr, &s->val, s->size);
		s->val = mem;
	}
}

/* While it runs: .val is what memory had before, so forgetting the oldest leaves its value there. */
static void drain(struct vthread *t, unsigned int n)
{
	unsigned int i, k;

	if (!n)
		return;
	/* A later store to the same word remembers what the drained one had put there: right as it is. */
	for (i = n, k = 0; i < t->nr_stores; i++, k++)
		stores[t - threads][k] = stores[t - threads][i];
	for (i = k; i < t->nr_stores; i++)
		stores[t - threads][i] = (struct store){ 0 };
	t->nr_stores = (uint8_t)k;
}

void verify_serialize(void)
{
	if (E->running >= 0)
		drain(&threads[E->running], threads[E->running].nr_stores);
}

/* What the compiler makes of large stores of the code under test. */
void *memset(void *p, int c, size_t n)
{
	void *to = p;

	if (E)
		hook(p, n, true, true, PC);
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
	if (E) {
		hook(from, n, false, false, PC);
		hook(to, n, true, true, PC);
	}
	raw_copy(to, from, n);
	return to;
}

/* --- the search's side --- */

static void run_thread(unsigned int i)
{
	struct vthread *t = &threads[i];

	E->running = (int)i;
	E->unshared = 0;
	if (E->tso)
		swap_stores(t, true);
	switch_stack(&E->own_sp, t->sp);
	if (E->tso)
		swap_stores(t, false);
	E->running = -1;
}

void start_threads(void)
{
	unsigned int i;

	E->running = -1;
	E->in_setup = true;
	raw_copy(E->base, E->pristine, E->len);
	memset(E->stacks, 0, VERIFY_THREADS_MAX * STACK_BYTES);
	E->failed = false;
	E->sc->setup();
	for (i = 0; i < E->sc->threads; i++) {
		void **p = (void **)(stack_top(i) - 16);

		*p = (void *)thread_main;
		threads[i].sp = (char *)(p - 6);
		threads[i].irq_on = true;
	}
	verify_settle();
	E->in_setup = false;
}

bool all_done(void)
{
	unsigned int i;

	for (i = 0; i < E->sc->threads; i++)
		if (!threads[i].done || threads[i].in_irq || threads[i].nr_stores || (threads[i].irq_on && verify_irq_pending(i)))
			return false;
	return true;
}

unsigned int list_actions(struct action *a, int first)
{
	unsigned int k, n = 0, c;

	for (k = 0; k < E->sc->threads; k++) {
		unsigned int i = (k + (first > 0 ? (unsigned int)first : 0)) % E->sc->threads;
		const struct vthread *t = &threads[i];

		if (t->irq_on && verify_irq_pending(i))
			a[n++] = (struct action){ (uint8_t)i, IRQ, 0 };
		if (t->nr_stores)
			a[n++] = (struct action){ (uint8_t)i, DRAIN, 0 };
		if ((t->done && !t->in_irq) || (t->ready && !t->ready(t->ready_arg)))
			continue;
		if (!t->choices)
			a[n++] = (struct action){ (uint8_t)i, STEP, 0 };
		for (c = 0; c < t->choices; c++)
			a[n++] = (struct action){ (uint8_t)i, CHOOSE, (uint8_t)c };
	}
	if (n > ACTIONS_MAX)
		abort();
	return n;
}

static void fail_here(const char *why)
{
	snprintf(E->why, sizeof(E->why), "%s", why);
	E->failed = true;
}

void perform(struct action a)
{
	struct vthread *t = &threads[a.thread];
	const char *why;

	if (a.kind == DRAIN) {
		/* Memory has it from now on. */
		raw_copy((void *)stores[t - threads][0].addr, &stores[t - threads][0].val, stores[t - threads][0].size);
		swap_stores(t, true);
		drain(t, 1);
		swap_stores(t, false);
	} else {
		t->take_irq = a.kind == IRQ;
		t->choice = a.choice;
		if (a.kind == IRQ && E->tso && t->nr_stores) {
			swap_stores(t, true);
			drain(t, t->nr_stores); /* an interrupt's entry serializes */
			swap_stores(t, false);
		}
		run_thread(a.thread);
	}
	if (E->failed)
		return;
	verify_settle();
	why = E->sc->check ? E->sc->check() : NULL;
	if (!why && all_done() && E->sc->final)
		why = E->sc->final();
	if (why)
		fail_here(why);
}
