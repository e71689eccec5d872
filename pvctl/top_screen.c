/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/term.h"
#include "pvctl/top.h"

#define MIB (1024 * 1024)
#define BAR 10
#define LINE_MAX_LEN 600

static const char *const help[] = {
	"c  by CPU      t  by CPU time    m  by memory    e  by network    k  by disk",
	"i  by number   a  by name",
	"n  each network interface        x  each disk    v  each vCPU",
	"f  whole names",
	"+  -  look less often, more often",
	"Arrows and Page keys move through the list; q ends.",
	NULL
};

struct screen {
	struct top *t;
	uint32_t delay_ms;
	size_t first;    /* row that is shown first */
	bool help;
};

/* What a guest calls itself must not reach the terminal as it is. */
static void put_line(int y, const char *text)
{
	char clean[LINE_MAX_LEN];
	size_t n = 0;

	for (const char *p = text; *p && n + 1 < sizeof(clean); p++)
		clean[n++] = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
	clean[n] = '\0';
	mvaddnstr(y, 0, clean, COLS);
}

static void bar(double share, char buf[BAR + 3])
{
	int n = (int)(share * BAR + 0.5);

	n = n < 0 ? 0 : n > BAR ? BAR : n;
	buf[0] = '[';
	memset(buf + 1, ' ', BAR);
	memset(buf + 1, '|', (size_t)n);
	buf[BAR + 1] = ']';
	buf[BAR + 2] = '\0';
}

static void history(const struct top_row *r, char buf[TOP_HISTORY + 1])
{
	static const char marks[] = " .:-=+*#%@";

	for (unsigned int i = 0; i < TOP_HISTORY; i++)
		buf[i] = marks[r->history[i] * (sizeof(marks) - 2) / 100];
	buf[TOP_HISTORY] = '\0';
}

static void head(const struct screen *s)
{
	const struct pvctl_host_info *h = &s->t->host;
	unsigned int states[5] = { 0 };
	char line[LINE_MAX_LEN], used[BAR + 3];
	double cpu = 0;

	for (size_t i = 0; i < s->t->n; i++) {
		const struct pvctl_domain_info *d = &s->t->row[i].info;

		states[d->state < 5 ? d->state : 4]++;
		cpu += s->t->row[i].cpu_percent;
	}
	snprintf(line, sizeof(line), "pvctl top - node %s: %zu domains, %u running, %u blocked, %u paused, %u shut down, %u dying",
		 globals.node ? globals.node : "default", s->t->n, states[0], states[1], states[2], states[3], states[4]);
	put_line(0, line);
	bar(h->total_bytes ? 1 - (double)h->free_bytes / (double)h->total_bytes : 0, used);
	snprintf(line, sizeof(line), "Mem %s %" PRIu64 " MiB, %" PRIu64 " MiB free   every %.1f s, by %s   h: help, q: end", used,
		 h->total_bytes / MIB, h->free_bytes / MIB, s->delay_ms / 1000.0, top_sort_names[s->t->sort]);
	put_line(1, line);
	bar(h->cpus ? cpu / 100 / h->cpus : 0, used);
	snprintf(line, sizeof(line), "CPU %s %.1f %% of %u CPUs, %s", used, cpu, h->cpus, h->scheduler);
	put_line(2, line);
}

/* How much of a vCPU's time, and lately, in front of what xentop shows. */
static void row_line(const struct top *t, const struct top_row *r, char *buf, size_t size)
{
	char line[LINE_MAX_LEN], b[BAR + 3], past[TOP_HISTORY + 1];

	bar(r->cpu_percent / 100 / (r->info.vcpus_online ? r->info.vcpus_online : 1), b);
	history(r, past);
	top_line(t, r, line, sizeof(line));
	snprintf(buf, size, "%s %s %.*s", b, past, (int)sizeof(line) - 1, line);
}

static void draw(const struct screen *s)
{
	char line[LINE_MAX_LEN + 64], header[LINE_MAX_LEN];
	int y = 5;

	erase();
	head(s);
	for (int i = 0; s->help && help[i]; i++)
		put_line(y++, help[i]);
	top_header(header, sizeof(header));
	snprintf(line, sizeof(line), "%-*s %-*s %.500s", BAR + 2, "CPU", (int)TOP_HISTORY, "LATELY", header);
	attron(A_REVERSE);
	put_line(4, line);
	attroff(A_REVERSE);
	for (size_t i = s->first; !s->help && i < s->t->n && y < LINES; i++) {
		row_line(s->t, &s->t->row[i], line, sizeof(line));
		put_line(y++, line);
		for (unsigned int k = 0; y < LINES && top_detail(s->t, &s->t->row[i], k, line, sizeof(line)); k++)
			put_line(y++, line);
	}
	refresh();
}

static void move_by(struct screen *s, long by)
{
	long first = (long)s->first + by, last = (long)s->t->n - 1;

	s->first = first < 0 || last < 0 ? 0 : (size_t)(first > last ? last : first);
}

/* False: the end. */
static bool on_key(struct screen *s, int key)
{
	static const struct { int key; enum top_sort sort; } sorts[] = {
		{ 'c', TOP_CPU }, { 't', TOP_TIME }, { 'm', TOP_MEM }, { 'e', TOP_NET }, { 'k', TOP_DISK }, { 'i', TOP_ID }, { 'a', TOP_NAME },
	};

	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
		if (sorts[i].key == key)
			s->t->sort = sorts[i].sort;
	switch (key) {
	case 'q': return false;
	case 'h': case '?': s->help = !s->help; break;
	case 'n': s->t->networks = !s->t->networks; break;
	case 'x': s->t->vbds = !s->t->vbds; break;
	case 'v': s->t->vcpus = !s->t->vcpus; break;
	case 'f': s->t->full_name = !s->t->full_name; break;
	case '+': s->delay_ms = s->delay_ms < 60000 ? s->delay_ms * 2 : s->delay_ms; break;
	case '-': s->delay_ms = s->delay_ms > 200 ? s->delay_ms / 2 : s->delay_ms; break;
	case KEY_UP: move_by(s, -1); break;
	case KEY_DOWN: move_by(s, 1); break;
	case KEY_PPAGE: move_by(s, -(long)LINES / 2); break;
	case KEY_NPAGE: move_by(s, LINES / 2); break;
	default: break;
	}
	return true;
}

/* What a failed look prints would be lost behind the screen: it is left first. */
static int look(struct top *t)
{
	struct pvctl_domain_list *probe;

	if (!pvctl_domain_list(t->ctx, &probe, NULL))
		pvctl_domain_list_free(probe);
	else
		endwin();
	return top_look(t);
}

int top_screen(struct top *t, uint32_t delay_ms, uint32_t iterations)
{
	struct screen s = { .t = t, .delay_ms = delay_ms };
	uint64_t next;
	int rc = top_look(t);
	bool go_on = true;

	if (rc)
		return rc;
	setlocale(LC_CTYPE, "");
	interrupts_catch();
	if (!newterm(NULL, stdout, stdin)) {
		say_error("top: the terminal `%s' is not known: -b prints lines", getenv("TERM") ? getenv("TERM") : "");
		return EXIT_FAILED;
	}
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	for (uint32_t i = 1; !rc && go_on && !interrupted(); i++) {
		next = now_ns() + s.delay_ms * UINT64_C(1000000);
		while (go_on && !interrupted() && now_ns() < next) {
			int key;

			draw(&s);
			timeout((int)((next - now_ns()) / 1000000 < 200 ? 50 : 200));
			key = getch();
			go_on = key == ERR || on_key(&s, key);
		}
		if (iterations && i >= iterations)
			go_on = false;
		if (go_on && !interrupted())
			rc = look(t);
		move_by(&s, 0);
	}
	endwin();
	return rc;
}
