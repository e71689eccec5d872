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
#define POPULATE_BATCH 1024u

/* Of n extents of 2^order pages from pfn first on: how many were allocated. */
static int64_t populate_extents(struct dommem *m, uint64_t first, uint64_t n, unsigned int order,
                                struct pvctl_error *err)
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
			list[i] = first + (done + i) * size;
		got = hv_populate(m->t, m->domid, order, list, list, batch, err);
		if (got < 0)
			return got;
		for (i = 0; i < (uint32_t)got; i++)
			for (j = 0; j < size; j++)
				m->p2m[first + (done + i) * size + j] = list[i] + j;
		if ((uint32_t)got < batch)
			return (int64_t)done + got;
	}
	return (int64_t)n;
}

int dommem_populate(struct transport *t, uint32_t domid, uint64_t nr_pages, struct dommem *ret,
                    struct pvctl_error *err)
{
	struct dommem m = { .t = t, .domid = domid, .nr_pages = nr_pages };
	struct pvctl_error first = { 0 };
	uint64_t done;
	int64_t got;

	m.p2m = malloc(nr_pages * sizeof(*m.p2m));
	if (!m.p2m)
		return err_nomem(err);
	/* A refusal of the big ones is no failure: the small ones tell. */
	got = nr_pages >> ORDER_2M ? populate_extents(&m, 0, nr_pages >> ORDER_2M, ORDER_2M, &first) : 0;
	if (got < 0 && first.origin != PVCTL_ORIGIN_HV) {
		if (err)
			*err = first;
		goto fail;
	}
	done = got < 0 ? 0 : (uint64_t)got << ORDER_2M;
	got = done < nr_pages ? populate_extents(&m, done, nr_pages - done, 0, err) : 0;
	if (got < 0)
		goto fail;
	if ((uint64_t)got < nr_pages - done) {
		got = err_set(err, -ENOMEM, PVCTL_ORIGIN_HV, "domain %u: the node ran out of memory after %llu of %llu MiB", domid,
		              (unsigned long long)(done + (uint64_t)got) >> 8, (unsigned long long)nr_pages >> 8);
		goto fail;
	}
	*ret = m;
	return 0;
fail:
	free(m.p2m);
	return (int)got;
}

/* Of the region's pages from the one numbered done on; *ret: how many were allocated. */
static int populate_region(struct transport *t, uint32_t domid, const struct pvh_region *r, unsigned int order,
                           uint64_t done, uint64_t *ret, struct pvctl_error *err)
{
	uint64_t extents = (r->pages - done) >> order, i, list[POPULATE_BATCH];
	uint32_t max = hv_populate_max(t), batch;
	int got;

	if (max > POPULATE_BATCH)
		max = POPULATE_BATCH;
	for (*ret = 0; extents; extents -= batch) {
		batch = extents < max ? (uint32_t)extents : max;
		for (i = 0; i < batch; i++)
			list[i] = r->gfn + done + *ret + (i << order);
		got = hv_populate(t, domid, order, list, list, batch, err);
		if (got < 0)
			return got;
		*ret += (uint64_t)got << order;
		if ((uint32_t)got < batch)
			break;
	}
	return 0;
}

/* The hypervisor does not say where an extent of a translated domain lies: that is asked for. */
static int translate_region(struct dommem *m, const struct pvh_region *r, struct pvctl_error *err)
{
	uint64_t done, *p2m = m->p2m + r->index;
	uint32_t n, max = hv_gfns_max(m->t);
	int rc;

	for (done = 0; done < r->pages; done += n) {
		n = r->pages - done < max ? (uint32_t)(r->pages - done) : max;
		for (uint32_t i = 0; i < n; i++)
			p2m[done + i] = r->gfn + done + i;
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

static int populate_pvh(struct dommem *m, const struct pvh_region *r, struct pvctl_error *err)
{
	struct pvctl_error first = { 0 };
	uint64_t big = 0, small;
	int rc;

	/* A refusal of the big ones is no failure: the small ones tell. */
	rc = populate_region(m->t, m->domid, r, ORDER_2M, 0, &big, &first);
	if (rc && first.origin != PVCTL_ORIGIN_HV) {
		if (err)
			*err = first;
		return rc;
	}
	rc = populate_region(m->t, m->domid, r, 0, big, &small, err);
	if (!rc && big + small < r->pages)
		rc = err_set(err, -ENOMEM, PVCTL_ORIGIN_HV, "domain %u: the node ran out of memory after %llu of %llu MiB", m->domid,
		             (unsigned long long)(r->index + big + small) >> 8, (unsigned long long)m->nr_pages >> 8);
	return rc ? rc : translate_region(m, r, err);
}

int dommem_populate_pvh(struct transport *t, uint32_t domid, const struct pvh_layout *l, struct dommem *ret,
                        struct pvctl_error *err)
{
	struct dommem m = { .t = t, .domid = domid, .nr_pages = l->nr_pages };
	int rc = 0;

	m.p2m = malloc(l->nr_pages * sizeof(*m.p2m));
	if (!m.p2m)
		return err_nomem(err);
	for (unsigned int i = 0; i < PVH_REGIONS && !rc; i++)
		if (l->region[i].pages)
			rc = populate_pvh(&m, &l->region[i], err);
	if (rc)
		free(m.p2m);
	else
		*ret = m;
	return rc;
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
