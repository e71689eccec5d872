/* SPDX-License-Identifier: MIT */
/* What setvcpucontext leaves out of a vCPU's state: extended registers, 32-bit callbacks, MSRs. */
#include "control/private.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "sched/sched.h"
#include "x86/msr.h"

/* XCR0 and all that was ever in it, before the area. */
struct xstate_head {
	uint64_t xcr0, xcr0_accum;
};

/* Of a PVH domain all of it is in gethvmcontext. */
static struct vcpu *find_vcpu(struct domain *d, uint32_t id)
{
	return id < d->max_vcpus && !is_host_domain(d) && !d->is_hvm ? d->vcpu[id] : NULL;
}

static uint64_t xstate_size(const struct vcpu *v)
{
	uint64_t accum = fpu_get_xcr0_accum(v);

	return sizeof(struct xstate_head) + (accum ? fpu_xstate_bytes(accum) : 0);
}

static int copy_xstate_out(struct vcpu *v, const struct xen_domctl_vcpuextstate *e)
{
	struct xstate_head head = { .xcr0 = v->pv.xcr0, .xcr0_accum = fpu_get_xcr0_accum(v) };
	uint64_t bytes = e->size - sizeof(head);
	void *area;
	int ret;

	ret = copy_to_guest(handle_addr(e->buffer), &head, 1);
	if (ret != 0 || bytes == 0)
		return ret;
	area = xzalloc_bytes(bytes, 64);
	if (area == NULL)
		return -ENOMEM;
	fpu_get_xstate(v, area);
	ret = copy_to_guest_raw(handle_addr(e->buffer) + sizeof(head), area, bytes) ? -EFAULT : 0;
	xfree(area);
	return ret;
}

/* No buffer: a question for the size. */
int domctl_getvcpuextstate(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
	struct vcpu *v = find_vcpu(d, e->vcpu);
	uint64_t size;
	int ret = 0;

	if (v == NULL)
		return -EINVAL;
	vcpu_pause(v);
	size = xstate_size(v);
	if (handle_addr(e->buffer) == 0 && e->size == 0)
		e->size = size;
	else if (e->size != size)
		ret = -EINVAL;
	else
		ret = copy_xstate_out(v, e);
	vcpu_unpause(v);
	if (ret == 0)
		e->xfeature_mask = cpu_features.xcr0;
	return ret;
}

int domctl_setvcpuextstate(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
	struct vcpu *v = find_vcpu(d, e->vcpu);
	struct xstate_head head;
	uint64_t bytes;
	void *area;
	int ret;

	if (v == NULL)
		return -EINVAL;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	if (e->size < sizeof(head) || e->size > sizeof(head) + fpu_xstate_bytes(cpu_features.xcr0))
		return -EINVAL;
	if (copy_from_guest(&head, handle_addr(e->buffer), 1))
		return -EFAULT;
	bytes = e->size - sizeof(head);
	area = xzalloc_bytes(max(bytes, (uint64_t)64), 64);
	if (area == NULL)
		return -ENOMEM;
	ret = copy_from_guest_raw(area, handle_addr(e->buffer) + sizeof(head), bytes) ? -EFAULT : 0;
	if (ret == 0) {
		domain_pause(d);
		ret = fpu_set_xstate(v, head.xcr0, head.xcr0_accum, area, bytes);
		domain_unpause(d);
	}
	xfree(area);
	return ret;
}

/* Up to what is of HVM guests: the callbacks. Selectors are always the flat ones; a machine check bank there is none. */
#define EXT_CALLBACKS_SIZE offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)

int domctl_get_ext_vcpucontext(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
	struct vcpu *v = find_vcpu(d, e->vcpu);
	uint32_t id = e->vcpu;

	if (v == NULL)
		return -ESRCH;
	vcpu_pause(v);
	*e = (struct xen_domctl_ext_vcpucontext){
		.vcpu = id,
		.size = sizeof(*e),
		.syscall32_callback_eip = v->pv.syscall32_cb,
		.syscall32_callback_cs = v->pv.syscall32_cb ? FLAT_KERNEL_CS : 0,
		.syscall32_disables_events = v->pv.syscall32_mask_events,
		.sysenter_callback_eip = v->pv.sysenter_cb,
		.sysenter_callback_cs = v->pv.sysenter_cb ? FLAT_KERNEL_CS : 0,
		.sysenter_disables_events = v->pv.sysenter_mask_events,
	};
	vcpu_unpause(v);
	return 0;
}

int domctl_set_ext_vcpucontext(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
	struct vcpu *v = find_vcpu(d, e->vcpu);

	if (v == NULL)
		return -ESRCH;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	if (e->size < EXT_CALLBACKS_SIZE || e->size > sizeof(*e))
		return -EINVAL;
	if (!is_canonical(e->syscall32_callback_eip) || !is_canonical(e->sysenter_callback_eip))
		return -EINVAL;
	domain_pause(d);
	v->pv.syscall32_cb = e->syscall32_callback_eip;
	v->pv.syscall32_mask_events = e->syscall32_disables_events != 0;
	v->pv.sysenter_cb = e->sysenter_callback_eip;
	v->pv.sysenter_mask_events = e->sysenter_disables_events != 0;
	domain_unpause(d);
	return 0;
}

/* Other hypervisors' that a guest here never has: at their reset value they say nothing. */
static bool msr_is_zero_here(uint32_t index)
{
	static const uint32_t known[] = { MSR_SPEC_CTRL, MSR_INTEL_MISC_FEATURES_ENABLES, MSR_XSS, MSR_DR0_MASK,
					  MSR_DR1_MASK, MSR_DR1_MASK + 1, MSR_DR1_MASK + 2 };

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == index)
			return true;
	return false;
}

#define MSRS_MAX 1u

int domctl_get_vcpu_msrs(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
	struct vcpu *v = find_vcpu(d, m->vcpu);
	struct xen_domctl_vcpu_msr aux = { .index = MSR_TSC_AUX };
	uint32_t n;

	if (v == NULL)
		return -EINVAL;
	if (handle_addr(m->msrs) == 0) {
		m->msr_count = MSRS_MAX;
		return 0;
	}
	vcpu_pause(v);
	aux.value = v->pv.tsc_aux;
	vcpu_unpause(v);
	n = aux.value != 0;
	if (m->msr_count < n) {
		m->msr_count = n;
		return -ENOBUFS;
	}
	m->msr_count = n;
	return n ? copy_to_guest(handle_addr(m->msrs), &aux, 1) : 0;
}

static int set_msr(struct vcpu *v, const struct xen_domctl_vcpu_msr *m)
{
	if (m->reserved != 0)
		return -EINVAL;
	if (m->index != MSR_TSC_AUX)
		return m->value == 0 && msr_is_zero_here(m->index) ? 0 : -EINVAL;
	if (m->value >> 32 || (m->value && !cpu_features.rdtscp))
		return -EINVAL;
	v->pv.tsc_aux = m->value;
	return 0;
}

/* The offending entry's number goes back with the error. */
int domctl_set_vcpu_msrs(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_vcpu_msrs *m = &op->u.vcpu_msrs;
	struct vcpu *v = find_vcpu(d, m->vcpu);
	uint32_t i, n = m->msr_count;
	struct xen_domctl_vcpu_msr msr;
	int ret = 0;

	if (v == NULL || n > MSRS_MAX + 16u)
		return -EINVAL;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	domain_pause(d);
	for (i = 0; i < n && ret == 0; i++) {
		ret = copy_from_guest(&msr, handle_at(m->msrs, i), 1);
		if (ret == 0)
			ret = set_msr(v, &msr);
		if (ret != 0)
			m->msr_count = i;
	}
	domain_unpause(d);
	return ret;
}
