/* SPDX-License-Identifier: MIT */
/* A PV domain's pages: frames of which the machine-to-physical table says what the guest calls them. */
#include "dump/private.h"
#include "hv/state.h"
#include <stdlib.h>
#include <string.h>

#define M2P_ENTRIES (2ull << 20 >> 3) /* of each extent */
#define M2P_EXTENTS 1024u
#define MAX_PFN (1ull << 36)

struct m2p {
	uint64_t first[M2P_EXTENTS];
	uint32_t n;
};

static uint64_t pfn_of(const struct dump *u, const struct m2p *m, uint64_t mfn)
{
	uint64_t extent = mfn / M2P_ENTRIES;
	const uint64_t *table;

	if (extent >= m->n || !m->first[extent])
		return CORE_NO_PFN;
	table = u->t->ops->map(u->t, m->first[extent], M2P_ENTRIES * 8 / CORE_PAGE);
	if (!table)
		return CORE_NO_PFN;
	mfn = __atomic_load_n(&table[mfn % M2P_ENTRIES], __ATOMIC_RELAXED);
	return mfn < MAX_PFN ? mfn : CORE_NO_PFN;
}

static int scan(struct dump *u, const struct m2p *m, bool stopped, struct pvctl_error *err)
{
	struct xen_sysctl_physinfo host;
	uint64_t type[HV_FRAME_TYPES_MAX];
	uint32_t i, n;
	int rc = hv_physinfo(u->t, &host, err);

	/* One that does not run gets no more than it has. */
	for (uint64_t mfn = 0; !rc && mfn <= host.max_mfn && (!stopped || u->n < u->info.tot_pages); mfn += n) {
		n = host.max_mfn - mfn < HV_FRAME_TYPES_MAX - 1 ? (uint32_t)(host.max_mfn - mfn) + 1 : HV_FRAME_TYPES_MAX;
		for (i = 0; i < n; i++)
			type[i] = mfn + i;
		rc = hv_frame_types(u->t, u->domid, type, n, err);
		for (i = 0; i < n && !rc; i++)
			if (type[i] != XEN_DOMCTL_PFINFO_XTAB && u->t->ops->map(u->t, mfn + i, 1))
				rc = dump_add(u, pfn_of(u, m, mfn + i), mfn + i, err);
	}
	return rc;
}

static int by_pfn(const void *a, const void *b)
{
	const struct core_p2m *x = a, *y = b;

	if (x->pfn != y->pfn)
		return x->pfn < y->pfn ? -1 : 1;
	return x->gmfn < y->gmfn ? -1 : x->gmfn > y->gmfn;
}

/* The table is the guest's own word, too: of two frames that claim one place, the second has none. */
static void place(struct dump *u)
{
	uint64_t last = CORE_NO_PFN;

	qsort(u->page, u->n, sizeof(*u->page), by_pfn);
	for (uint64_t i = 0; i < u->n; i++) {
		if (u->page[i].pfn == last)
			u->page[i].pfn = CORE_NO_PFN;
		else
			last = u->page[i].pfn;
	}
	qsort(u->page, u->n, sizeof(*u->page), by_pfn);
}

static int find(struct dump *u, bool stopped, struct pvctl_error *err)
{
	struct m2p m;
	int rc = hv_m2p_frames(u->t, m.first, M2P_EXTENTS, err);

	if (rc < 0)
		return rc;
	m.n = (uint32_t)rc;
	rc = scan(u, &m, stopped, err);
	if (!rc)
		place(u);
	return rc;
}

static int look_again(struct dump *u, const struct core_p2m *page, uint32_t n, bool *gone, struct pvctl_error *err)
{
	uint64_t type[DUMP_BATCH];
	int rc;

	for (uint32_t i = 0; i < n; i++)
		type[i] = page[i].gmfn;
	rc = hv_frame_types(u->t, u->domid, type, n, err);
	for (uint32_t i = 0; i < n && !rc; i++)
		gone[i] = type[i] == XEN_DOMCTL_PFINFO_XTAB;
	return rc;
}

const struct dump_machine dump_pv = { .find = find, .look_again = look_again };
