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
		return save_frames_bad(s, err, "it names memory that is not the domain's");
	memcpy(to, p, STREAM_PAGE);
	return 0;
}

static int find(struct saver *s, struct place *ret, struct pvctl_error *err)
{
	const struct shared_info *si = s->t->ops->map(s->t, s->shared_info_mfn, 1);
	struct arch_shared_info a;
	uint64_t most = save_most_pfns(s->tot_pages);

	if (!si)
		return save_frames_bad(s, err, "no shared info");
	memcpy(&a, &si->arch, sizeof(a));
	*ret = (struct place){ a.max_pfn, a.p2m_vaddr, a.p2m_cr3 >> 12, a.pfn_to_mfn_frame_list_list };
	if (!ret->n)
		return save_frames_bad(s, err, "its kernel has not set it up (it still boots, or does not support being saved)");
	return ret->n > most ? save_frames_bad(s, err, "it is too long") : 0;
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
					return save_frames_bad(s, err, "its page tables do not lead there");
			}
			last = va >> 21;
		}
		e = table[va >> 12 & (ENTRIES - 1)];
		if (!(e & PRESENT))
			return save_frames_bad(s, err, "its page tables do not lead there");
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
		return save_frames_bad(s, err, "it is too long");
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
			return save_frames_bad(s, err, "it lies in memory that is not the domain's");
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

static int list_room(struct saver *s, struct pvctl_error *err)
{
	s->n_frames = (s->n + ENTRIES - 1) / ENTRIES;
	if (!s->frame)
		s->frame = malloc(s->n_frames * sizeof(*s->frame));
	return s->frame ? 0 : err_nomem(err);
}

int save_p2m_read(struct saver *s, struct pvctl_error *err)
{
	struct place p = { 0 };
	int rc = find(s, &p, err);

	if (!rc)
		rc = save_frames_room(s, p.n, err);
	if (!rc)
		rc = list_room(s, err);
	if (!rc)
		rc = p.vaddr ? frames_linear(s, &p, err) : frames_list(s, &p, err);
	if (!rc)
		rc = check_own(s, err);
	if (rc)
		return rc;
	copy_entries(s);
	rc = read_types(s, err);
	return rc ? rc : save_frames_invert(s, err);
}

/* By its numbers, as a guest that is elsewhere has other frames. */
static int record(struct saver *s, struct pvctl_error *err)
{
	struct rec_p2m head = { .start = 0, .end = (uint32_t)s->n - 1 };
	uint64_t *list = malloc(s->n_frames * sizeof(*list)), i;
	int rc = 0;

	if (!list)
		return err_nomem(err);
	for (i = 0; i < s->n_frames && !rc; i++) {
		list[i] = save_pfn_of(s, s->frame[i]);
		if (list[i] == NO_FRAME)
			rc = save_frames_bad(s, err, "it is not in its memory");
	}
	if (!rc)
		rc = save_wrote(s, stream_write_record(&s->w, LIBXC_PV_P2M_FRAMES, &head, sizeof(head), list, s->n_frames * sizeof(*list)), err);
	free(list);
	return rc;
}

/* The receiver has to know where it is, each time it moved. */
int save_p2m_tell(struct saver *s, struct pvctl_error *err)
{
	size_t bytes = s->n_frames * sizeof(*s->told);

	if (s->told && !memcmp(s->told, s->frame, bytes))
		return 0;
	if (!s->told)
		s->told = malloc(bytes);
	if (!s->told)
		return err_nomem(err);
	memcpy(s->told, s->frame, bytes);
	return record(s, err);
}
