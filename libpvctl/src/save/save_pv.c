/* SPDX-License-Identifier: MIT */
/* A PV domain on its way out: what its vCPUs hold and its shared page, with frames by the guest's own numbers. */
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define CR1_PRESENT 1ull

static int static_records(struct saver *s, struct pvctl_error *err)
{
	const struct rec_pv_info info = { .width = 8, .levels = 4 };

	return save_wrote(s, stream_write_record(&s->w, LIBXC_PV_INFO, &info, sizeof(info), NULL, 0), err);
}

static int look_again(struct saver *s, const uint64_t *frame, uint32_t n, bool *gone, struct pvctl_error *err)
{
	uint64_t type[SAVE_COPY_PAGES];
	uint32_t i;
	int rc;

	memcpy(type, frame, n * sizeof(*type));
	rc = hv_frame_types(s->t, s->domid, type, n, err);
	for (i = 0; i < n && !rc; i++)
		gone[i] = type[i] == XEN_DOMCTL_PFINFO_XTAB;
	return rc;
}

static int number(struct saver *s, uint32_t vcpu, uint64_t *frame, const char *what, struct pvctl_error *err)
{
	uint64_t pfn = save_pfn_of(s, *frame);

	if (pfn == NO_FRAME)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "domain %u: vCPU %u's %s is not in its memory", s->domid, vcpu, what);
	*frame = pfn;
	return 0;
}

/* Frames become the guest's own numbers. Linux has start_info's frame in rdx of the vCPU that suspends, which is the first. */
static int vcpu_numbers(struct saver *s, uint32_t vcpu, vcpu_guest_context_t *c, struct pvctl_error *err)
{
	uint64_t f;
	uint32_t i;
	int rc = 0;

	if (vcpu == 0)
		rc = number(s, vcpu, &c->user_regs.rdx, "start info (rdx)", err);
	for (i = 0; i < (c->gdt_ents + 511) / 512 && i < 16 && !rc; i++) {
		f = c->gdt_frames[i];
		rc = number(s, vcpu, &f, "GDT", err);
		c->gdt_frames[i] = f;
	}
	f = xen_cr3_to_pfn(c->ctrlreg[3]);
	if (!rc)
		rc = number(s, vcpu, &f, "page table", err);
	c->ctrlreg[3] = xen_pfn_to_cr3(f);
	f = xen_cr3_to_pfn(c->ctrlreg[1]);
	if (rc || !f)
		return rc;
	rc = number(s, vcpu, &f, "page table for its programs", err);
	c->ctrlreg[1] = xen_pfn_to_cr3(f) | CR1_PRESENT;
	return rc;
}

static int vcpu_records(struct saver *s, uint32_t vcpu, struct pvctl_error *err)
{
	static const uint32_t type[] = { LIBXC_PV_VCPU_EXTENDED, LIBXC_PV_VCPU_XSAVE, LIBXC_PV_VCPU_MSRS };
	CLEANUP_FREE vcpu_guest_context_t *c = malloc(sizeof(*c));
	CLEANUP_FREE uint8_t *blob = malloc(HV_VCPU_BLOB_MAX);
	struct rec_vcpu head = { .vcpu = vcpu };
	uint32_t len;
	int rc, i;

	if (!c || !blob)
		return err_nomem(err);
	rc = hv_vcpu_get_context(s->t, s->domid, vcpu, c, err);
	/* A kernel that comes back elsewhere initialises those anew that were off line. */
	if (rc || !(c->flags & VGCF_online))
		return rc < 0 ? rc : 0;
	rc = vcpu_numbers(s, vcpu, c, err);
	if (!rc)
		rc = save_wrote(s, stream_write_record(&s->w, LIBXC_PV_VCPU_BASIC, &head, sizeof(head), c, sizeof(*c)), err);
	for (i = 0; i < HV_VCPU_BLOBS && !rc; i++) {
		rc = hv_vcpu_get_blob(s->t, s->domid, vcpu, i, blob, &len, err);
		if (!rc && len)
			rc = save_wrote(s, stream_write_record(&s->w, type[i], &head, sizeof(head), blob, len), err);
	}
	return rc;
}

static int state_records(struct saver *s, struct pvctl_error *err)
{
	const void *si = s->t->ops->map(s->t, s->shared_info_mfn, 1);
	uint32_t v;
	int rc;

	if (!si)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: its shared info is not in the node's memory", s->domid);
	rc = save_wrote(s, stream_write_record(&s->w, LIBXC_SHARED_INFO, si, STREAM_PAGE, NULL, 0), err);
	for (v = 0; v <= s->max_vcpu && !rc; v++)
		rc = vcpu_records(s, v, err);
	return rc;
}

const struct save_machine save_pv = {
	.domain = LIBXC_DOMAIN_PV, .static_records = static_records, .read_frames = save_p2m_read, .tell_frames = save_p2m_tell,
	.look_again = look_again, .state_records = state_records,
};
