/* SPDX-License-Identifier: MIT */
/* For the audit: all that a p2m refers to. */
#include "p2m/private.h"
#include "x86/printk.h"

struct walk {
	void (*fn)(mfn_t frame, uint64_t gfn, enum p2m_type type, void *arg);
	void *arg;
	uint64_t tables;
};

static void walk_table(struct walk *w, const pte_t *t, int level, uint64_t gfn)
{
	uint64_t step = 1ULL << (9 * (level - 1)), k;

	for (unsigned int i = 0; i < P2M_ENTRIES; i++, gfn += step) {
		pte_t e = t[i];

		if (!(e & PTE_P))
			continue;
		if (level > 1 && !(e & PTE_PSE)) {
			w->tables++;
			walk_table(w, mfn_to_virt(pte_mfn(e)), level - 1, gfn);
			continue;
		}
		for (k = 0; k < step; k++)
			w->fn(mfn(pte_mfn(e).m + k), gfn + k, pte_p2m_type(e), w->arg);
	}
}

bool p2m_each_frame(struct domain *d, void (*fn)(mfn_t frame, uint64_t gfn, enum p2m_type type, void *arg), void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };

	if (!d->p2m)
		return true;
	walk_table(&w, d->p2m->root, 4, 0);
	return w.tables == d->p2m->nr_tables;
}
