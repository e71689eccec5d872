/* SPDX-License-Identifier: MIT */
/* What the files of the explorer share. */
#ifndef VERIFY_EXPLORER_PRIVATE_H
#define VERIFY_EXPLORER_PRIVATE_H
#include "explore.h"

#define STACK_BYTES 16384
#define ACTIONS_MAX 16
#define STORES_MAX 8
#define LINE 64u
#define LOCKS_MAX 16u
#define WATCHED 2 /* in shared[] */

/* Part of the state: in the program's data. */
struct store {
	uintptr_t addr;
	uint64_t val;
	uint8_t size;
};
struct vthread {
	char *sp;
	bool done, irq_on, take_irq, in_irq;
	uint8_t choices, choice, atomic;
	uint16_t locks;      /* held: bits of E->locks */
	bool (*ready)(void *);
	void *ready_arg;
	const void *pc;
	/* --tso */
	uint8_t nr_stores;
};
extern struct vthread threads[VERIFY_THREADS_MAX];
/* In data lines of their own: without --tso they never change. */
extern struct store stores[VERIFY_THREADS_MAX][STORES_MAX];

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
extern _Thread_local struct explorer *E;

/* memcpy and memset, in thread.c, are the code under test's. */
static inline void raw_copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) :: "memory");
}
static inline char *stack_top(unsigned int i) { return E->stacks + (i + 1) * STACK_BYTES; }

/* main.c: seconds */
double now(void);

/* thread.c: the threads as they were at the start; what can happen next; one of that. */
void start_threads(void);
bool all_done(void);
unsigned int list_actions(struct action *a, int first);
void perform(struct action a);

/* search.c. True: complete. False: something failed, or a word turned out to be shared. */
bool search(void);
/* Some random runs, to learn what is shared before the search proper. */
void warm_up(void);
/* What was found out counts from now on; false: nothing was. */
bool take_found(void);

/* report.c: exe is for the names of lines. */
void report_failure(const char *exe);
/* A state from which not all threads can come to an end; UINT32_MAX: there is none. */
uint32_t walk_back(void);
void report_stuck(uint32_t n, const char *exe);

#endif
