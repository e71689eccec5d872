/* SPDX-License-Identifier: MIT */
/* Which frames a domain's memory is in, by its own numbers of them, and the way back. */
#include "save/private.h"
#include "util/err.h"
#include <stdlib.h>

int save_frames_bad(const struct saver *s, struct pvctl_error *err, const char *what)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "domain %u: its list of frames cannot be read: %s", s->domid, what);
}

/* Room for the holes that balloons and grants of others live in, and below 4 GiB. */
uint64_t save_most_pfns(uint64_t pages)
{
	uint64_t most = pages * 4 + (1u << 20);

	return most < STREAM_MAX_PFNS ? most : STREAM_MAX_PFNS;
}

int save_frames_room(struct saver *s, uint64_t n, struct pvctl_error *err)
{
	if (s->p2m && s->n == n)
		return 0;
	/* It may have grown since the last round; never while it does not run. */
	if (s->p2m)
		return save_frames_bad(s, err, "its length changed");
	s->n = n;
	s->p2m = malloc(n * sizeof(*s->p2m));
	s->type = malloc(n);
	return s->p2m && s->type ? 0 : err_nomem(err);
}

int save_frames_invert(struct saver *s, struct pvctl_error *err)
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
			return save_frames_bad(s, err, "it names a frame twice");
		if (s->pfn_of[s->p2m[i]]) {
			s->p2m[i] = NO_FRAME;
			s->type[i] = PFN_XTAB;
		} else {
			s->pfn_of[s->p2m[i]] = (uint32_t)i + 1;
		}
	}
	return 0;
}

uint64_t save_pfn_of(void *saver, uint64_t mfn)
{
	const struct saver *s = saver;

	return mfn <= s->max_mfn && s->pfn_of[mfn] ? s->pfn_of[mfn] - 1 : NO_FRAME;
}

void save_frames_free(struct saver *s)
{
	free(s->p2m);
	free(s->type);
	free(s->pfn_of);
	free(s->frame);
	free(s->told);
}
