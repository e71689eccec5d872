/* SPDX-License-Identifier: MIT */
/* For the audit: what a domain maps of others, and of its own, by grant. */
#include "grant/private.h"

void grant_each_mapping(struct domain *d, void (*fn)(mfn_t frame, bool readonly, void *arg), void *arg)
{
	struct grant_table *gt = d->grant;
	uint32_t i;

	for (i = 0; gt && i < gt->nr_maptrack * MAPTRACK_PER_PAGE; i++) {
		const struct maptrack *m = maptrack_get(gt, i);

		if (m->rd != NULL)
			fn(m->frame, m->flags & MT_RO, arg);
	}
}

struct wanted {
	mfn_t frame;
	bool writable, found;
};

static void look_at(mfn_t frame, bool readonly, void *arg)
{
	struct wanted *w = arg;

	w->found = w->found || (frame.m == w->frame.m && !(w->writable && readonly));
}

bool grant_maps_frame(struct domain *d, mfn_t frame, bool writable)
{
	struct wanted w = { frame, writable, false };

	grant_each_mapping(d, look_at, &w);
	return w.found;
}
