/* SPDX-License-Identifier: MIT */
/* memory_op for a domain that knows its memory by gfn: what an extent is there. */
#include "domain/uaccess.h"
#include "mm/page_alloc.h"
#include "p2m/private.h"
#include "x86/printk.h"
#include "x86/tlb.h"

void p2m_give_up(struct page_info *pg)
{
	m2p_set(page_to_mfn(pg), ~0ULL);
	if (__atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST) & PGC_allocated)
		put_page(pg);
	put_page(pg);
}

/* How many of the n frames at pg got an entry. */
static uint64_t enter(struct domain *d, uint64_t gfn, struct page_info *pg, uint64_t n, int *rc)
{
	uint64_t i = 0;

	*rc = 0;
	while (i < n) {
		if (n - i >= 1u << P2M_LARGE_ORDER && p2m_add_large(d, gfn + i, pg + i)) {
			i += 1u << P2M_LARGE_ORDER;
			continue;
		}
		*rc = p2m_add_page(d, gfn + i, pg + i, d, P2M_ram_rw);
		if (*rc)
			break;
		i++;
	}
	return i;
}

/* Those that have an entry no longer are who took it's: another vCPU may balloon out what this one populates. */
static void take_back(struct domain *d, uint64_t gfn, struct page_info *pg, uint64_t n, uint64_t entered)
{
	struct page_info *was;
	uint64_t i;

	for (i = 0; i < n; i++) {
		was = pg + i;
		if (i >= entered ? get_page(was, d) : !p2m_remove_page(d, gfn + i, page_to_mfn(was), P2M_RAM, &was))
			p2m_give_up(was);
	}
}

int p2m_populate(struct domain *d, uint64_t gfn, unsigned int order, unsigned int flags)
{
	uint64_t n = 1ULL << order, i, entered;
	struct page_info *pg;
	int rc;

	if (gfn >= P2M_MAX_GFN || n > P2M_MAX_GFN - gfn)
		return -EINVAL;
	pg = domain_page_prepare(d, order, flags | ALLOC_NO_GATHER, &rc);
	if (!pg)
		return rc == -ENOMEM ? 0 : rc;
	for (i = 0; i < n; i++)
		m2p_set(page_to_mfn(pg + i), ~0ULL);
	if (domain_page_publish(d, pg, order))
		return -EINVAL;
	entered = enter(d, gfn, pg, n, &rc);
	if (!rc)
		return 1;
	take_back(d, gfn, pg, n, entered);
	return rc;
}

unsigned int p2m_decrease(struct domain *d, const uint64_t *gfns, unsigned int n)
{
	struct page_info *was[P2M_BATCH];
	unsigned int got = p2m_remove_ram(d, gfns, n, was);

	for (unsigned int i = 0; i < got; i++)
		p2m_give_up(was[i]);
	return got;
}

int p2m_release_page(struct domain *d, uint64_t gfn) { return p2m_decrease(d, &gfn, 1) == 1 ? 0 : -EINVAL; }
