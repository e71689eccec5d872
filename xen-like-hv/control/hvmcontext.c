/* SPDX-License-Identifier: MIT */
/* The state of a PVH domain's vCPUs as a list of records, each with its type, instance and length (hvm/save.h). */
#include "control/private.h"
#include "hvm/hvm.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "sched/sched.h"
#include "x86/processor.h"
#include "x86/tsc.h"
#include <xen/hvm/save.h>

#define CONTEXT_MAX (MAX_VCPUS * 4096u)

struct out {
	uint8_t *p;
	uint32_t at, size;
};

/* The head of a record, and where its contents go; NULL: only the size is asked for. */
static void *put_head(struct out *o, uint16_t type, uint16_t instance, uint32_t length)
{
	struct hvm_save_descriptor desc = { type, instance, length };
	void *at = NULL;

	if (o->p) {
		memcpy(o->p + o->at, &desc, sizeof(desc));
		at = o->p + o->at + sizeof(desc);
	}
	o->at += (uint32_t)sizeof(desc) + length;
	return at;
}

static void put_record(struct out *o, uint16_t type, uint16_t instance, const void *data, uint32_t length)
{
	void *at = put_head(o, type, instance, length);

	if (at)
		memcpy(at, data, length);
}

/* XCR0, what was ever in it, and the area as XSAVE writes it; without XSAVE there is none. */
static void put_xsave(struct out *o, struct vcpu *v)
{
	uint64_t accum = fpu_get_xcr0_accum(v);
	uint32_t head = offsetof(struct hvm_hw_cpu_xsave, save_area);
	struct hvm_hw_cpu_xsave x = { cpu_features.xcr0, v->pv.xcr0, accum, { { { 0 } }, { 0 } } };
	uint8_t *at = accum ? put_head(o, CPU_XSAVE_CODE, (uint16_t)v->vcpu_id, head + fpu_xstate_bytes(accum)) : NULL;

	if (at) {
		memcpy(at, &x, head);
		/* It need not be aligned there. */
		fpu_get_xstate(v, at + head);
	}
}

static void put_all(struct out *o, struct domain *d)
{
	struct hvm_save_header h = { .magic = HVM_FILE_MAGIC, .version = HVM_FILE_VERSION, .gtsc_khz = tsc_khz };
	struct hvm_hw_lapic_regs regs;
	struct hvm_hw_lapic lapic;
	struct hvm_hw_mtrr mtrr;
	struct hvm_hw_cpu cpu;
	struct vcpu *v;
	unsigned int i;

	put_record(o, HVM_SAVE_CODE(HEADER), 0, &h, sizeof(h));
	for_each_vcpu(d, v, i) {
		if (v->pause_flags & VPF_down)
			continue;
		if (o->p)
			hvm_get_cpu(v, &cpu);
		put_record(o, HVM_SAVE_CODE(CPU), (uint16_t)i, &cpu, sizeof(cpu));
		if (o->p)
			hvm_get_lapic(v, &lapic, &regs);
		put_record(o, HVM_SAVE_CODE(LAPIC), (uint16_t)i, &lapic, sizeof(lapic));
		put_record(o, HVM_SAVE_CODE(LAPIC_REGS), (uint16_t)i, &regs, sizeof(regs));
		hvm_get_mtrr(v, &mtrr);
		put_record(o, HVM_SAVE_CODE(MTRR), (uint16_t)i, &mtrr, sizeof(mtrr));
		put_xsave(o, v);
	}
	put_record(o, HVM_SAVE_CODE(END), 0, NULL, 0);
}

/* No buffer: a question for the size. */
int domctl_gethvmcontext(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
	struct out o = { NULL, 0, 0 };
	int ret = 0;

	if (!d->is_hvm || d->is_dying != DOMDYING_alive)
		return -EINVAL;
	domain_pause(d);
	put_all(&o, d);
	if (handle_addr(c->buffer) != 0) {
		o.size = o.at;
		o.p = c->size >= o.size ? xzalloc_bytes(o.size, 8) : NULL;
		if (o.p == NULL) {
			ret = c->size < o.size ? -ENOSPC : -ENOMEM;
		} else {
			o.at = 0;
			put_all(&o, d);
			ret = copy_to_guest_raw(handle_addr(c->buffer), o.p, o.size) ? -EFAULT : 0;
			xfree(o.p);
		}
	}
	domain_unpause(d);
	c->size = o.at;
	return ret;
}

static int set_cpu(struct vcpu *v, const void *data, uint32_t length)
{
	struct hvm_hw_cpu *cpu;
	int ret;

	if (length != sizeof(*cpu))
		return -EINVAL;
	cpu = xzalloc(struct hvm_hw_cpu);
	if (cpu == NULL)
		return -ENOMEM;
	memcpy(cpu, data, sizeof(*cpu));
	ret = hvm_set_cpu(v, cpu);
	xfree(cpu);
	if (ret == 0)
		__atomic_and_fetch(&v->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST);
	return ret;
}

/* Behind a record of any length: not aligned. */
static int set_lapic(struct vcpu *v, const void *data, uint32_t length)
{
	struct hvm_hw_lapic l;

	if (length != sizeof(l))
		return -EINVAL;
	memcpy(&l, data, sizeof(l));
	return hvm_check_lapic(v, &l);
}

static int set_mtrr(struct vcpu *v, const void *data, uint32_t length)
{
	struct hvm_hw_mtrr m;

	if (length != sizeof(m))
		return -EINVAL;
	memcpy(&m, data, sizeof(m));
	return hvm_set_mtrr(v, &m);
}

static int set_xsave(struct vcpu *v, const void *data, uint32_t length)
{
	const uint32_t head = offsetof(struct hvm_hw_cpu_xsave, save_area);
	uint64_t words[3];
	void *area;
	int ret;

	if (length < head || length - head > fpu_xstate_bytes(cpu_features.xcr0))
		return -EINVAL;
	memcpy(words, data, sizeof(words));
	area = xzalloc_bytes(max(length - head, 1u), 64);
	if (area == NULL)
		return -ENOMEM;
	memcpy(area, (const char *)data + head, length - head);
	ret = fpu_set_xstate(v, words[1], words[2], area, length - head);
	xfree(area);
	return ret;
}

static int set_vcpu_record(struct vcpu *v, const struct hvm_save_descriptor *desc, const void *data)
{
	if (v == NULL)
		return -EINVAL;
	switch (desc->typecode) {
	case HVM_SAVE_CODE(CPU):
		return set_cpu(v, data, desc->length);
	case HVM_SAVE_CODE(LAPIC):
		return set_lapic(v, data, desc->length);
	case HVM_SAVE_CODE(MTRR):
		return set_mtrr(v, data, desc->length);
	case HVM_SAVE_CODE(LAPIC_REGS):
		return desc->length == sizeof(struct hvm_hw_lapic_regs) ? hvm_set_lapic(v, data) : -EINVAL;
	default:
		return set_xsave(v, data, desc->length);
	}
}

static int set_record(struct domain *d, const struct hvm_save_descriptor *desc, const void *data)
{
	const struct hvm_save_header *h = data;

	switch (desc->typecode) {
	case HVM_SAVE_CODE(HEADER):
		return desc->length == sizeof(*h) && h->magic == HVM_FILE_MAGIC && h->version == HVM_FILE_VERSION ? 0 : -EINVAL;
	case HVM_SAVE_CODE(CPU):
	case HVM_SAVE_CODE(LAPIC):
	case HVM_SAVE_CODE(LAPIC_REGS):
	case HVM_SAVE_CODE(MTRR):
	case CPU_XSAVE_CODE:
		return set_vcpu_record(desc->instance < d->max_vcpus ? d->vcpu[desc->instance] : NULL, desc, data);
	}
	return -EOPNOTSUPP;
}

/* The header first, the end last, each record whole. */
static int set_all(struct domain *d, const uint8_t *p, uint32_t size)
{
	struct hvm_save_descriptor desc;
	uint32_t at = 0;
	int ret;

	while (size - at >= sizeof(desc)) {
		memcpy(&desc, p + at, sizeof(desc));
		at += (uint32_t)sizeof(desc);
		if (desc.typecode == HVM_SAVE_CODE(END))
			return 0;
		if (desc.length > size - at || (at == sizeof(desc)) != (desc.typecode == HVM_SAVE_CODE(HEADER)))
			return -EINVAL;
		ret = set_record(d, &desc, p + at);
		if (ret != 0)
			return ret;
		at += desc.length;
	}
	return -EINVAL;
}

int domctl_sethvmcontext(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_hvmcontext *c = &op->u.hvmcontext;
	void *buf;
	int ret = -EFAULT;

	if (!d->is_hvm || d->is_dying != DOMDYING_alive || c->size > CONTEXT_MAX)
		return -EINVAL;
	/* Not under the feet of one that runs. */
	if (d->controller_pause_count == 0 && !domain_is_quiet_shut_down(d))
		return -EBUSY;
	buf = xzalloc_bytes(max(c->size, 1u), 8);
	if (buf == NULL)
		return -ENOMEM;
	if (!copy_from_guest_raw(buf, handle_addr(c->buffer), c->size)) {
		domain_pause(d);
		ret = set_all(d, buf, c->size);
		domain_unpause(d);
	}
	xfree(buf);
	return ret;
}
