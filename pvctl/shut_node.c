/* SPDX-License-Identifier: MIT */
/* The end of a node that its domains do not have to suffer: as they started, only the other way round. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/term.h"

struct turn { uint32_t domid, order; char name[128]; };

/* Those that nobody defined came after all that start by themselves. */
static uint32_t order_of(const struct pvctl_defined_list *defined, const char *name)
{
	const struct pvctl_defined_info *i;

	for (size_t n = 0; defined && (i = pvctl_defined_list_at(defined, n)); n++)
		if (i->autostart && !strcmp(i->name, name))
			return i->order;
	return UINT32_MAX;
}

static int last_first(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	return x->order != y->order ? (x->order < y->order) - (x->order > y->order) : (x->domid < y->domid) - (x->domid > y->domid);
}

static int make_turns(struct pvctl *ctx, const char *node, struct turn **ret, size_t *ret_n)
{
	struct pvctl_defined_list *defined = NULL;
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	struct pvctl_error err = { 0 };
	struct turn *t;
	size_t n = 0;

	if (pvctl_domain_list(ctx, &list, &err))
		return fail("node stop", node, &err);
	t = calloc(pvctl_domain_list_count(list) + 1, sizeof(*t));
	(void)!pvctl_defined_list(node, &defined, NULL);
	for (size_t i = 0; t && (d = pvctl_domain_list_at(list, i)); i++) {
		if (!d->domid || !d->name[0] || d->state >= PVCTL_STATE_SHUTDOWN)
			continue;
		t[n] = (struct turn){ .domid = d->domid, .order = order_of(defined, d->name) };
		memcpy(t[n++].name, d->name, sizeof(t->name));
	}
	pvctl_defined_list_free(defined);
	pvctl_domain_list_free(list);
	if (!t) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	qsort(t, n, sizeof(*t), last_first);
	*ret = t;
	*ret_n = n;
	return 0;
}

/* Paused ones could not hear it. */
static void ask(struct pvctl *ctx, const struct turn *t)
{
	struct pvctl_error err = { 0 };

	note("Shutting down %s (%u)", t->name, t->domid);
	if (pvctl_domain_request(ctx, t->domid, "poweroff", &err) && err.code != -ESRCH)
		fail("shutdown", t->name, &err);
	else if (pvctl_domain_unpause(ctx, t->domid, &err) && err.code != -ESRCH && err.code != -EINVAL)
		fail("shutdown", t->name, &err);
}

static int wait_for(struct pvctl *ctx, const struct turn *t, uint64_t end)
{
	uint64_t now = now_ns();
	struct pvctl_error err = { 0 };
	int32_t reason;
	int rc = pvctl_domain_wait(ctx, t->domid, end > now ? (uint32_t)((end - now) / 1000000) + 1 : 1, &reason, &err);

	if (rc == -ETIMEDOUT)
		say_error("%s (%u) has not shut down in time: it ends with the node", t->name, t->domid);
	else if (rc == -ECANCELED)
		say_error("interrupted; the node goes on");
	else if (rc && rc != -ESRCH)
		fail("shutdown", t->name, &err);
	return rc == -ECANCELED ? EXIT_FAILED : 0;
}

int node_shut_domains(const char *name, uint32_t timeout_ms)
{
	struct pvctl_open_opts opts = { .size = sizeof(opts), .node = name, .log = node_log, .progress = progress_step };
	uint64_t end = now_ns() + timeout_ms * UINT64_C(1000000);
	struct pvctl_error err = { 0 };
	struct turn *t = NULL;
	size_t n = 0, from, to;
	struct pvctl *ctx;
	int rc;

	/* A node that does not run, or does not answer, is for node stop to tell of. */
	if (pvctl_open(&opts, &ctx, &err))
		return 0;
	interrupts_catch();
	rc = make_turns(ctx, name, &t, &n);
	/* Those of one order have nothing to wait for from each other. */
	for (from = 0; !rc && from < n; from = to) {
		for (to = from; to < n && t[to].order == t[from].order; to++)
			ask(ctx, &t[to]);
		for (size_t i = from; !rc && i < to; i++)
			rc = wait_for(ctx, &t[i], end);
	}
	free(t);
	pvctl_close(ctx);
	return rc;
}
