/* SPDX-License-Identifier: MIT */
/*
 * The search: depth first, states by hash, threads as coroutines.
 *
 * A state is the program's data and the used part of each thread's stack, both
 * copied aside and back as they are. A step is one access to a shared word and
 * all that the thread does up to the next. Which words are shared is found out:
 * random runs first, and whenever the search sees a word used by a second
 * thread it starts over with that known, until nothing new turns up. What one
 * thread alone uses commutes with all that others do.
 *
 * After the search the graph of states is walked backwards from those in which
 * all threads are done: a state that is not met cannot end any more (deadlock,
 * or a wait for ever).
 */
#define _GNU_SOURCE
#include "explore.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES 16384
#define ACTIONS_MAX 16
#define WARM_UP_RUNS 500
#define WARM_UP_STEPS 5000
#define STORES_MAX 8
#define UNSHARED_MAX 20000
#define LINE 64u
#define LOCKS_MAX 16u
#define WATCHED 2 /* in shared[] */

/* Part of the state: in the program's data. */
struct store {
	uintptr_t addr;
	uint64_t val;
	uint8_t size;
};
static struct vthread {
	char *sp;
	bool done, irq_on, take_irq, in_irq;
	uint8_t choices, choice, atomic;
	uint16_t locks;      /* held: bits of E->locks */
	bool (*ready)(void *);
	void *ready_arg;
	const void *pc;
	/* --tso */
	uint8_t nr_stores;
} threads[VERIFY_THREADS_MAX];
/* In data lines of their own: without --tso they never change. */
static struct store stores[VERIFY_THREADS_MAX][STORES_MAX];

/* Not part of it. */
struct action {
	uint8_t thread, kind, choice;
};
enum { STEP, IRQ, CHOOSE, DRAIN };
struct node {
	uint64_t h[2];
	uint32_t parent;
	struct action act;
	bool final, ends;
};
struct level {
	char *data;
	uint32_t node;
	unsigned int nr, next;
	struct action act[ACTIONS_MAX];
};
struct explorer {
	const struct verify_scenario *sc;
	char *stacks, *base, *pristine;
	size_t len;
	int running;              /* thread, or -1 */
	char *own_sp;
	bool failed, restart, tso, quiet, warming;
	unsigned int unshared;    /* accesses since the last stop */
	char why[512];
	uint8_t *users, *written, *shared, *found; /* for each 8 bytes of data */
	/* Of each 8 bytes: locks held at every access so far; and those that are shared, but always under a lock. */
	uint16_t *lockset;
	const void *locks[LOCKS_MAX];
	unsigned int nr_locks;
	uint8_t *changes;         /* for each line of it: 2: some step writes there; 1: found out just now */
	uint32_t *lines, nr_lines;
	bool in_setup;
	struct node *nodes;
	uint32_t nr_nodes, max_nodes;
	uint32_t *table;
	uint64_t table_mask;
	uint32_t (*edges)[2];
	uint64_t nr_edges, max_edges;
	struct level *levels;
	unsigned int max_levels, depth;
	double start, limit;
};
static _Thread_local struct explorer *E;

extern char __data_start[], _end[];

__attribute__((noinline)) void switch_stack(char **save, char *load);
__asm__(".text\n.globl switch_stack\nswitch_stack:\n"
	"push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
	"mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
	"pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* memcpy and memset, below, are the code under test's. */
static void raw_copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}

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

static char *stack_top(unsigned int i) { return E->stacks + (i + 1) * STACK_BYTES; }

static void start_threads(void)
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

static bool all_done(void)
{
	unsigned int i;

	for (i = 0; i < E->sc->threads; i++)
		if (!threads[i].done || threads[i].in_irq || threads[i].nr_stores || (threads[i].irq_on && verify_irq_pending(i)))
			return false;
	return true;
}

static unsigned int list_actions(struct action *a, int first)
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

static void perform(struct action a)
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

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Four chains, so that the multiplications overlap. */
static void hash_line(uint64_t h[4], const char *p)
{
	static const uint64_t k[4] = { 0x2d358dccaa6c78a5, 0x8bb84b93962eacc9, 0x4b33a62ed433d4a3, 0x9e3779b97f4a7c15 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		uint64_t a, b;

		__builtin_memcpy(&a, p + 16 * i, 8);
		__builtin_memcpy(&b, p + 16 * i + 8, 8);
		h[i] = mix(a ^ k[i] ^ h[i], b + k[3 - i]) + (h[i] << 7 | h[i] >> 57);
	}
}

static void hash_bytes(uint64_t h[4], const char *p, size_t n)
{
	char last[LINE] = { 0 };

	for (; n >= LINE; p += LINE, n -= LINE)
		hash_line(h, p);
	raw_copy(last, p, n);
	hash_line(h, last);
}

static void hash_state(uint64_t ret[2])
{
	uint64_t h[4] = { 0x9ae16a3b2f90404f, 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x82a2b17531a2d5d1 };
	unsigned int i;

	for (i = 0; i < E->nr_lines; i++)
		hash_line(h, E->base + E->lines[i]);
	for (i = 0; i < E->sc->threads; i++)
		hash_bytes(h, threads[i].sp, (size_t)(stack_top(i) - threads[i].sp));
	ret[0] = mix(h[0] ^ 0x589965cc75374cc3, h[1]) ^ mix(h[2] ^ 0x1d8e4e27c47d124f, h[3]);
	ret[1] = mix(h[0] ^ 0xeb44accab455d165, h[2]) + mix(h[1] ^ 0xa0761d6478bd642f, h[3]);
}

/* What a step may have changed: lines of data that any step ever writes, stacks. */
static void save(char *to)
{
	unsigned int i;

	for (i = 0; i < E->nr_lines; to += LINE, i++)
		__builtin_memcpy(to, E->base + E->lines[i], LINE);
	for (i = 0; i < E->sc->threads; to += STACK_BYTES, i++)
		raw_copy(to, threads[i].sp, (size_t)(stack_top(i) - threads[i].sp));
}

static void restore(const char *from)
{
	unsigned int i;

	for (i = 0; i < E->nr_lines; from += LINE, i++)
		__builtin_memcpy(E->base + E->lines[i], from, LINE);
	for (i = 0; i < E->sc->threads; from += STACK_BYTES, i++)
		raw_copy(threads[i].sp, from, (size_t)(stack_top(i) - threads[i].sp));
}

/* The state's node; *new if it was not known. */
static uint32_t find_node(uint32_t parent, struct action a, bool *new)
{
	uint64_t h[2], i;

	hash_state(h);
	for (i = h[0] & E->table_mask; E->table[i]; i = (i + 1) & E->table_mask) {
		struct node *n = &E->nodes[E->table[i] - 1];

		if (n->h[0] == h[0] && n->h[1] == h[1]) {
			*new = false;
			return E->table[i] - 1;
		}
	}
	if (E->nr_nodes == E->max_nodes) {
		fprintf(stderr, "%s: more than %u states: make the model smaller\n", E->sc->name, E->max_nodes);
		exit(2);
	}
	*new = true;
	E->nodes[E->nr_nodes] = (struct node){ { h[0], h[1] }, parent, a, all_done(), false };
	E->table[i] = E->nr_nodes + 1;
	return E->nr_nodes++;
}

static void add_edge(uint32_t from, uint32_t to)
{
	if (E->nr_edges == E->max_edges) {
		fprintf(stderr, "%s: too many transitions: make the model smaller\n", E->sc->name);
		exit(2);
	}
	E->edges[E->nr_edges][0] = from;
	E->edges[E->nr_edges++][1] = to;
}

static void push_level(uint32_t node, int thread)
{
	struct level *l;

	if (E->depth == E->max_levels) {
		fprintf(stderr, "%s: deeper than %u steps\n", E->sc->name, E->max_levels);
		exit(2);
	}
	l = &E->levels[E->depth++];
	if (!l->data)
		l->data = malloc(E->nr_lines * LINE + VERIFY_THREADS_MAX * STACK_BYTES);
	l->node = node;
	l->next = 0;
	l->nr = list_actions(l->act, thread);
	save(l->data);
}

/* True: complete. False: something failed, or a word turned out to be shared. */
static bool search(void)
{
	uint32_t n;
	bool new;

	unsigned int i;

	for (i = 0; i < E->max_levels && E->levels[i].data; i++) {
		free(E->levels[i].data);
		E->levels[i].data = NULL;
	}
	E->nr_nodes = 0;
	E->nr_edges = 0;
	E->depth = 0;
	madvise(E->table, (E->table_mask + 1) * sizeof(*E->table), MADV_DONTNEED); /* reads as zero again */
	start_threads();
	n = find_node(0, (struct action){ 0 }, &new);
	push_level(n, 0);
	while (E->depth) {
		struct level *l = &E->levels[E->depth - 1];
		struct action a;

		if (l->next == l->nr) {
			E->depth--;
			continue;
		}
		restore(l->data);
		a = l->act[l->next++];
		perform(a);
		if (E->failed || E->restart)
			return false;
		n = find_node(l->node, a, &new);
		add_edge(l->node, n);
		if (new)
			push_level(n, a.thread);
		if ((E->nr_edges & 0xfff) == 0 && now() - E->start > E->limit) {
			fprintf(stderr, "%s: not done after %.0f s, %u states\n", E->sc->name, E->limit, E->nr_nodes);
			exit(2);
		}
	}
	return true;
}

/* Some random runs, to learn what is shared before the search proper. */
static void warm_up(void)
{
	uint64_t seed = 88172645463325252ULL;
	unsigned int run, step;

	E->warming = true;
	for (run = 0; run < WARM_UP_RUNS; run++) {
		start_threads();
		for (step = 0; step < WARM_UP_STEPS && !E->failed; step++) {
			struct action a[ACTIONS_MAX];
			unsigned int n = list_actions(a, 0);

			if (!n)
				break;
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			perform(a[seed % n]);
		}
		E->failed = false; /* the search finds it, too */
	}
	E->warming = false;
}

static void keep(const void *p, size_t n)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)E->base, i;

	for (i = off / LINE; i <= (off + n - 1) / LINE; i++)
		E->changes[i] = 2;
}

static bool take_found(void)
{
	size_t i;
	bool any = false;

	for (i = 0; i < E->len / 8 + 1; i++) {
		any |= E->found[i];
		if (E->found[i] && !E->shared[i])
			E->shared[i] = 1;
		E->found[i] = 0;
	}
	E->nr_lines = 0;
	keep(threads, E->sc->threads * sizeof(*threads));
	if (E->tso)
		keep(stores, E->sc->threads * sizeof(*stores));
	for (i = 0; i < E->len / LINE + 1; i++) {
		any |= E->changes[i] == 1;
		if (E->changes[i])
			E->lines[E->nr_lines++] = (uint32_t)(i * LINE);
		E->changes[i] = E->changes[i] ? 2 : 0;
	}
	E->restart = false;
	return any;
}

/* --- reports --- */

static void print_step(unsigned int i, struct action a, const void *pc, const char *exe)
{
	static const char *const kinds[] = { "", "takes an interrupt at ", "", "memory gets its oldest store; it is at " };
	char cmd[512], line[400] = "?\n";
	FILE *f;

	snprintf(cmd, sizeof(cmd), "addr2line -sfpe '%s' %#lx 2>/dev/null", exe, (unsigned long)pc - 1);
	f = popen(cmd, "r");
	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\n';
		pclose(f);
	}
	printf("  %4u  CPU %u: %s", i, a.thread, kinds[a.kind]);
	if (a.kind == CHOOSE)
		printf("chooses %u in ", a.choice);
	printf("%s", line);
}

/* Steps of one thread at one line are told once. */
static void print_trace(const struct action *acts, unsigned int n, const char *exe)
{
	unsigned int i;

	start_threads();
	E->failed = false;
	for (i = 0; i < n; i++) {
		const void *pc = threads[acts[i].thread].pc;

		if (pc)
			print_step(i, acts[i], pc, exe);
		perform(acts[i]);
	}
}

static void report_failure(const char *exe)
{
	struct action *acts = calloc(E->depth + 1, sizeof(*acts));
	char why[sizeof(E->why)];
	unsigned int i, n = E->depth;

	memcpy(why, E->why, sizeof(why));
	for (i = 0; i < n; i++)
		acts[i] = E->levels[i].act[E->levels[i].next - 1];
	if (!E->quiet) {
		print_trace(acts, n, exe);
		printf("  then: %s\n", why);
	}
	snprintf(E->why, sizeof(E->why), "%s", why);
	free(acts);
}

/* Marks the states from which all threads can still come to an end. */
static uint32_t walk_back(void)
{
	uint32_t *head = malloc((E->nr_nodes + 1) * sizeof(*head)), *from = malloc((E->nr_edges + 1) * sizeof(*from));
	uint32_t *queue = malloc((E->nr_nodes + 1) * sizeof(*queue)), nr = 0, i;
	uint64_t e;

	memset(head, 0, (E->nr_nodes + 1) * sizeof(*head));
	for (e = 0; e < E->nr_edges; e++)
		head[E->edges[e][1] + 1]++;
	for (i = 0; i < E->nr_nodes; i++)
		head[i + 1] += head[i];
	for (e = E->nr_edges; e > 0; e--) /* from the end of each list */
		from[--head[E->edges[e - 1][1] + 1]] = E->edges[e - 1][0];
	for (i = 0; i < E->nr_nodes; i++)
		if (E->nodes[i].final) {
			E->nodes[i].ends = true;
			queue[nr++] = i;
		}
	/* head[n + 1] is where the list of n starts now; it ends where the next one starts. */
	for (i = 0; i < nr; i++) {
		uint32_t n = queue[i], k = head[n + 1], end = n + 2 <= E->nr_nodes ? head[n + 2] : (uint32_t)E->nr_edges;

		for (; k < end; k++)
			if (!E->nodes[from[k]].ends) {
				E->nodes[from[k]].ends = true;
				queue[nr++] = from[k];
			}
	}
	free(head);
	free(from);
	free(queue);
	for (i = 0; i < E->nr_nodes; i++)
		if (!E->nodes[i].ends)
			return i;
	return UINT32_MAX;
}

static void report_stuck(uint32_t n, const char *exe)
{
	struct action *acts;
	unsigned int len = 0;
	uint32_t i;

	for (i = n; i; i = E->nodes[i].parent)
		len++;
	acts = calloc(len + 1, sizeof(*acts));
	for (i = n; i; i = E->nodes[i].parent)
		acts[--len] = E->nodes[i].act;
	for (i = n; i; i = E->nodes[i].parent)
		len++;
	if (!E->quiet) {
		print_trace(acts, len, exe);
		for (i = 0; i < E->sc->threads; i++)
			if (!threads[i].done)
				print_step(len, (struct action){ (uint8_t)i, STEP, 0 }, threads[i].pc, exe);
	}
	snprintf(E->why, sizeof(E->why), "from here the threads cannot all come to an end");
	if (!E->quiet)
		printf("  then: %s\n", E->why);
	free(acts);
}

static void *map_zero(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return p;
}

static struct explorer *make_explorer(void)
{
	struct explorer *e = map_zero(sizeof(*e));

	e->base = __data_start;
	e->len = (size_t)(_end - __data_start);
	e->pristine = map_zero(e->len);
	memcpy(e->pristine, e->base, e->len);
	e->stacks = map_zero(VERIFY_THREADS_MAX * STACK_BYTES);
	e->users = map_zero(e->len / 8 + 2);
	e->written = map_zero(e->len / 8 + 2);
	e->shared = map_zero(e->len / 8 + 2);
	e->found = map_zero(e->len / 8 + 2);
	e->lockset = map_zero((e->len / 8 + 2) * 2);
	memset(e->lockset, 0xff, (e->len / 8 + 2) * 2);
	e->changes = map_zero(e->len / LINE + 2);
	e->lines = map_zero((e->len / LINE + 2) * sizeof(*e->lines));
	e->max_nodes = 30u << 20;
	e->nodes = map_zero((size_t)e->max_nodes * sizeof(*e->nodes));
	e->table_mask = (64u << 20) - 1;
	e->table = map_zero((e->table_mask + 1) * sizeof(*e->table));
	e->max_edges = 160u << 20;
	e->edges = map_zero(e->max_edges * sizeof(*e->edges));
	e->max_levels = 20000;
	e->levels = map_zero(e->max_levels * sizeof(*e->levels));
	e->limit = 600;
	e->running = -1;
	return e;
}

static bool run(const char *exe)
{
	uint32_t stuck;
	bool ok;

	E->start = now();
	warm_up();
	do {
		if (take_found() && getenv("VERIFY_DEBUG"))
			fprintf(stderr, "%.1f s: start over, %u states so far\n", now() - E->start, E->nr_nodes);
		ok = search();
	} while (!E->failed && E->restart);
	if (E->failed) {
		report_failure(exe);
		return false;
	}
	if (!ok)
		return false;
	stuck = walk_back();
	if (stuck != UINT32_MAX) {
		report_stuck(stuck, exe);
		return false;
	}
	return true;
}

/* MODEL [--tso] [--quiet] [--limit SECONDS] SCENARIO; without one: their names. */
int main(int argc, char **argv)
{
	const struct verify_scenario *sc;
	bool ok;
	int i;

	E = make_explorer();
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--tso") == 0)
			E->tso = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			E->quiet = true;
		else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc)
			E->limit = atof(argv[++i]);
	}
	if (i == argc) {
		for (sc = verify_scenarios; sc->name; sc++)
			puts(sc->name);
		return 0;
	}
	for (sc = verify_scenarios; sc->name && strcmp(sc->name, argv[i]); sc++)
		;
	if (!sc->name) {
		fprintf(stderr, "no scenario %s\n", argv[i]);
		return 2;
	}
	E->sc = sc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	ok = run(argv[0]);
	printf("%s %s%s: %s; %u states, %lu transitions, %.1f s\n", ok ? "holds" : "FAILS", sc->name, E->tso ? " (tso)" : "",
	       ok ? sc->what : E->why, E->nr_nodes, (unsigned long)E->nr_edges, now() - E->start);
	return ok ? 0 : 1;
}
