/* SPDX-License-Identifier: MIT */
/*
 * A PVH domain on its way out: its memory is what its nested tables have as its own, by guest frame numbers. What it has by grant and
 * the pages that the hypervisor shares with it are not part of that: they are had again by the guest's own doing, as on Xen.
 */
#include "build/pvh_layout.h"
#include "hv/hvm.h"
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>
#include <xen/hvm/params.h>

struct runs { struct hv_run *run; uint32_t n; };

/* All of them, at one time as far as the guest lets them be. */
static int get_runs(struct saver *s, struct runs *ret, struct pvctl_error *err)
{
	struct hv_run *more;
	uint64_t gfn = 0;
	int got;

	*ret = (struct runs){ 0 };
	do {
		more = realloc(ret->run, (ret->n + HV_RUNS_MAX) * sizeof(*more));
		if (!more)
			return err_nomem(err);
		ret->run = more;
		got = hv_ram_runs(s->t, s->domid, &gfn, more + ret->n, err);
		ret->n += got > 0 ? (uint32_t)got : 0;
	} while (got > 0);
	return got;
}

static int size(struct saver *s, const struct runs *r, struct pvctl_error *err)
{
	int64_t memory = config_int_or(s->begun, "memory", 0);
	uint64_t n = pvh_layout_gfns((uint64_t)config_int_or(s->begun, "maxmem", memory) << 8), last;

	if (s->p2m)
		return 0;
	last = r->n ? r->run[r->n - 1].gfn + r->run[r->n - 1].nr_pages : 0;
	n = n > last ? n : last;
	if (n > save_most_pfns(s->tot_pages))
		return save_frames_bad(s, err, "its memory is spread too far");
	return save_frames_room(s, n, err);
}

static int put_runs(struct saver *s, const struct runs *r, struct pvctl_error *err)
{
	uint64_t i, pfn;

	for (i = 0; i < s->n; i++)
		s->p2m[i] = NO_FRAME;
	memset(s->type, PFN_XTAB, s->n);
	s->max_mfn = 0;
	for (uint32_t k = 0; k < r->n; k++)
		for (i = 0; i < r->run[k].nr_pages; i++) {
			pfn = r->run[k].gfn + i;
			if (pfn >= s->n)
				return save_frames_bad(s, err, "it got memory beyond what it had");
			if (!s->t->ops->map(s->t, r->run[k].mfn + i, 1))
				continue;
			s->p2m[pfn] = r->run[k].mfn + i;
			s->type[pfn] = PFN_NOTAB;
			if (s->p2m[pfn] > s->max_mfn)
				s->max_mfn = s->p2m[pfn];
		}
	return save_frames_invert(s, err);
}

static int read_frames(struct saver *s, struct pvctl_error *err)
{
	struct runs r;
	int rc = get_runs(s, &r, err);

	rc = rc ? rc : size(s, &r, err);
	rc = rc ? rc : put_runs(s, &r, err);
	free(r.run);
	return rc;
}

static int look_again(struct saver *s, const uint64_t *frame, uint32_t n, bool *gone, struct pvctl_error *err)
{
	uint64_t now[SAVE_COPY_PAGES];
	uint32_t i;
	int rc;

	for (i = 0; i < n; i++)
		now[i] = save_pfn_of(s, frame[i]);
	rc = hv_gfns_to_mfns(s->t, s->domid, now, n, err);
	for (i = 0; i < n && !rc; i++)
		gone[i] = now[i] != frame[i];
	return rc;
}

/* Those of channels are of this node; how it wants to hear of events, a guest that is elsewhere says anew. */
static int params_record(struct saver *s, struct pvctl_error *err)
{
	static const uint32_t which[] = { HVM_PARAM_STORE_PFN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_PAE_ENABLED, HVM_PARAM_IDENT_PT,
	                                  HVM_PARAM_VM_GENERATION_ID_ADDR, HVM_PARAM_TIMER_MODE, HVM_PARAM_TRIPLE_FAULT_REASON };
	uint64_t pair[sizeof(which) / sizeof(which[0])][2], value;
	struct rec_hvm_params head = { 0 };
	unsigned int i;
	int rc;

	for (i = 0; i < sizeof(which) / sizeof(which[0]); i++) {
		rc = hv_hvm_param_get(s->t, s->domid, which[i], &value, err);
		if (rc)
			return rc;
		if (!value)
			continue;
		pair[head.count][0] = which[i];
		pair[head.count++][1] = value;
	}
	return save_wrote(s, stream_write_record(&s->w, LIBXC_HVM_PARAMS, &head, sizeof(head), pair, head.count * sizeof(pair[0])), err);
}

static int state_records(struct saver *s, struct pvctl_error *err)
{
	CLEANUP_FREE void *context = NULL;
	uint32_t len;
	int rc = params_record(s, err);

	if (!rc)
		rc = hv_hvm_context_get(s->t, s->domid, &context, &len, err);
	return rc ? rc : save_wrote(s, stream_write_record(&s->w, LIBXC_HVM_CONTEXT, context, len, NULL, 0), err);
}

const struct save_machine save_pvh = {
	.domain = LIBXC_DOMAIN_HVM, .read_frames = read_frames, .look_again = look_again, .state_records = state_records,
};
