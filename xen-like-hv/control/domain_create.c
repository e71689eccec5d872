/* SPDX-License-Identifier: MIT */
/* How domains and their vCPUs come to be. */
#include "control/private.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "hvm/hvm.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "p2m/p2m.h"
#include "pv/trap.h"
#include "sched/sched.h"
#include "vtime/vtime.h"
#include "x86/smp.h"

#define GRANT_FRAMES_DEFAULT 64u
#define MAPTRACK_FRAMES_DEFAULT 1024u
#define SCHED_WEIGHT_DEFAULT 256u
/* A virtual machine of ours has nested page tables, and no devices but its local APIC. */
#define PVH_FLAGS (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap)
#define HOST_MAX_PORT 4095u /* node_shared.host_send has bits for as many */

/* Where vcpu_info writes go of vCPUs that have no shared_info, or no longer. */
static struct vcpu_info *spare_vcpu_info;

struct vcpu_info *vcpu_info_nowhere(void)
{
	return spare_vcpu_info;
}

static int check_config(const struct xen_domctl_createdomain *cfg)
{
	if (cfg->flags & ~(XEN_DOMCTL_CDF_MAX * 2 - 1))
		return -EINVAL;
	if (cfg->flags & ~(XEN_DOMCTL_CDF_xs_domain | PVH_FLAGS)) /* the rest is of passthrough and the vPMU */
		return -EOPNOTSUPP;
	if (cfg->flags & PVH_FLAGS && ((cfg->flags & PVH_FLAGS) != PVH_FLAGS || !hvm_available()))
		return -EOPNOTSUPP;
	if (cfg->iommu_opts != 0 || cfg->vmtrace_size != 0)
		return -EOPNOTSUPP;
	if (cfg->max_vcpus < 1 || cfg->max_vcpus > MAX_VCPUS)
		return -EINVAL;
	if (cfg->grant_opts & ~XEN_DOMCTL_GRANT_version_mask || XEN_DOMCTL_GRANT_version(cfg->grant_opts) > 2)
		return -EINVAL;
	if (cfg->cpupool_id != 0)
		return -ENOENT;
	if (cfg->arch.emulation_flags != (cfg->flags & XEN_DOMCTL_CDF_hvm ? XEN_X86_EMU_LAPIC : 0))
		return -EINVAL;
	if (cfg->arch.misc_flags & ~XEN_X86_MISC_FLAGS_MAX)
		return -EINVAL;
	return 0;
}

/* Not one that was freed lately: a stale domid in a tool's hand should find nothing. */
static domid_t pick_domid(void)
{
	static domid_t last;
	unsigned int tries;

	for (tries = 1; tries < DOMID_FIRST_RESERVED; tries++) {
		last = last + 1 < DOMID_FIRST_RESERVED ? last + 1 : 1;
		if (!domid_in_use(last))
			return last;
	}
	return DOMID_INVALID;
}

static struct domain *domain_alloc(domid_t id)
{
	size_t shares = sizeof(struct sched_share) * max(nr_cpus_possible, 1u);
	struct domain *d = xzalloc_bytes(sizeof(*d) + shares, _Alignof(struct domain));

	if (d == NULL)
		return NULL;
	d->domid = id;
	d->refcnt = 1;
	spin_lock_init(&d->shutdown_lock);
	spin_lock_init(&d->page_lock);
	spin_lock_init(&d->event_lock);
	spin_lock_init(&d->hypercall_lock);
	d->sched_weight = SCHED_WEIGHT_DEFAULT;
	return d;
}

/* It is in no list yet, so nobody else has a reference: gives everything back that there is. */
static void domain_unwind(struct domain *d)
{
	d->is_dying = DOMDYING_dying;
	/* No port was bound yet. */
	BUG_ON(d->evtchn != NULL && evtchn_destroy(d) != 0);
	grant_close(d);
	domain_drop_shared_info(d);
	d->is_dying = DOMDYING_dead;
	put_domain(d);
}

static int init_parts(struct domain *d, uint32_t max_port, uint32_t grant_frames, uint32_t maptrack_frames,
		      uint32_t grant_version)
{
	int ret;

	if (d->is_hvm && (p2m_create(d) != 0 || hvm_init_domain(d) != 0))
		return -ENOMEM;
	d->shared_info = alloc_hv_page();
	if (d->shared_info == NULL)
		return -ENOMEM;
	share_hv_page_with_guest(d->shared_info, d, false);
	ret = evtchn_init(d, max_port);
	if (ret == 0)
		ret = grant_init(d, grant_frames, maptrack_frames, grant_version);
	return ret;
}

static uint32_t or_default(int32_t given, uint32_t dflt)
{
	return given > 0 ? (uint32_t)given : dflt;
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *cfg, struct domain **ret_domain)
{
	uint32_t version = XEN_DOMCTL_GRANT_version(cfg->grant_opts);
	struct domain *d;
	int ret;

	ret = check_config(cfg);
	if (ret != 0)
		return ret;
	if (id == 0 || id >= DOMID_FIRST_RESERVED) {
		id = pick_domid();
		if (id == DOMID_INVALID)
			return -ENOSPC;
	} else if (domid_in_use(id)) {
		return -EEXIST;
	}
	d = domain_alloc(id);
	if (d == NULL)
		return -ENOMEM;
	d->max_vcpus = cfg->max_vcpus;
	d->createflags = cfg->flags;
	d->is_hvm = cfg->flags & XEN_DOMCTL_CDF_hvm;
	d->copies = d->is_hvm ? COPIES_nested : COPIES_virtual;
	d->msr_relaxed = cfg->arch.misc_flags & XEN_X86_MSR_RELAXED;
	d->ssidref = cfg->ssidref;
	memcpy(d->handle, cfg->handle, sizeof(d->handle));
	/* Held by the tools until their first unpause. */
	d->pause_count = d->controller_pause_count = 1;

	ret = init_parts(d, cfg->max_evtchn_port, or_default(cfg->max_grant_frames, GRANT_FRAMES_DEFAULT),
			 or_default(cfg->max_maptrack_frames, MAPTRACK_FRAMES_DEFAULT), version ? version : 2);
	if (ret != 0) {
		domain_unwind(d);
		return ret;
	}
	wallclock_update(d);
	/* Last: guests may name any number at any time, and must find all of it, for good. Nobody else adds domains. */
	BUG_ON(domain_list_add(d) != 0);
	*ret_domain = d;
	return 0;
}

static struct vcpu *vcpu_alloc(struct domain *d, unsigned int id)
{
	struct vcpu *v = xzalloc(struct vcpu);

	if (v == NULL)
		return NULL;
	v->domain = d;
	v->vcpu_id = id;
	v->pause_flags = VPF_down;
	spin_lock_init(&v->virq_lock);
	v->vcpu_info = d->shared_info != NULL && id < XEN_LEGACY_MAX_VCPUS ? &d->shared_info->vcpu_info[id]
									    : spare_vcpu_info;
	return v;
}

int vcpu_create(struct domain *d, unsigned int id)
{
	struct vcpu *v;
	int ret;

	if (id >= d->max_vcpus)
		return -EINVAL;
	if (d->vcpu[id] != NULL)
		return -EEXIST;
	v = vcpu_alloc(d, id);
	if (v == NULL)
		return -ENOMEM;
	ret = d->is_hvm ? hvm_init_vcpu(v) : pv_init_vcpu(v);
	if (ret != 0)
		goto free_vcpu;
	ret = sched_init_vcpu(v);
	if (ret != 0)
		goto destroy_pv;
	vtime_init_vcpu(v);
	/* Complete before another CPU can find it. */
	__atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE);
	return 0;

destroy_pv:
	if (d->is_hvm)
		hvm_destroy_vcpu(v);
	else
		pv_destroy_vcpu(v);
free_vcpu:
	xfree(v);
	return ret;
}

static int idle_vcpu_create(unsigned int cpu)
{
	struct vcpu *v;

	v = vcpu_alloc(idle_domain, cpu);
	if (v == NULL)
		return -ENOMEM;
	v->pause_flags = 0;
	v->processor = cpu;
	v->is_initialised = true;
	v->pv.kernel_mode = 1;
	if (sched_init_vcpu(v) != 0) {
		xfree(v);
		return -ENOMEM;
	}
	if (cpu < MAX_VCPUS)
		idle_domain->vcpu[cpu] = v;
	per_cpu(idle_vcpu, cpu) = v;
	return 0;
}

/* Domain 0's one vCPU lends its identity to whichever CPU runs host_do_work(); it is never queued. */
static void create_host(void)
{
	struct domain *d = domain_alloc(HOST_DOMID);
	struct vcpu *v;

	if (d == NULL)
		panic("no memory for domain 0");
	host_domain = d;
	d->max_vcpus = 1;
	d->max_pages = UINT32_MAX;
	d->copies = COPIES_arena;
	d->creation_finished = true;
	if (domain_list_add(d) != 0 ||
	    init_parts(d, HOST_MAX_PORT, GRANT_FRAMES_DEFAULT, 4 * MAPTRACK_FRAMES_DEFAULT, 2) != 0)
		panic("domain 0 cannot be set up");
	v = vcpu_alloc(d, 0);
	if (v == NULL)
		panic("no memory for domain 0");
	v->pv.kernel_mode = 1;
	v->is_initialised = true;
	d->vcpu[0] = v;
}

void domain_create_host_and_idle(void)
{
	unsigned int cpu;

	spare_vcpu_info = alloc_hv_page();
	idle_domain = domain_alloc(DOMID_IDLE);
	if (spare_vcpu_info == NULL || idle_domain == NULL)
		panic("no memory for the idle domain");
	idle_domain->is_idle = true;
	idle_domain->max_vcpus = MAX_VCPUS;
	/* Also for the CPUs that smp_boot_cpus is going to start: they begin life as their idle vCPU. */
	for (cpu = 0; cpu < max(nr_cpus_possible, 1u); cpu++)
		if (idle_vcpu_create(cpu) != 0)
			panic("no memory for the idle domain");
	if (current == NULL)
		get_cpu_info()->cur = this_cpu(idle_vcpu);
	create_host();
}
