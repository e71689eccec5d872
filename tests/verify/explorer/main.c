/* SPDX-License-Identifier: MIT */
/* The explorer: what it has, and the order in which it goes. */
#define _GNU_SOURCE
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

_Thread_local struct explorer *E;

extern char __data_start[], _end[];

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
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
