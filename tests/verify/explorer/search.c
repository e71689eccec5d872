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
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WARM_UP_RUNS 500
#define WARM_UP_STEPS 5000

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
bool search(void)
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
void warm_up(void)
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

bool take_found(void)
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
