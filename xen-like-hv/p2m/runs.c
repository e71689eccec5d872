/* SPDX-License-Identifier: MIT */
/* What RAM a domain has, for domain 0. */
#include "p2m/private.h"
#include "x86/softirq.h"

#define LOOK_EVERY 512u

unsigned int p2m_ram_runs(struct domain *d, uint64_t *gfn, struct p2m_run *runs, unsigned int max)
{
	struct p2m_run last = { 0, 0, 0 };
	unsigned int n = 0, steps = 0;
	uint64_t pages;
	pte_t e;

	for (; *gfn < P2M_MAX_GFN; *gfn += pages) {
		if (++steps % LOOK_EVERY == 0 && preempt_wanted())
			break;
		e = p2m_walk_far(d->p2m, *gfn, &pages);
		if (!p2m_is_ram(pte_p2m_type(e)))
			continue;
		if (n != 0 && last.gfn + last.nr_pages == *gfn && last.mfn + last.nr_pages == pte_mfn(e).m) {
			last.nr_pages += pages;
		} else if (n == max) {
			break;
		} else {
			last = (struct p2m_run){ *gfn, pte_mfn(e).m, pages };
			n++;
		}
		runs[n - 1] = last;
	}
	return n;
}
