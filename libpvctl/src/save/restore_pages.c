/* SPDX-License-Identifier: MIT */
#include "build/dommem.h"
#include "hv/hv.h"
#include "save/restore.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define ORDER_2M 9u
#define PAGES_2M (1u << ORDER_2M)
#define PIECE_PAGES 64u

/* Room for n pfns; those that are there stay. */
int restore_grow(struct restorer *s, uint64_t n, struct pvctl_error *err)
{
	uint64_t *p2m = realloc(s->p2m, n * sizeof(*p2m)), *origin, i;
	uint8_t *type;

	if (!p2m)
		return err_nomem(err);
	s->p2m = p2m;
	origin = realloc(s->origin, n * sizeof(*origin));
	if (!origin)
		return err_nomem(err);
	s->origin = origin;
	type = realloc(s->type, n);
	if (!type)
		return err_nomem(err);
	s->type = type;
	for (i = s->n; i < n; i++) {
		p2m[i] = NO_FRAME;
		origin[i] = 0;
		type[i] = PFN_NOTAB;
	}
	s->n = n;
	return 0;
}

static int allocate_reserve(struct restorer *s, uint32_t n, struct pvctl_error *err)
{
	uint32_t i, max = hv_populate_max(s->t);
	int got;

	s->reserve = malloc(n * sizeof(*s->reserve));
	s->taken = calloc(n, PAGES_2M / 8);
	if (!s->reserve || !s->taken)
		return err_nomem(err);
	for (i = 0; i < n; i++)
		s->reserve[i] = (uint64_t)i << ORDER_2M;
	/* A refusal is none: each page asks for itself then. */
	got = hv_populate(s->t, s->domid, ORDER_2M, s->reserve, s->reserve, n < max ? n : max, NULL);
	s->n_reserve = got > 0 ? (uint32_t)got : 0;
	return 0;
}

/*
 * Most domains have all their memory: it is allocated at once, and pages take theirs as they come, since each call costs a way
 * there and back. One with holes, as a balloon leaves them, gets what it has alone.
 */
static int reserve(struct restorer *s, struct pvctl_error *err)
{
	struct dommem m = { .t = s->t, .domid = s->domid };
	CLEANUP_FREE uint64_t *frame = NULL;
	uint64_t i;
	int rc;

	if (s->reserve || s->n > s->plan.nr_pages || s->n < PAGES_2M)
		return 0;
	rc = allocate_reserve(s, (uint32_t)(s->n >> ORDER_2M), err);
	if (rc || !s->n_reserve)
		return rc;
	m.nr_pages = s->n_reserve << ORDER_2M;
	m.p2m = frame = malloc(m.nr_pages * sizeof(*frame));
	if (!frame)
		return err_nomem(err);
	for (i = 0; i < m.nr_pages; i++)
		frame[i] = s->reserve[i >> ORDER_2M] + i % PAGES_2M;
	return dommem_back(&m, err);
}

/* NO_FRAME: none waits for it. Once: what was given back since is not the domain's any more. */
static uint64_t take_reserved(struct restorer *s, uint64_t pfn)
{
	uint8_t bit = (uint8_t)(1u << (pfn & 7));

	if (pfn >> ORDER_2M >= s->n_reserve || s->taken[pfn >> 3] & bit)
		return NO_FRAME;
	s->taken[pfn >> 3] |= bit;
	s->populated++;
	return s->reserve[pfn >> ORDER_2M] + pfn % PAGES_2M;
}

int restore_pages_end(struct restorer *s, struct pvctl_error *err)
{
	uint32_t max = hv_populate_max(s->t), n = 0;
	CLEANUP_FREE uint64_t *list = malloc(max * sizeof(*list));
	uint64_t pfn;
	int rc = 0;

	if (!list)
		return err_nomem(err);
	for (pfn = 0; pfn < s->n_reserve << ORDER_2M && !rc; pfn++) {
		if (s->taken[pfn >> 3] >> (pfn & 7) & 1)
			continue;
		list[n++] = s->reserve[pfn >> ORDER_2M] + pfn % PAGES_2M;
		if (n < max)
			continue;
		rc = hv_release(s->t, s->domid, list, n, err);
		n = 0;
	}
	s->n_reserve = 0;
	return rc || !n ? rc : hv_release(s->t, s->domid, list, n, err);
}

/* The tables are ours: a configuration that says a TiB must not take 17 GiB of this process. */
int restore_most(struct restorer *s, uint64_t *ret, struct pvctl_error *err)
{
	uint64_t pages = s->plan.maxmem_mib << 8;
	struct xen_sysctl_physinfo host;
	int rc = hv_physinfo(s->t, &host, err);

	if (!rc)
		*ret = save_most_pfns(pages < host.total_pages ? pages : host.total_pages);
	return rc;
}

/* A live stream may have several: the list moved, or grew. */
int restore_p2m_record(struct restorer *s, struct pvctl_error *err)
{
	const struct rec_p2m *p = (const void *)s->r.rec.body;
	uint64_t most, n = p->end + 1ull;
	uint64_t *frame;
	int rc = restore_most(s, &most, err);

	if (rc)
		return rc;
	if (p->start)
		return stream_fail(&s->r, err, -EPROTO, "it begins at pfn 0x%x", p->start);
	if (n > most || n < s->n)
		return stream_fail(&s->r, err, -EPROTO, "%llu pfns are %s", (unsigned long long)n,
		                   n < s->n ? "fewer than before" : "too many for the domain's memory");
	rc = restore_grow(s, n, err);
	if (rc)
		return rc;
	frame = realloc(s->frame, (n + 511) / 512 * sizeof(*frame));
	if (!frame)
		return err_nomem(err);
	s->frame = frame;
	s->n_frames = (n + 511) / 512;
	s->p2m_offset = s->r.rec.offset;
	memcpy(frame, p->pfn, s->n_frames * sizeof(*frame));
	return reserve(s, err);
}

static bool wants_frame(uint64_t entry)
{
	return PFN_TYPE(entry) != PFN_XTAB && PFN_TYPE(entry) != PFN_BROKEN;
}

/* 2 MiB that are all wanted and in order. A refusal is none: 4 KiB pages tell. */
static bool populate_large(struct restorer *s, const uint64_t *pfns, uint32_t left)
{
	uint64_t first = PFN_NUMBER(pfns[0]), mfn, i;
	struct pvctl_error ignored;

	if (first % PAGES_2M || left < PAGES_2M || first + PAGES_2M > s->n)
		return false;
	for (i = 0; i < PAGES_2M; i++)
		if (PFN_NUMBER(pfns[i]) != first + i || !wants_frame(pfns[i]) || s->p2m[first + i] != NO_FRAME)
			return false;
	if (s->machine->populate(s, ORDER_2M, &first, &mfn, 1, &ignored) != 1)
		return false;
	for (i = 0; i < PAGES_2M; i++)
		s->p2m[first + i] = mfn + i;
	s->populated += PAGES_2M;
	return true;
}

static int populate_small(struct restorer *s, const uint64_t *list, uint32_t n, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *mfn = malloc((n ? n : 1) * sizeof(*mfn));
	uint32_t i, k, done;
	int got;

	if (!mfn)
		return err_nomem(err);
	for (done = 0; done < n; done += (uint32_t)got) {
		k = n - done < hv_populate_max(s->t) ? n - done : hv_populate_max(s->t);
		got = s->machine->populate(s, 0, list + done, mfn, k, err);
		if (got < 0)
			return stream_wrap(&s->r, err, got);
		for (i = 0; i < (uint32_t)got; i++)
			s->p2m[list[done + i]] = mfn[i];
		s->populated += (uint32_t)got;
		if ((uint32_t)got < k)
			return stream_fail(&s->r, err, -ENOMEM, "it brings more memory than the domain may have (%llu MiB), or the node has",
			                   (unsigned long long)s->plan.maxmem_mib);
	}
	return 0;
}

static int populate(struct restorer *s, const struct rec_pages *p, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *list = malloc(p->count * sizeof(*list)), *fresh = malloc(p->count * sizeof(*fresh));
	uint32_t i, k, n = 0, n_fresh = 0;
	struct dommem m = { .t = s->t, .domid = s->domid };
	int rc;

	if (!list || !fresh)
		return err_nomem(err);
	for (i = 0; i < p->count; i++) {
		uint64_t pfn = PFN_NUMBER(p->pfn[i]);

		if (pfn >= s->n && (rc = s->machine->make_room(s, pfn, err)))
			return rc;
		if (!wants_frame(p->pfn[i]) || s->p2m[pfn] != NO_FRAME)
			continue;
		s->p2m[pfn] = take_reserved(s, pfn);
		if (s->p2m[pfn] != NO_FRAME)
			continue;
		if (populate_large(s, p->pfn + i, p->count - i)) {
			for (k = 0; k < PAGES_2M; k++)
				fresh[n_fresh++] = pfn + k;
			i += PAGES_2M - 1;
			continue;
		}
		fresh[n_fresh++] = pfn;
		s->p2m[pfn] = 0; /* once, however often it is named */
		list[n++] = pfn;
	}
	rc = populate_small(s, list, n, err);
	for (i = 0; i < n && rc; i++)
		s->p2m[list[i]] = NO_FRAME;
	if (rc)
		return rc;
	for (i = 0; i < n_fresh; i++)
		fresh[i] = s->p2m[fresh[i]];
	m.p2m = fresh;
	m.nr_pages = n_fresh;
	return n_fresh ? dommem_back(&m, err) : 0;
}

static int write_frames(struct restorer *s, const uint64_t *mfn, uint32_t n, struct pvctl_error *err)
{
	uint32_t i, k;
	int rc = 0;

	for (i = 0; i < n && !rc; i += k) {
		for (k = 1; i + k < n && mfn[i + k] == mfn[i] + k; k++)
			;
		rc = s->t->ops->write_mem(s->t, mfn[i] * STREAM_PAGE, s->piece + (size_t)i * STREAM_PAGE, (size_t)k * STREAM_PAGE);
	}
	if (rc == -EINVAL)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: its memory is not in the node's", s->domid);
	return rc ? err_os(err, -rc, "writing the domain's memory") : 0;
}

static int read_piece(struct restorer *s, const uint64_t *mfn, uint32_t n, struct pvctl_error *err)
{
	struct iovec v = { s->piece, (size_t)n * STREAM_PAGE };
	int rc = stream_reader_pages(&s->r, &v, 1, err);

	return rc ? rc : write_frames(s, mfn, n, err);
}

/*
 * By way of a buffer that the CPU's cache holds, not straight to where they are to be: mapped, each page would cost a
 * fault, and would be cleared before it is written.
 */
static int read_pages(struct restorer *s, const struct rec_pages *p, struct pvctl_error *err)
{
	uint64_t mfn[PIECE_PAGES];
	uint32_t i, n = 0;
	int rc = 0;

	if (!s->piece)
		s->piece = malloc((size_t)PIECE_PAGES * STREAM_PAGE);
	if (!s->piece)
		return err_nomem(err);
	for (i = 0; i < p->count && !rc; i++) {
		if (!pfn_type_has_data(PFN_TYPE(p->pfn[i])))
			continue;
		mfn[n++] = s->p2m[PFN_NUMBER(p->pfn[i])];
		if (n < PIECE_PAGES)
			continue;
		rc = read_piece(s, mfn, n, err);
		n = 0;
	}
	return rc || !n ? rc : read_piece(s, mfn, n, err);
}

/* What was sent, and is gone since: its frame stays the domain's, out of its sight, were it not given back. */
static int give_back(struct restorer *s, const struct rec_pages *p, struct pvctl_error *err)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < p->count && !rc; i++) {
		uint64_t pfn = PFN_NUMBER(p->pfn[i]);

		if (wants_frame(p->pfn[i]) || s->p2m[pfn] == NO_FRAME)
			continue;
		rc = s->machine->release(s, pfn, err);
		s->p2m[pfn] = NO_FRAME;
		s->populated--;
	}
	return rc;
}

int restore_page_record(struct restorer *s, struct pvctl_error *err)
{
	const struct rec_pages *p = (const void *)s->r.rec.body;
	uint32_t i;
	int rc = populate(s, p, err);

	if (!rc)
		rc = read_pages(s, p, err);
	if (!rc)
		rc = give_back(s, p, err);
	for (i = 0; i < p->count && !rc; i++) {
		s->type[PFN_NUMBER(p->pfn[i])] = PFN_TYPE(p->pfn[i]);
		s->origin[PFN_NUMBER(p->pfn[i])] = s->r.rec.offset;
	}
	return rc;
}

uint64_t restore_plain_frame(const struct restorer *s, uint64_t pfn)
{
	return pfn < s->n && !pfn_type_level(s->type[pfn]) ? s->p2m[pfn] : NO_FRAME;
}
