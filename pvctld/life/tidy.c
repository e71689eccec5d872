/* SPDX-License-Identifier: MIT */
#include "pvctld/life/tidy.h"
#include "pvctld/base/tidy.h"
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/node/hvlog.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_NS 60000000000ull
#define SOON_NS 1000000000u
#define DAY_S 86400u

/* Those of the domains that are there, sorted; what is older of them may go. */
struct written { const char **name; size_t n; };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_written(const struct tidy *t, const char *name)
{
	const struct written *w = t->data;

	return bsearch(&name, w->name, w->n, sizeof(*w->name), by_name);
}

static bool find_written(struct daemon *d, struct written *w)
{
	*w = (struct written){ .name = calloc(dom_count(d) + 1, sizeof(*w->name)) };
	if (!w->name)
		return false;
	list_for(p, &d->domains) {
		const struct dom *dom = list_entry(p, struct dom, link);
		const char *path = dom->console && dom->console->log.fd >= 0 ? dom->console->log.path : NULL;
		const char *slash = path ? strrchr(path, '/') : NULL;

		if (slash)
			w->name[w->n++] = slash + 1;
	}
	qsort(w->name, w->n, sizeof(*w->name), by_name);
	return true;
}

void tidy_consoles(struct daemon *d)
{
	const struct limits *l = &d->opt.limits;
	struct tidy t = { .bytes = l->consoles, .files = l->console_files, .seconds = l->console_days * DAY_S,
			  .in_use = is_written };
	struct written w;
	char dir[300];
	unsigned int n;

	/* Without memory: the next time. */
	if (!find_written(d, &w))
		return;
	t.data = &w;
	snprintf(dir, sizeof(dir), "%s/console", d->state_dir);
	n = tidy_dir(dir, &t);
	free(w.name);
	if (n)
		log_line("%u old console logs were removed (see --limits)", n);
}

/* NAME-DATE-TIME-ID.core: a name may end in what looks like another's date, but not in all of it. */
static bool is_core_of(const struct tidy *t, const char *file)
{
	const char *name = t->data;
	size_t len = strlen(name);
	unsigned int id;
	int end = 0;

	return !strncmp(file, name, len) && sscanf(file + len, "-%*8[0-9]-%*6[0-9]-%u.core%n", &id, &end) == 1 && end &&
	       !file[len + (size_t)end];
}

static bool is_core(const struct tidy *t, const char *file)
{
	size_t len = strlen(file);

	return len > 5 && !strcmp(file + len - 5, ".core");
}

int tidy_cores(struct daemon *d, const char *name, uint64_t bytes)
{
	const struct limits *l = &d->opt.limits;
	struct tidy all = { .counts = is_core }, own = { .counts = is_core_of, .data = name };
	char dir[300];

	if (l->cores && bytes > l->cores)
		return -EFBIG;
	snprintf(dir, sizeof(dir), "%s/dump", d->state_dir);
	/* The least that is a limit is 1: what is there stays beside a new one until that is written. */
	own.files = l->domain_cores > 1 ? l->domain_cores - 1 : l->domain_cores;
	all.files = l->core_files > 1 ? l->core_files - 1 : l->core_files;
	all.bytes = l->cores && bytes < l->cores ? l->cores - bytes : l->cores;
	(void)tidy_dir(dir, &own);
	(void)tidy_dir(dir, &all);
	return 0;
}

static void tidy(void *data)
{
	struct daemon *d = data;
	struct tidy cores = { .bytes = d->opt.limits.cores, .files = d->opt.limits.core_files, .counts = is_core };
	char dir[300];

	tidy_consoles(d);
	snprintf(dir, sizeof(dir), "%s/dump", d->state_dir);
	(void)tidy_dir(dir, &cores);
	hvlog_tidy(d);
	loop_timer_set(&d->loop, &d->tidy, EVERY_NS);
}

void tidy_start(struct daemon *d)
{
	loop_timer_init(&d->tidy, tidy, d);
	tidy(d);
}

void tidy_soon(struct daemon *d)
{
	if (d->tidy.fn)
		loop_timer_set(&d->loop, &d->tidy, SOON_NS);
}

void tidy_stop(struct daemon *d)
{
	if (d->tidy.fn)
		loop_timer_cancel(&d->tidy);
	d->tidy.fn = NULL;
}
