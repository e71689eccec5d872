/* SPDX-License-Identifier: MIT */
#include "build/dommem.h"
#include "build/layout.h"
#include "hv/hv.h"
#include "hv/hvm.h"
#include "transport/proto.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <string.h>

#define ORDER_2M 9u

/*
 * n extents of 2^order pages at gfn and on, as those from index on: how many were allocated. Of a translated domain the hypervisor does not
 * say where they lie: m->p2m has their gfns then.
 */
static int64_t populate_extents(struct dommem *m, uint64_t gfn, uint64_t index, uint64_t n, unsigned int order, struct pvctl_error *err)
{
	uint32_t max = hv_populate_max(m->t), batch, i;
	CLEANUP_FREE uint64_t *list = NULL;
	uint64_t done, j, size = 1ull << order;
	int got;

	if (n < max)
		max = (uint32_t)n;
	list = malloc((size_t)max * sizeof(*list));
	if (!list)
		return err_nomem(err);
	for (done = 0; done < n; done += (uint64_t)got) {
		batch = n - done < max ? (uint32_t)(n - done) : max;
		for (i = 0; i < batch; i++)
			list[i] = gfn + (done + i) * size;
		got = hv_populate(m->t, m->domid, order, list, list, batch, err);
		if (got < 0)
			return got;
		for (i = 0; i < (uint32_t)got; i++)
			for (j = 0; j < size; j++)
				m->p2m[index + (done + i) * size + j] = list[i] + j;
		if ((uint32_t)got < batch)
			return (int64_t)done + got;
	}
	return (int64_t)n;
}

/* All pages of a region, in big extents as far as there are any. */
static int populate_region(struct dommem *m, const struct pvh_region *r, struct pvctl_error *err)
{
	struct pvctl_error first = { 0 };
	uint64_t done;
	int64_t got;

	/* A refusal of the big ones is no failure: the small ones tell. */
	got = r->pages >> ORDER_2M ? populate_extents(m, r->gfn, r->index, r->pages >> ORDER_2M, ORDER_2M, &first) : 0;
	if (got < 0 && first.origin != PVCTL_ORIGIN_HV) {
		if (err)
			*err = first;
		return (int)got;
	}
	done = got < 0 ? 0 : (uint64_t)got << ORDER_2M;
	got = done < r->pages ? populate_extents(m, r->gfn + done, r->index + done, r->pages - done, 0, err) : 0;
	if (got < 0)
		return (int)got;
	if ((uint64_t)got == r->pages - done)
		return 0;
	return err_set(err, -ENOMEM, PVCTL_ORIGIN_HV, "domain %u: the node ran out of memory after %llu of %llu MiB", m->domid,
	               (unsigned long long)(r->index + done + (uint64_t)got) >> 8, (unsigned long long)m->nr_pages >> 8);
}

/* What populate_region has left in m->p2m are gfns. */
static int translate_region(struct dommem *m, const struct pvh_region *r, struct pvctl_error *err)
{
	uint64_t done, *p2m = m->p2m + r->index;
	uint32_t n, max = hv_gfns_max(m->t);
	int rc;

	for (done = 0; done < r->pages; done += n) {
		n = r->pages - done < max ? (uint32_t)(r->pages - done) : max;
		rc = hv_gfns_to_mfns(m->t, m->domid, p2m + done, n, err);
		if (rc)
			return rc;
		for (uint32_t i = 0; i < n; i++)
			if (p2m[done + i] == HV_GFN_HOLE)
				return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: there is nothing at its frame 0x%llx", m->domid,
				               (unsigned long long)(r->gfn + done + i));
	}
	return 0;
}

static int populate_all(struct transport *t, uint32_t domid, uint64_t nr_pages, const struct pvh_region *region, unsigned int n,
                        bool translated, struct dommem *ret, struct pvctl_error *err)
{
	struct dommem m = { .t = t, .domid = domid, .nr_pages = nr_pages };
	int rc = 0;

	m.p2m = malloc(nr_pages * sizeof(*m.p2m));
	if (!m.p2m)
		return err_nomem(err);
	for (unsigned int i = 0; i < n && !rc; i++) {
		rc = populate_region(&m, &region[i], err);
		if (!rc && translated)
			rc = translate_region(&m, &region[i], err);
	}
	if (rc)
		free(m.p2m);
	else
		*ret = m;
	return rc;
}

int dommem_populate(struct transport *t, uint32_t domid, uint64_t nr_pages, struct dommem *ret,
                    struct pvctl_error *err)
{
	const struct pvh_region all = { .pages = nr_pages };

	return populate_all(t, domid, nr_pages, &all, 1, false, ret, err);
}

int dommem_populate_pvh(struct transport *t, uint32_t domid, const struct pvh_layout *l, struct dommem *ret,
                        struct pvctl_error *err)
{
	return populate_all(t, domid, l->nr_pages, l->region, PVH_REGIONS, true, ret, err);
}

int dommem_write(const struct dommem *m, uint64_t addr, const void *src, uint64_t len, struct pvctl_error *err)
{
	const uint8_t *at = src;
	uint64_t pfn, run, n, off;
	int rc;

	if (addr > m->nr_pages * PAGE_SIZE || len > m->nr_pages * PAGE_SIZE - addr)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain %u: writing beyond its memory", m->domid);
	while (len) {
		pfn = addr >> PAGE_SHIFT;
		off = addr & (PAGE_SIZE - 1);
		run = 1;
		while (run * PAGE_SIZE - off < len && m->p2m[pfn + run] == m->p2m[pfn] + run)
			run++;
		n = run * PAGE_SIZE - off < len ? run * PAGE_SIZE - off : len;
		rc = m->t->ops->write_mem(m->t, (m->p2m[pfn] << PAGE_SHIFT) + off, at, n);
		if (rc)
			return err_os(err, -rc, "domain %u: writing to its memory", m->domid);
		at += n;
		addr += n;
		len -= n;
	}
	return 0;
}

#define BACK_PAGES (PROTO_BACK_BYTES >> PAGE_SHIFT)

int dommem_back(const struct dommem *m, struct pvctl_error *err)
{
	CLEANUP_FREE struct proto_range *r = calloc(PROTO_BACK_RANGES, sizeof(*r));
	uint64_t pfn = 0;
	int rc = 0;

	if (!r)
		return err_nomem(err);
	while (pfn < m->nr_pages && !rc) {
		uint64_t pages = 0;
		size_t n = 0;

		for (; pfn < m->nr_pages && pages < BACK_PAGES; pfn++, pages++) {
			if (n && m->p2m[pfn] == m->p2m[pfn - 1] + 1) {
				r[n - 1].len += PAGE_SIZE;
				continue;
			}
			if (n == PROTO_BACK_RANGES)
				break;
			r[n++] = (struct proto_range){ m->p2m[pfn] << PAGE_SHIFT, PAGE_SIZE };
		}
		rc = m->t->ops->request(m->t, PROTO_MEMORY_BACK, r, n * sizeof(*r), NULL, NULL, NULL, err);
	}
	return rc ? err_wrap(err, rc, "domain %u: its memory", m->domid) : 0;
}

void dommem_free(struct dommem *m)
{
	free(m->p2m);
	memset(m, 0, sizeof(*m));
}
