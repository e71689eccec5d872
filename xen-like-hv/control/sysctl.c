/* SPDX-License-Identifier: MIT */
/* SYSCTL: the tools' operations on the node as a whole. Domain 0 alone may call it. */
#include "control/private.h"
#include "hvm/hvm.h"
#include "host/host.h"
#include "mm/page_alloc.h"
#include "sched/sched.h"
#include "x86/conring.h"

static unsigned int nr_online(void)
{
	return __builtin_popcountll(cpu_online_map);
}

static unsigned int highest_cpu(void)
{
	return 63 - __builtin_clzll(cpu_online_map | 1);
}

/* The index is the low half of the ring's running byte count. */
static int readconsole(struct xen_sysctl *op)
{
	struct xen_sysctl_readconsole *r = &op->u.readconsole;
	uint64_t prod = conring_prod, pos = conring_oldest();
	uint32_t done = 0;
	char chunk[256];
	size_t n;

	if (r->incremental) {
		pos = (prod & ~0xffffffffULL) | r->index;
		if (pos > prod)
			pos -= pos >= 1ULL << 32 ? 1ULL << 32 : pos;
	}
	while (done < r->count) {
		n = conring_read(chunk, min(r->count - done, (uint32_t)sizeof(chunk)), &pos);
		if (n == 0)
			break;
		if (copy_to_guest(handle_addr(r->buffer) + done, chunk, n))
			return -EFAULT;
		done += n;
	}
	if (r->clear)
		conring_clear();
	r->index = pos;
	r->count = done;
	return 0;
}

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

static void hw_caps(uint32_t cap[8])
{
	uint32_t r[4], basic, ext;

	cpuid(0, 0, r);
	basic = r[0];
	cpuid(0x80000000, 0, r);
	ext = r[0];
	cpuid(1, 0, r);
	cap[0] = r[3];
	cap[1] = r[2];
	if (ext >= 0x80000001) {
		cpuid(0x80000001, 0, r);
		cap[2] = r[3];
		cap[3] = r[2];
	}
	if (basic >= 0xd) {
		cpuid(0xd, 1, r);
		cap[4] = r[0];
	}
	if (basic >= 7) {
		cpuid(7, 0, r);
		cap[5] = r[1];
		cap[6] = r[2];
	}
	if (ext >= 0x80000007) {
		cpuid(0x80000007, 0, r);
		cap[7] = r[3];
	}
}

static int physinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_physinfo *p = &op->u.physinfo;

	memset(p, 0, sizeof(*p));
	p->threads_per_core = 1;
	p->cores_per_socket = p->nr_cpus = nr_online();
	p->max_cpu_id = highest_cpu();
	p->nr_nodes = 1;
	p->cpu_khz = tsc_khz;
	p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2;
	if (hvm_available())
		p->capabilities |= XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap;
	p->total_pages = node_shared->nr_pages;
	p->free_pages = free_pages_total();
	p->scrub_pages = dirty_pages_total();
	p->outstanding_pages = claimed_pages_total();
	p->max_mfn = max_page - 1;
	hw_caps(p->hw_cap);
	return 0;
}

static int sched_id(struct xen_sysctl *op)
{
	op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
	return 0;
}

static int getdomaininfolist(struct xen_sysctl *op)
{
	struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
	struct xen_domctl_getdomaininfo info;
	struct domain *d = l->max_domains ? get_domain_from(l->first_domain) : NULL;
	uint32_t n = 0;

	while (d != NULL) {
		domain_get_info(d, &info);
		if (copy_to_guest(handle_at(l->buffer, n), &info, 1)) {
			put_domain(d);
			return -EFAULT;
		}
		if (++n < l->max_domains) {
			d = get_domain_after(d);
			continue;
		}
		put_domain(d);
		break;
	}
	l->num_domains = n;
	return 0;
}

static int debug_keys(struct xen_sysctl *op)
{
	uint32_t i, n = min(op->u.debug_keys.nr_keys, 64u);
	char keys[64];

	if (copy_from_guest_raw(keys, handle_addr(op->u.debug_keys.keys), n))
		return -EFAULT;
	for (i = 0; i < n; i++)
		debug_key(keys[i]);
	return 0;
}

static int getcpuinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_getcpuinfo *g = &op->u.getcpuinfo;
	uint32_t i, n = min(g->max_cpus, highest_cpu() + 1);
	struct xen_sysctl_cpuinfo info;

	for (i = 0; i < n; i++) {
		info.idletime = cpu_is_online(i) ? vcpu_run_time(per_cpu(idle_vcpu, i)) : 0;
		if (copy_to_guest(handle_at(g->info, i), &info, 1))
			return -EFAULT;
	}
	g->nr_cpus = n;
	return 0;
}

static int availheap(struct xen_sysctl *op)
{
	if (op->u.availheap.node > 0)
		return -EINVAL;
	op->u.availheap.avail_bytes = free_pages_total() << PAGE_SHIFT;
	return 0;
}

static int cputopoinfo(struct xen_sysctl *op)
{
	struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
	uint32_t i, n = highest_cpu() + 1;
	struct xen_sysctl_cputopo topo;

	if (handle_addr(t->cputopo) != 0) {
		for (i = 0; i < min(n, t->num_cpus); i++) {
			topo = (struct xen_sysctl_cputopo){ i, 0, 0 };
			if (!cpu_is_online(i))
				topo = (struct xen_sysctl_cputopo){ XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
								    XEN_INVALID_NODE_ID };
			if (copy_to_guest(handle_at(t->cputopo, i), &topo, 1))
				return -EFAULT;
		}
	}
	t->num_cpus = n;
	return 0;
}

static int numainfo(struct xen_sysctl *op)
{
	struct xen_sysctl_numainfo *n = &op->u.numainfo;
	struct xen_sysctl_meminfo mem = { node_shared->nr_pages << PAGE_SHIFT, free_pages_total() << PAGE_SHIFT };
	uint32_t distance = 10; /* what ACPI calls local */

	if (n->num_nodes >= 1) {
		if (handle_addr(n->meminfo) != 0 && copy_to_guest(handle_addr(n->meminfo), &mem, 1))
			return -EFAULT;
		if (handle_addr(n->distance) != 0 && copy_to_guest(handle_addr(n->distance), &distance, 1))
			return -EFAULT;
	}
	n->num_nodes = 1;
	return 0;
}

static uint32_t count_domains(void)
{
	struct domain *d;
	uint32_t n = 0;

	spin_lock(&domlist_lock);
	for (d = domain_first(); d != NULL; d = d->next)
		n++;
	spin_unlock(&domlist_lock);
	return n;
}

/* One pool, 0, with every CPU: enough for tools that list pools. */
static int cpupool_op(struct xen_sysctl *op)
{
	struct xen_sysctl_cpupool_op *c = &op->u.cpupool_op;

	switch (c->op) {
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		/* The tools ask for "this one or the next above it". */
		if (c->cpupool_id != 0 && c->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY)
			return -ENOENT;
		c->cpupool_id = 0;
		c->sched_id = XEN_SCHEDULER_CREDIT2;
		c->n_dom = count_domains();
		return ctl_bitmap_write(&c->cpumap, cpu_online_map, NR_CPUS);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return ctl_bitmap_write(&c->cpumap, 0, NR_CPUS);
	default:
		return -EOPNOTSUPP;
	}
}

static int (*const ops[])(struct xen_sysctl *op) = {
	[XEN_SYSCTL_readconsole] = readconsole,
	[XEN_SYSCTL_physinfo] = physinfo,
	[XEN_SYSCTL_sched_id] = sched_id,
	[XEN_SYSCTL_getdomaininfolist] = getdomaininfolist,
	[XEN_SYSCTL_debug_keys] = debug_keys,
	[XEN_SYSCTL_getcpuinfo] = getcpuinfo,
	[XEN_SYSCTL_availheap] = availheap,
	[XEN_SYSCTL_cputopoinfo] = cputopoinfo,
	[XEN_SYSCTL_numainfo] = numainfo,
	[XEN_SYSCTL_cpupool_op] = cpupool_op,
	[XEN_SYSCTL_get_cpu_policy] = sysctl_get_cpu_policy,
};

long do_sysctl(unsigned long arg)
{
	struct xen_sysctl op;
	int ret;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op.cmd >= ARRAY_SIZE(ops) || ops[op.cmd] == NULL)
		return -ENOSYS;
	ret = ops[op.cmd](&op);
	if (ret == 0 && copy_to_guest(arg, &op, 1))
		ret = -EFAULT;
	return ret;
}
