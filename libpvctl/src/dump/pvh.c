/* SPDX-License-Identifier: MIT */
/* A PVH domain's pages: what its nested tables have as its own memory. */
#include "dump/private.h"
#include "hv/hvm.h"

static int add_run(struct dump *u, const struct hv_run *r, struct pvctl_error *err)
{
	int rc = 0;

	for (uint64_t i = 0; i < r->nr_pages && !rc; i++)
		if (u->t->ops->map(u->t, r->mfn + i, 1))
			rc = dump_add(u, r->gfn + i, r->mfn + i, err);
	return rc;
}

static int find(struct dump *u, bool stopped, struct pvctl_error *err)
{
	struct hv_run run[HV_RUNS_MAX];
	uint64_t gfn = 0;
	int n, rc = 0;

	(void)stopped;
	do {
		n = hv_ram_runs(u->t, u->domid, &gfn, run, err);
		for (int i = 0; i < n && !rc; i++)
			rc = add_run(u, &run[i], err);
	} while (n > 0 && !rc);
	return n < 0 ? n : rc;
}

static int look_again(struct dump *u, const struct core_p2m *page, uint32_t n, bool *gone, struct pvctl_error *err)
{
	uint64_t frame[DUMP_BATCH];
	int rc;

	for (uint32_t i = 0; i < n; i++)
		frame[i] = page[i].pfn;
	rc = hv_gfns_to_mfns(u->t, u->domid, frame, n, err);
	for (uint32_t i = 0; i < n && !rc; i++)
		gone[i] = frame[i] != page[i].gmfn;
	return rc;
}

const struct dump_machine dump_pvh = { .by_gfn = true, .find = find, .look_again = look_again };
