/* SPDX-License-Identifier: MIT */
/*
 * The guest's own table of its frames. The guest says where it is, and what is in it: each frame that is read on the way,
 * and each that is named, must be the domain's own, or another's memory would end up in the stream.
 */
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define PRESENT 1ull
#define LARGE 0x80ull
#define FRAME_MASK 0x000ffffffffff000ull
#define ENTRIES 512u

struct place { uint64_t n, vaddr, cr3, list; };

static int bad(const struct saver *s, struct pvctl_error *err, const char *what)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "domain %u: its list of frames cannot be read: %s", s->domid, what);
}

/* A copy of a page of the domain's own. */
static int copy_own(struct saver *s, uint64_t mfn, uint64_t *to, struct pvctl_error *err)
{
	uint64_t type = mfn;
	const void *p;
	int rc = hv_frame_types(s->t, s->domid, &type, 1, err);

	if (rc)
		return rc;
	p = type == XEN_DOMCTL_PFINFO_XTAB ? NULL : s->t->ops->map(s->t, mfn, 1);
	if (!p)
		return bad(s, err, "it names memory that is not the domain's");
	memcpy(to, p, STREAM_PAGE);
	return 0;
}

static int find(struct saver *s, struct place *ret, struct pvctl_error *err)
{
	const struct shared_info *si = s->t->ops->map(s->t, s->shared_info_mfn, 1);
	struct arch_shared_info a;
	uint64_t most;

	if (!si)
		return bad(s, err, "no shared info");
	memcpy(&a, &si->arch, sizeof(a));
	*ret = (struct place){ a.max_pfn, a.p2m_vaddr, a.p2m_cr3 >> 12, a.pfn_to_mfn_frame_list_list };
	/* Room for the holes that balloons and grants of others live in. */
	most = s->tot_pages * 4 + (1u << 20);
	if (most > STREAM_MAX_PFNS)
		most = STREAM_MAX_PFNS;
	if (!ret->n)
		return bad(s, err, "its kernel has not set it up (it still boots, or does not support being saved)");
	return ret->n > most ? bad(s, err, "it is too long") : 0;
}

/* By its own page tables, which map the list at one virtual address. A table at a time is kept. */
static int frames_linear(struct saver *s, const struct place *p, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *table = malloc(STREAM_PAGE);
	uint64_t i, va, e, last = NO_FRAME;
	int shift, rc;

	if (!table)
		return err_nomem(err);
	for (i = 0; i < s->n_frames; i++) {
		va = p->vaddr + i * STREAM_PAGE;
		if (va >> 21 != last) {
			e = p->cr3 << 12;
			for (shift = 39; shift >= 12; shift -= 9) {
				rc = copy_own(s, (e & FRAME_MASK) >> 12, table, err);
				if (rc)
					return rc;
				if (shift == 12)
					break;
				e = table[va >> shift & (ENTRIES - 1)];
				if (!(e & PRESENT) || e & LARGE)
					return bad(s, err, "its page tables do not lead there");
			}
			last = va >> 21;
		}
		e = table[va >> 12 & (ENTRIES - 1)];
		if (!(e & PRESENT))
			return bad(s, err, "its page tables do not lead there");
		s->frame[i] = (e & FRAME_MASK) >> 12;
	}
	return 0;
}

/* The older way: a page that names pages that name the list's pages. */
static int frames_list(struct saver *s, const struct place *p, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *top = malloc(STREAM_PAGE), *mid = malloc(STREAM_PAGE);
	uint64_t i;
	int rc;

	if (!top || !mid)
		return err_nomem(err);
	if (s->n_frames > ENTRIES * ENTRIES)
		return bad(s, err, "it is too long");
	rc = copy_own(s, p->list, top, err);
	for (i = 0; i < s->n_frames && !rc; i++) {
		if (i % ENTRIES == 0)
			rc = copy_own(s, top[i / ENTRIES], mid, err);
		s->frame[i] = mid[i % ENTRIES];
	}
	return rc;
}

/* What the hypervisor knows of n frames: malloc'd; NULL: see err. */
static uint64_t *types_of(struct saver *s, const uint64_t *frame, uint64_t n, int *ret_rc, struct pvctl_error *err)
{
	uint64_t *type = malloc(n * sizeof(*type));

	*ret_rc = type ? 0 : err_nomem(err);
	if (!type)
		return NULL;
	memcpy(type, frame, n * sizeof(*type));
	*ret_rc = hv_frame_types(s->t, s->domid, type, n, err);
	return type;
}

static int check_own(struct saver *s, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *type = NULL;
	uint64_t i;
	int rc;

	type = types_of(s, s->frame, s->n_frames, &rc, err);
	for (i = 0; i < s->n_frames && !rc; i++)
		if (type[i] == XEN_DOMCTL_PFINFO_XTAB || !s->t->ops->map(s->t, s->frame[i], 1))
			return bad(s, err, "it lies in memory that is not the domain's");
	return rc;
}

static void copy_entries(struct saver *s)
{
	uint64_t i, k;

	for (i = 0; i < s->n_frames; i++) {
		k = s->n - i * ENTRIES < ENTRIES ? s->n - i * ENTRIES : ENTRIES;
		memcpy(s->p2m + i * ENTRIES, s->t->ops->map(s->t, s->frame[i], 1), k * sizeof(*s->p2m));
	}
}

/* What is not the domain's own, a hole or a mapped grant, has no place in the stream. */
static int read_types(struct saver *s, struct pvctl_error *err)
{
	CLEANUP_FREE uint64_t *type = NULL;
	uint64_t i;
	int rc;

	s->max_mfn = 0;
	type = types_of(s, s->p2m, s->n, &rc, err);
	for (i = 0; i < s->n && !rc; i++) {
		s->type[i] = (uint8_t)(type[i] >> XEN_DOMCTL_PFINFO_LTAB_SHIFT);
		if (s->type[i] == PFN_XTAB || !s->t->ops->map(s->t, s->p2m[i], 1)) {
			s->type[i] = PFN_XTAB;
			s->p2m[i] = NO_FRAME;
		} else if (s->p2m[i] > s->max_mfn) {
			s->max_mfn = s->p2m[i];
		}
	}
	return rc;
}

/* While the guest runs, a frame may be on its way from one pfn to another: then it is sent later. */
static int invert(struct saver *s, struct pvctl_error *err)
{
	uint64_t i;

	free(s->pfn_of);
	s->pfn_of = calloc(s->max_mfn + 1, sizeof(*s->pfn_of));
	if (!s->pfn_of)
		return err_nomem(err);
	for (i = 0; i < s->n; i++) {
		if (s->p2m[i] == NO_FRAME)
			continue;
		if (s->pfn_of[s->p2m[i]] && s->final)
			return bad(s, err, "it names a frame twice");
		if (s->pfn_of[s->p2m[i]]) {
			s->p2m[i] = NO_FRAME;
			s->type[i] = PFN_XTAB;
		} else {
			s->pfn_of[s->p2m[i]] = (uint32_t)i + 1;
		}
	}
	return 0;
}

static int make_room(struct saver *s, uint64_t n, struct pvctl_error *err)
{
	if (s->p2m && s->n == n)
		return 0;
	/* It may have grown since the last round; never while it does not run. */
	if (s->p2m)
		return bad(s, err, "its length changed");
	s->n = n;
	s->n_frames = (n + ENTRIES - 1) / ENTRIES;
	s->p2m = malloc(n * sizeof(*s->p2m));
	s->type = malloc(n);
	s->frame = malloc(s->n_frames * sizeof(*s->frame));
	return s->p2m && s->type && s->frame ? 0 : err_nomem(err);
}

int save_p2m_read(struct saver *s, struct pvctl_error *err)
{
	struct place p = { 0 };
	int rc = find(s, &p, err);

	if (!rc)
		rc = make_room(s, p.n, err);
	if (!rc)
		rc = p.vaddr ? frames_linear(s, &p, err) : frames_list(s, &p, err);
	if (!rc)
		rc = check_own(s, err);
	if (rc)
		return rc;
	copy_entries(s);
	rc = read_types(s, err);
	return rc ? rc : invert(s, err);
}

uint64_t save_pfn_of(void *saver, uint64_t mfn)
{
	const struct saver *s = saver;

	return mfn <= s->max_mfn && s->pfn_of[mfn] ? s->pfn_of[mfn] - 1 : NO_FRAME;
}

void save_p2m_free(struct saver *s)
{
	free(s->p2m);
	free(s->type);
	free(s->pfn_of);
	free(s->frame);
}
