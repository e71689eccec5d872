/* SPDX-License-Identifier: MIT */
/* All that is not memory: what the vCPUs hold, the shared page, clock and CPU features. */
#include "save/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

#define CR1_PRESENT 1ull

int save_wrote(struct saver *s, int rc, struct pvctl_error *err)
{
	if (!rc)
		return 0;
	if (rc == -ECANCELED)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "canceled");
	return err_os(err, -rc, "domain %u: writing what is saved", s->domid);
}

static int policy_records(struct saver *s, struct pvctl_error *err)
{
	CLEANUP_FREE struct hv_policy *p = malloc(sizeof(*p));
	int rc;

	if (!p)
		return err_nomem(err);
	rc = hv_policy_get(s->t, s->domid, p, err);
	if (rc)
		return rc == -ENOSYS ? 0 : rc;
	rc = stream_write_record(&s->w, LIBXC_CPUID_POLICY, p->leaf, p->n_leaves * sizeof(p->leaf[0]), NULL, 0);
	if (!rc && p->n_msrs)
		rc = stream_write_record(&s->w, LIBXC_MSR_POLICY, p->msr, p->n_msrs * sizeof(p->msr[0]), NULL, 0);
	return save_wrote(s, rc, err);
}

int save_static_records(struct saver *s, const char *config_json, struct pvctl_error *err)
{
	const struct rec_pv_info info = { .width = 8, .levels = 4 };
	int rc;

	rc = save_wrote(s, stream_write_record(&s->w, PVCTL_RECORD_CONFIG, config_json, strlen(config_json) + 1, NULL, 0), err);
	if (!rc)
		rc = save_wrote(s, stream_write_record(&s->w, LIBXC_PV_INFO, &info, sizeof(info), NULL, 0), err);
	if (!rc)
		rc = policy_records(s, err);
	return rc ? rc : save_wrote(s, stream_write_record(&s->w, LIBXC_STATIC_DATA_END, NULL, 0, NULL, 0), err);
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

static int tsc_record(struct saver *s, struct pvctl_error *err)
{
	struct xen_domctl_tsc_info i;
	struct rec_tsc r;
	int rc = hv_tsc_get(s->t, s->domid, &i, err);

	if (rc)
		return rc == -ENOSYS ? 0 : rc;
	r = (struct rec_tsc){ i.tsc_mode, i.gtsc_khz, i.elapsed_nsec, i.incarnation, 0 };
	return save_wrote(s, stream_write_record(&s->w, LIBXC_TSC_INFO, &r, sizeof(r), NULL, 0), err);
}

int save_state_records(struct saver *s, struct pvctl_error *err)
{
	const void *si = s->t->ops->map(s->t, s->shared_info_mfn, 1);
	uint32_t v;
	int rc;

	if (!si)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_HV, "domain %u: its shared info is not in the node's memory", s->domid);
	rc = tsc_record(s, err);
	if (!rc)
		rc = save_wrote(s, stream_write_record(&s->w, LIBXC_SHARED_INFO, si, STREAM_PAGE, NULL, 0), err);
	for (v = 0; v <= s->max_vcpu && !rc; v++)
		rc = vcpu_records(s, v, err);
	return rc;
}
