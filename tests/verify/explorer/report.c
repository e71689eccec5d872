/* SPDX-License-Identifier: MIT */
/* What went wrong, as the steps that lead there. */
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void report_failure(const char *exe)
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
uint32_t walk_back(void)
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

void report_stuck(uint32_t n, const char *exe)
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
