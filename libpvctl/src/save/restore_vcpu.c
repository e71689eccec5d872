/* SPDX-License-Identifier: MIT */
#include "save/restore.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

static int keep(struct restorer *s, void **to, const void *p, uint32_t len, struct pvctl_error *err)
{
	if (*to)
		return stream_fail(&s->r, err, -EPROTO, "this vCPU had one already");
	*to = malloc(len ? len : 1);
	if (!*to)
		return err_nomem(err);
	memcpy(*to, p, len);
	return 0;
}

/* Xen's way to say that the guest did not enable XSAVE: what its context has is all. */
static bool never_used(const uint8_t *state, uint32_t len)
{
	static const uint8_t none[16]; /* XCR0, and all that was ever in it */

	return len == sizeof(none) && !memcmp(state, none, sizeof(none));
}

/* They are kept: what a context names has to be a page table by then. */
int restore_vcpu_record(struct restorer *s, struct pvctl_error *err)
{
	const struct rec_vcpu *r = (const void *)s->r.rec.body;
	uint32_t len = s->r.rec.len - (uint32_t)sizeof(*r);
	unsigned int which = s->r.rec.type == LIBXC_PV_VCPU_EXTENDED ? HV_VCPU_EXTENDED :
	                     s->r.rec.type == LIBXC_PV_VCPU_XSAVE ? HV_VCPU_XSAVE : HV_VCPU_MSRS;
	struct vcpu_state *v;
	void *p;
	int rc;

	if (r->vcpu >= s->plan.maxvcpus)
		return stream_fail(&s->r, err, -EPROTO, "vCPU %u; the configuration has maxvcpus=%u", r->vcpu, s->plan.maxvcpus);
	v = &s->vcpu[r->vcpu];
	if (s->r.rec.type == LIBXC_PV_VCPU_BASIC) {
		p = v->basic;
		rc = keep(s, &p, r->state, len, err);
		v->basic = p;
		v->offset = s->r.rec.offset;
		return rc;
	}
	if (!len || (which == HV_VCPU_XSAVE && never_used(r->state, len)))
		return 0;
	p = v->blob[which];
	rc = keep(s, &p, r->state, len, err);
	v->blob[which] = p;
	v->len[which] = len;
	return rc;
}

static int vcpu_fail(const struct restorer *s, uint32_t vcpu, struct pvctl_error *err, const char *what, uint64_t pfn)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "record X86_PV_VCPU_BASIC at offset 0x%llx: its %s, pfn 0x%llx, is not in the stream",
	               (unsigned long long)s->vcpu[vcpu].offset, what, (unsigned long long)pfn);
}

static uint64_t any_frame(const struct restorer *s, uint64_t pfn)
{
	return pfn < s->n ? s->p2m[pfn] : NO_FRAME;
}

/* The guest's numbers become frames again. What these are good for, the hypervisor judges. */
static int numbers(struct restorer *s, uint32_t vcpu, vcpu_guest_context_t *c, struct pvctl_error *err)
{
	uint64_t pfn, mfn;
	uint32_t i;

	if (vcpu == 0) {
		c->user_regs.rax = 0; /* its hypercall returns: it is elsewhere now */
		c->user_regs.rdx = s->p2m[s->start_info_pfn];
	}
	if (c->gdt_ents > 8192)
		return vcpu_fail(s, vcpu, err, "GDT", c->gdt_ents);
	for (i = 0; i < (c->gdt_ents + 511) / 512; i++) {
		mfn = any_frame(s, c->gdt_frames[i]);
		if (mfn == NO_FRAME)
			return vcpu_fail(s, vcpu, err, "GDT", c->gdt_frames[i]);
		c->gdt_frames[i] = mfn;
	}
	pfn = xen_cr3_to_pfn(c->ctrlreg[3]);
	mfn = any_frame(s, pfn);
	if (mfn == NO_FRAME)
		return vcpu_fail(s, vcpu, err, "page table", pfn);
	c->ctrlreg[3] = xen_pfn_to_cr3(mfn);
	if (!c->ctrlreg[1])
		return 0;
	pfn = xen_cr3_to_pfn(c->ctrlreg[1]);
	mfn = any_frame(s, pfn);
	if (mfn == NO_FRAME)
		return vcpu_fail(s, vcpu, err, "page table for its programs", pfn);
	c->ctrlreg[1] = xen_pfn_to_cr3(mfn);
	return 0;
}

static int set_vcpu(struct restorer *s, uint32_t vcpu, struct pvctl_error *err)
{
	static const char *const name[] = { "X86_PV_VCPU_EXTENDED", "X86_PV_VCPU_XSAVE", "X86_PV_VCPU_MSRS" };
	struct vcpu_state *v = &s->vcpu[vcpu];
	unsigned int i;
	int rc;

	rc = numbers(s, vcpu, v->basic, err);
	if (rc)
		return rc;
	rc = hv_vcpu_set_context(s->t, s->domid, vcpu, v->basic, err);
	if (rc)
		return err_wrap(err, rc, "record X86_PV_VCPU_BASIC at offset 0x%llx", (unsigned long long)v->offset);
	for (i = 0; i < HV_VCPU_BLOBS && !rc; i++) {
		if (v->blob[i])
			rc = hv_vcpu_set_blob(s->t, s->domid, vcpu, i, v->blob[i], v->len[i], err);
		if (rc)
			return err_wrap(err, rc, "record %s of the vCPU at offset 0x%llx", name[i], (unsigned long long)v->offset);
	}
	return 0;
}

int restore_vcpus(struct restorer *s, struct pvctl_error *err)
{
	uint32_t v;
	int rc = 0;

	for (v = 0; v < s->plan.maxvcpus && !rc; v++)
		if (s->vcpu[v].basic)
			rc = set_vcpu(s, v, err);
	return rc;
}
