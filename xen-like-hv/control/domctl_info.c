/* SPDX-License-Identifier: MIT */
/* What the tools may learn of a domain. */
#include "control/private.h"
#include "host/host.h"
#include "mm/frametable.h"
#include "p2m/frame.h"
#include "sched/sched.h"
#include <xen/sched.h>

static uint32_t state_flags(struct domain *d, bool any_running, bool all_blocked)
{
	uint32_t flags = 0;

	if (d->is_dying == DOMDYING_dead)
		flags |= XEN_DOMINF_dying;
	/* The tools act on it at once (a save, a dump): it must be true of each vCPU. */
	if (domain_is_quiet_shut_down(d))
		flags |= XEN_DOMINF_shutdown | (d->shutdown_code & XEN_DOMINF_shutdownmask) << XEN_DOMINF_shutdownshift;
	if (d->controller_pause_count != 0)
		flags |= XEN_DOMINF_paused;
	if (any_running)
		flags |= XEN_DOMINF_running;
	if (all_blocked)
		flags |= XEN_DOMINF_blocked;
	if (d->is_hvm)
		flags |= XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
	if (d->createflags & XEN_DOMCTL_CDF_xs_domain)
		flags |= XEN_DOMINF_xs_domain;
	return flags;
}

void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	bool any_running = false, all_blocked = true;
	struct shared_info *si = READ_ONCE(d->shared_info);
	struct vcpu *v;
	unsigned int i;

	memset(info, 0, sizeof(*info));
	info->domain = d->domid;
	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	info->cpu_time = d->retired_run_ns + __atomic_load_n(&d->sched.work_ns, __ATOMIC_RELAXED);
	for_each_vcpu(d, v, i) {
		info->max_vcpu_id = i;
		if (d->is_dying != DOMDYING_dead && d->relinquish_state == 0)
			info->cpu_time += vcpu_run_time(v);
		if (v->pause_flags & VPF_down)
			continue;
		info->nr_online_vcpus++;
		if (!(v->pause_flags & VPF_blocked))
			all_blocked = false;
		if (v->sched.runstate == RUNSTATE_running)
			any_running = true;
	}
	info->flags = state_flags(d, any_running, all_blocked && info->nr_online_vcpus != 0);
	info->tot_pages = READ_ONCE(d->tot_pages);
	info->max_pages = READ_ONCE(d->max_pages);
	info->outstanding_pages = READ_ONCE(d->claim.outstanding);
	info->shared_info_frame = si != NULL ? virt_to_mfn(si).m : ~0ULL;
	info->ssidref = d->ssidref;
	memcpy(info->handle, d->handle, sizeof(info->handle));
	info->gpaddr_bits = 52;
}

static uint64_t promised_to(const struct domain *d)
{
	uint64_t has = READ_ONCE(d->tot_pages), may = READ_ONCE(d->max_pages);

	if (d->is_dying != DOMDYING_dead && may < UINT32_MAX)
		has = max(has, may);
	return min(has, node_shared->nr_pages);
}

uint64_t promised_pages(uint32_t id, uint64_t at_least)
{
	uint64_t sum = 0, its = 0;
	struct domain *d;

	spin_lock(&domlist_lock);
	for (d = domain_first(); d != NULL; d = d->next) {
		if (is_host_domain(d))
			continue;
		if (d->domid == id)
			its = promised_to(d);
		sum += promised_to(d);
	}
	spin_unlock(&domlist_lock);
	return sum + (its < at_least ? at_least - its : 0);
}

int domctl_getdomaininfo(struct xen_domctl *op, struct domain *d)
{
	domain_get_info(d, &op->u.getdomaininfo);
	op->domain = d->domid;
	return 0;
}

int domctl_getvcpuinfo(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_getvcpuinfo *i = &op->u.getvcpuinfo;
	s_time_t ns[4], entry;
	struct vcpu *v;
	int state;

	if (i->vcpu >= d->max_vcpus)
		return -EINVAL;
	v = d->vcpu[i->vcpu];
	if (v == NULL)
		return -ESRCH;
	vcpu_runstate_get(v, &state, &entry, ns);
	i->online = !(v->pause_flags & VPF_down) || is_host_domain(d);
	i->blocked = (v->pause_flags & VPF_blocked) != 0;
	i->running = state == RUNSTATE_running;
	/* Domain 0's is lent to CPUs, which keep the account. */
	i->cpu_time = is_host_domain(d) ? vcpu_run_time(v) : ns[RUNSTATE_running];
	i->cpu = v->processor;
	return 0;
}

static uint64_t frame_type(struct domain *d, uint64_t frame)
{
	uint64_t info, type = XEN_DOMCTL_PFINFO_NOTAB;
	struct page_info *pg;

	if (guest_frame_get(d, frame, false, &pg) != 0)
		return XEN_DOMCTL_PFINFO_XTAB;
	info = READ_ONCE(pg->type_info);
	if (d->p2m != NULL && (READ_ONCE(pg->count_info) & PGC_hv)) {
		/* Shared with it at that place. Its memory has one place each, and is all that is worth keeping. */
		type = XEN_DOMCTL_PFINFO_XTAB;
	} else if (info & PGT_count_mask) {
		switch (info & PGT_type_mask) {
		case PGT_l1:
			type = XEN_DOMCTL_PFINFO_L1TAB;
			break;
		case PGT_l2:
			type = XEN_DOMCTL_PFINFO_L2TAB;
			break;
		case PGT_l3:
			type = XEN_DOMCTL_PFINFO_L3TAB;
			break;
		case PGT_l4:
			type = XEN_DOMCTL_PFINFO_L4TAB;
			break;
		}
		if (info & PGT_pinned)
			type |= XEN_DOMCTL_PFINFO_LPINTAB;
	}
	put_page(pg);
	return type;
}

/* In: frame numbers; out, in the same array: what each is used as. */
int domctl_getpageframeinfo3(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_getpageframeinfo3 *p = &op->u.getpageframeinfo3;
	uint64_t chunk[64], done, n, i;

	if (p->num > 1024)
		return -E2BIG;
	for (done = 0; done < p->num; done += n) {
		n = min(p->num - done, (uint64_t)ARRAY_SIZE(chunk));
		if (copy_from_guest(chunk, handle_at(p->array, done), n))
			return -EFAULT;
		for (i = 0; i < n; i++)
			chunk[i] = frame_type(d, chunk[i]);
		if (copy_to_guest(handle_at(p->array, done), chunk, n))
			return -EFAULT;
	}
	return 0;
}
