/* SPDX-License-Identifier: MIT */
#include "transport/mock_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sysctl.h>

#define HANDLE(h) ((uint64_t)(uintptr_t)(h).p)

static int64_t create(struct mock *m, struct xen_domctl *op)
{
	struct mock_domain *d;
	uint32_t id;

	id = op->domain ? op->domain : m->next_domid;
	if (op->domain && op->domain < MOCK_DOMAINS && m->domain[op->domain].used)
		return -EEXIST;
	for (; id < MOCK_DOMAINS && m->domain[id].used; id++)
		;
	if (id == MOCK_DOMAINS)
		return -ENOMEM;
	if ((op->u.createdomain.flags && (op->u.createdomain.flags != (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap) || m->no_pvh ||
	                                  op->u.createdomain.arch.emulation_flags != XEN_X86_EMU_LAPIC)) || op->u.createdomain.max_vcpus < 1 || op->u.createdomain.max_vcpus > 32)
		return -EINVAL;
	d = &m->domain[id];
	memset(d, 0, sizeof(*d));
	d->used = d->paused = true;
	d->pvh = op->u.createdomain.flags != 0;
	if (d->pvh)
		d->gfn_of = calloc(MOCK_PAGES, sizeof(*d->gfn_of));
	d->unique_id = ++m->next_unique;
	memcpy(d->handle, op->u.createdomain.handle, sizeof(d->handle));
	d->max_vcpus = op->u.createdomain.max_vcpus;
	d->weight = 256;
	d->shared_info_mfn = mock_alloc(m, id, 0);
	d->grant_mfn = mock_alloc(m, id, 0);
	op->domain = (domid_t)id;
	return 0;
}

static int64_t destroy(struct mock *m, uint32_t id)
{
	uint64_t i;

	if (++m->restarts % 3)
		return -ERESTART;
	for (i = 0; i < MOCK_PAGES; i++) {
		if (m->owner[i] != id + 1)
			continue;
		m->owner[i] = 0;
		m->free_pages++;
	}
	mock_forget(m, id);
	free(m->domain[id].gfn_of);
	memset(&m->domain[id], 0, sizeof(m->domain[id]));
	return 0;
}

static void info(const struct mock_domain *d, uint32_t id, struct xen_domctl_getdomaininfo *i)
{
	memset(i, 0, sizeof(*i));
	i->domain = (domid_t)id;
	i->tot_pages = d->tot_pages;
	i->max_pages = id ? d->max_pages : ~0ull;
	i->shared_info_frame = d->shared_info_mfn;
	i->nr_online_vcpus = 1;
	i->max_vcpu_id = d->max_vcpus ? d->max_vcpus - 1 : XEN_INVALID_MAX_VCPU_ID;
	i->cpu_time = 1000000ull * id;
	memcpy(i->handle, d->handle, sizeof(i->handle));
	i->flags = (d->pvh ? XEN_DOMINF_hvm_guest | XEN_DOMINF_hap : 0) | (d->paused ? XEN_DOMINF_paused : id ? XEN_DOMINF_blocked : XEN_DOMINF_running) |
	           (d->shut_down ? XEN_DOMINF_shutdown | d->reason << XEN_DOMINF_shutdownshift : 0);
}

static int64_t affinity(struct mock *m, struct mock_domain *d, struct xen_domctl *op, bool set)
{
	uint64_t *hard = mock_arena(m, HANDLE(op->u.vcpuaffinity.cpumap_hard.bitmap), 8);
	uint64_t *soft = mock_arena(m, HANDLE(op->u.vcpuaffinity.cpumap_soft.bitmap), 8);
	uint32_t v = op->u.vcpuaffinity.vcpu;

	if (v >= 32 || !hard || !soft)
		return -EINVAL;
	if (!set) {
		*hard = d->affinity[v] ? d->affinity[v] : ~0ull;
		*soft = d->soft[v] ? d->soft[v] : ~0ull;
	}
	if (set && op->u.vcpuaffinity.flags & XEN_VCPUAFFINITY_HARD)
		d->affinity[v] = *hard;
	if (set && op->u.vcpuaffinity.flags & XEN_VCPUAFFINITY_SOFT)
		d->soft[v] = *soft;
	return 0;
}

static int64_t sched(struct mock_domain *d, struct xen_domctl_scheduler_op *s)
{
	if (s->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
		s->u.credit.weight = d->weight;
		s->u.credit.cap = d->cap;
		return 0;
	}
	if (s->u.credit.weight)
		d->weight = s->u.credit.weight;
	if (s->u.credit.cap != UINT16_MAX)
		d->cap = s->u.credit.cap;
	return 0;
}

int64_t mock_domctl(struct mock *m, const uint64_t *args)
{
	struct xen_domctl *op = mock_arena(m, args[0], sizeof(*op));
	struct mock_domain *d;

	if (!op || op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op->cmd == XEN_DOMCTL_createdomain)
		return create(m, op);
	/* As Xen does: about the next one where there is none of that number. */
	while (op->cmd == XEN_DOMCTL_getdomaininfo && op->domain < MOCK_DOMAINS && !m->domain[op->domain].used)
		op->domain++;
	d = mock_domain(m, op->domain);
	if (!d)
		return -ESRCH;
	switch (op->cmd) {
	case XEN_DOMCTL_destroydomain:
		return destroy(m, op->domain);
	case XEN_DOMCTL_pausedomain:
		d->paused = true;
		return 0;
	case XEN_DOMCTL_unpausedomain:
		if (!d->has_context || (!d->pinned && !d->pvh))
			return -EINVAL;
		d->paused = false;
		return 0;
	case XEN_DOMCTL_getdomaininfo:
		info(d, op->domain, &op->u.getdomaininfo);
		return 0;
	case XEN_DOMCTL_max_mem:
		d->max_pages = op->u.max_mem.max_memkb >> 2;
		return 0;
	case XEN_DOMCTL_max_vcpus:
		return op->u.max_vcpus.max == d->max_vcpus ? 0 : -EINVAL;
	case XEN_DOMCTL_setvcpucontext:
		d->has_context = mock_arena(m, HANDLE(op->u.vcpucontext.ctxt), sizeof(vcpu_guest_context_t)) != NULL;
		return d->has_context ? 0 : -EFAULT;
	case XEN_DOMCTL_sethvmcontext:
		return mock_hvm_context(m, d, op);
	case XEN_DOMCTL_getvcpuinfo:
		if (op->u.getvcpuinfo.vcpu >= d->max_vcpus)
			return -ESRCH;
		op->u.getvcpuinfo.online = op->u.getvcpuinfo.vcpu == 0;
		return 0;
	case XEN_DOMCTL_setvcpuaffinity:
	case XEN_DOMCTL_getvcpuaffinity:
		return affinity(m, d, op, op->cmd == XEN_DOMCTL_setvcpuaffinity);
	case XEN_DOMCTL_scheduler_op:
		return sched(d, &op->u.scheduler_op);
	default:
		return -ENOSYS;
	}
}

static int64_t list(struct mock *m, struct xen_sysctl_getdomaininfolist *l)
{
	struct xen_domctl_getdomaininfo *out = mock_arena(m, HANDLE(l->buffer), l->max_domains * sizeof(*out));
	uint32_t id;

	if (!out)
		return -EFAULT;
	l->num_domains = 0;
	for (id = l->first_domain; id < MOCK_DOMAINS && l->num_domains < l->max_domains; id++)
		if (m->domain[id].used)
			info(&m->domain[id], id, &out[l->num_domains++]);
	return 0;
}

static int64_t read_console(struct mock *m, struct xen_sysctl_readconsole *r)
{
	static const char log[] = "mock: hello\n";
	uint32_t n = sizeof(log) - 1 > r->index ? (uint32_t)sizeof(log) - 1 - r->index : 0;
	char *out = mock_arena(m, HANDLE(r->buffer), r->count);

	if (!out)
		return -EFAULT;
	if (n > r->count)
		n = r->count;
	memcpy(out, log + r->index, n);
	r->index += n;
	r->count = n;
	return 0;
}

int64_t mock_sysctl(struct mock *m, const uint64_t *args)
{
	struct xen_sysctl *op = mock_arena(m, args[0], sizeof(*op));
	struct xen_sysctl_physinfo *p;

	if (!op || op->interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	switch (op->cmd) {
	case XEN_SYSCTL_physinfo:
		p = &op->u.physinfo;
		memset(p, 0, sizeof(*p));
		p->threads_per_core = p->cores_per_socket = p->nr_nodes = 1;
		p->nr_cpus = 4;
		p->max_cpu_id = 3;
		p->cpu_khz = 2000000;
		p->total_pages = MOCK_PAGES;
		p->free_pages = m->free_pages;
		p->capabilities = XEN_SYSCTL_PHYSCAP_pv | (m->no_pvh ? 0 : XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap);
		return 0;
	case XEN_SYSCTL_getdomaininfolist:
		return list(m, &op->u.getdomaininfolist);
	case XEN_SYSCTL_sched_id:
		op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT;
		return 0;
	case XEN_SYSCTL_getcpuinfo:
		op->u.getcpuinfo.nr_cpus = 4;
		return 0;
	case XEN_SYSCTL_debug_keys:
		return mock_arena(m, HANDLE(op->u.debug_keys.keys), op->u.debug_keys.nr_keys) ? 0 : -EFAULT;
	case XEN_SYSCTL_readconsole:
		return read_console(m, &op->u.readconsole);
	default:
		return -ENOSYS;
	}
}

static int64_t populate(struct mock *m, struct mock_domain *d, struct xen_memory_reservation *r)
{
	uint64_t *list_of = mock_arena(m, HANDLE(r->extent_start), r->nr_extents * 8), i, mfn;

	if (!list_of)
		return -EFAULT;
	for (i = 0; i < r->nr_extents; i++) {
		if (d->tot_pages + (1ull << r->extent_order) > d->max_pages)
			break;
		mfn = mock_alloc(m, r->domid, r->extent_order);
		if (!mfn)
			break;
		memset(m->ram + mfn * 4096, 0, 4096ull << r->extent_order);
		if (d->pvh)
			mock_place(m, d, list_of[i], mfn, 1ull << r->extent_order);
		else
			list_of[i] = mfn;
		d->tot_pages += 1ull << r->extent_order;
	}
	return (int64_t)i;
}

static int64_t set_memory_map(struct mock *m, const struct xen_foreign_memory_map *map)
{
	struct mock_domain *d = map ? mock_domain(m, map->domid) : NULL;
	struct { uint64_t addr, size; uint32_t type; } __attribute__((packed)) *e;

	e = d ? mock_arena(m, HANDLE(map->map.buffer), sizeof(*e)) : NULL;
	if (e && d->pvh)
		return map->map.nr_entries <= 128 ? 0 : -EINVAL;
	if (!e || map->map.nr_entries != 1 || e->addr || e->type != 1)
		return -EINVAL;
	d->map_bytes = e->size;
	return 0;
}

int64_t mock_memory_op(struct mock *m, const uint64_t *args)
{
	struct xen_memory_reservation *r = mock_arena(m, args[1], sizeof(*r));
	struct mock_domain *d;

	if (args[0] == XENMEM_set_memory_map)
		return set_memory_map(m, mock_arena(m, args[1], sizeof(struct xen_foreign_memory_map)));
	d = r ? mock_domain(m, r->domid) : NULL;
	if (!d)
		return -ESRCH;
	switch (args[0]) {
	case XENMEM_populate_physmap:
		return populate(m, d, r);
	case XENMEM_claim_pages:
		if (r->nr_extents > d->tot_pages + m->free_pages)
			return -ENOMEM;
		d->claim = r->nr_extents;
		return 0;
	default:
		return -ENOSYS;
	}
}
