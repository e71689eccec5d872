/* SPDX-License-Identifier: MIT */
/* DOMCTL: the tools' operations on a domain. Domain 0 alone may call it. */
#include "control/private.h"
#include "domain/continuation.h"
#include "domain/dirty_log.h"
#include "mm/page_alloc.h"
#include "p2m/frame.h"
#include "pv/mmu.h"
#include "pv/trap.h"
#include "sched/sched.h"
#include "vtime/vtime.h"

static int createdomain(struct xen_domctl *op, struct domain *unused)
{
	struct domain *d;
	int ret = domain_create(op->domain, &op->u.createdomain, &d);

	if (ret == 0)
		op->domain = d->domid;
	return ret;
}

static int destroydomain(struct xen_domctl *op, struct domain *d)
{
	return domain_kill(d);
}

static int pausedomain(struct xen_domctl *op, struct domain *d)
{
	if (is_host_domain(d))
		return -EINVAL;
	if (d->controller_pause_count == 255)
		return -EOVERFLOW;
	d->controller_pause_count++;
	domain_pause(d);
	return 0;
}

static int unpausedomain(struct xen_domctl *op, struct domain *d)
{
	if (is_host_domain(d) || d->controller_pause_count == 0)
		return -EINVAL;
	d->creation_finished = true;
	d->controller_pause_count--;
	domain_unpause(d);
	return 0;
}

static int resumedomain(struct xen_domctl *op, struct domain *d)
{
	if (is_host_domain(d) || d->is_dying != DOMDYING_alive)
		return -EINVAL;
	if (domain_is_quiet_shut_down(d))
		domain_resume(d);
	return 0;
}

static int max_mem(struct xen_domctl *op, struct domain *d)
{
	if (is_host_domain(d))
		return -EINVAL;
	spin_lock(&d->page_lock);
	d->max_pages = op->u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
	spin_unlock(&d->page_lock);
	return 0;
}

static int setdomainhandle(struct xen_domctl *op, struct domain *d)
{
	memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
	return 0;
}

static int settimeoffset(struct xen_domctl *op, struct domain *d)
{
	if (is_host_domain(d) || d->is_dying != DOMDYING_alive)
		return -EINVAL;
	d->time_offset_sec = op->u.settimeoffset.time_offset_seconds;
	wallclock_update(d);
	return 0;
}

static int hypercall_init(struct xen_domctl *op, struct domain *d)
{
	struct page_info *pg;

	if (d->is_hvm)
		return -EOPNOTSUPP; /* it has an MSR for that */
	if (guest_frame_get(d, op->u.hypercall_init.gmfn, true, &pg) != 0)
		return -EACCES;
	pv_fill_hypercall_page(page_to_virt(pg));
	page_written(d, pg);
	put_page_and_type(pg);
	return 0;
}

static int set_address_size(struct xen_domctl *op, struct domain *d)
{
	return op->u.address_size.size == 64 ? 0 : -EINVAL;
}

static int get_address_size(struct xen_domctl *op, struct domain *d)
{
	op->u.address_size.size = 64;
	return 0;
}

#define TSC_MODE_DEFAULT 0
#define TSC_MODE_NEVER_EMULATE 2

static int gettscinfo(struct xen_domctl *op, struct domain *d)
{
	op->u.tsc_info = (struct xen_domctl_tsc_info){
		.tsc_mode = TSC_MODE_NEVER_EMULATE,
		.gtsc_khz = tsc_khz,
		.incarnation = d->tsc_incarnation,
		.elapsed_nsec = (uint64_t)(NOW() + d->time_shift_ns),
	};
	return 0;
}

/*
 * A restored domain's system time goes on where it stopped. The TSC itself is this host's: what it
 * counts is in vcpu_time_info, which a kernel reads anew after it was suspended. No elapsed time: a new domain.
 */
static int settscinfo(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_tsc_info *t = &op->u.tsc_info;

	if (is_host_domain(d) || d->is_dying != DOMDYING_alive)
		return -EINVAL;
	/* "Default" may be native where that is right; here it always is. */
	if (t->tsc_mode != TSC_MODE_DEFAULT && t->tsc_mode != TSC_MODE_NEVER_EMULATE)
		return -EOPNOTSUPP;
	/* Centuries; sums of two stay in range. */
	if (t->elapsed_nsec >= 1ULL << 62)
		return -EINVAL;
	d->tsc_incarnation = t->incarnation;
	if (t->elapsed_nsec == 0)
		return 0;
	domain_pause(d);
	vtime_shift(d, (s_time_t)t->elapsed_nsec - NOW());
	domain_unpause(d);
	return 0;
}

static int subscribe(struct xen_domctl *op, struct domain *d)
{
	d->suspend_port = op->u.subscribe.port;
	return 0;
}

/* No domain has hardware of its own: there is nothing to give, and nothing to take away. */
static int irq_permission(struct xen_domctl *op, struct domain *d)
{
	return op->u.irq_permission.allow_access ? -EPERM : 0;
}

static int iomem_permission(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;

	if (p->first_mfn + p->nr_mfns < p->first_mfn)
		return -EINVAL;
	return p->allow_access ? -EPERM : 0;
}

static int ioport_permission(struct xen_domctl *op, struct domain *d)
{
	const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;

	if ((uint64_t)p->first_port + p->nr_ports > 65536)
		return -EINVAL;
	return p->allow_access ? -EPERM : 0;
}

static int not_supported(struct xen_domctl *op, struct domain *d)
{
	return -EOPNOTSUPP;
}

#define COPY_BACK 1u
#define NO_DOMAIN 2u
#define OR_NEXT 4u /* or of the next domain there is; zombies, too */
#define ERROR_BACK 8u /* after an error, too: it says where */

struct domctl_op {
	domctl_fn fn;
	unsigned int flags;
};

static const struct domctl_op ops[] = {
	[XEN_DOMCTL_createdomain] = { createdomain, COPY_BACK | NO_DOMAIN },
	[XEN_DOMCTL_destroydomain] = { destroydomain, 0 },
	[XEN_DOMCTL_pausedomain] = { pausedomain, 0 },
	[XEN_DOMCTL_unpausedomain] = { unpausedomain, 0 },
	[XEN_DOMCTL_getdomaininfo] = { domctl_getdomaininfo, COPY_BACK | OR_NEXT },
	[XEN_DOMCTL_setvcpuaffinity] = { domctl_setvcpuaffinity, 0 },
	[XEN_DOMCTL_max_mem] = { max_mem, 0 },
	[XEN_DOMCTL_setvcpucontext] = { domctl_setvcpucontext, 0 },
	[XEN_DOMCTL_getvcpucontext] = { domctl_getvcpucontext, 0 },
	[XEN_DOMCTL_getvcpuinfo] = { domctl_getvcpuinfo, COPY_BACK },
	[XEN_DOMCTL_max_vcpus] = { domctl_max_vcpus, 0 },
	[XEN_DOMCTL_scheduler_op] = { domctl_scheduler_op, COPY_BACK },
	[XEN_DOMCTL_setdomainhandle] = { setdomainhandle, 0 },
	[XEN_DOMCTL_irq_permission] = { irq_permission, 0 },
	[XEN_DOMCTL_iomem_permission] = { iomem_permission, 0 },
	[XEN_DOMCTL_ioport_permission] = { ioport_permission, 0 },
	[XEN_DOMCTL_hypercall_init] = { hypercall_init, 0 },
	[XEN_DOMCTL_settimeoffset] = { settimeoffset, 0 },
	[XEN_DOMCTL_getvcpuaffinity] = { domctl_getvcpuaffinity, 0 },
	[XEN_DOMCTL_resumedomain] = { resumedomain, 0 },
	[XEN_DOMCTL_sendtrigger] = { domctl_sendtrigger, 0 },
	[XEN_DOMCTL_subscribe] = { subscribe, 0 },
	[XEN_DOMCTL_gethvmcontext] = { domctl_gethvmcontext, COPY_BACK },
	[XEN_DOMCTL_sethvmcontext] = { domctl_sethvmcontext, 0 },
	[XEN_DOMCTL_set_address_size] = { set_address_size, 0 },
	[XEN_DOMCTL_get_address_size] = { get_address_size, COPY_BACK },
	[XEN_DOMCTL_set_target] = { not_supported, 0 },
	[XEN_DOMCTL_gettscinfo] = { gettscinfo, COPY_BACK },
	[XEN_DOMCTL_settscinfo] = { settscinfo, 0 },
	[XEN_DOMCTL_getpageframeinfo3] = { domctl_getpageframeinfo3, 0 },
	[XEN_DOMCTL_setnodeaffinity] = { domctl_nodeaffinity_set, 0 },
	[XEN_DOMCTL_getnodeaffinity] = { domctl_nodeaffinity_get, 0 },
	[XEN_DOMCTL_getvcpuextstate] = { domctl_getvcpuextstate, COPY_BACK },
	[XEN_DOMCTL_setvcpuextstate] = { domctl_setvcpuextstate, 0 },
	[XEN_DOMCTL_get_ext_vcpucontext] = { domctl_get_ext_vcpucontext, COPY_BACK },
	[XEN_DOMCTL_set_ext_vcpucontext] = { domctl_set_ext_vcpucontext, 0 },
	[XEN_DOMCTL_get_vcpu_msrs] = { domctl_get_vcpu_msrs, COPY_BACK | ERROR_BACK },
	[XEN_DOMCTL_set_vcpu_msrs] = { domctl_set_vcpu_msrs, ERROR_BACK },
	[XEN_DOMCTL_shadow_op] = { domctl_shadow_op, COPY_BACK },
	[XEN_DOMCTL_get_cpu_policy] = { domctl_get_cpu_policy, COPY_BACK },
	[XEN_DOMCTL_set_cpu_policy] = { domctl_set_cpu_policy, COPY_BACK | ERROR_BACK },
};

static int run(const struct domctl_op *o, struct xen_domctl *op)
{
	struct domain *d = NULL;
	int ret;

	if (!(o->flags & NO_DOMAIN)) {
		d = o->flags & OR_NEXT ? get_domain_from(op->domain) : get_domain_by_id(op->domain);
		if (d == NULL)
			return -ESRCH;
	}
	ret = o->fn(op, d);
	if (d != NULL)
		put_domain(d);
	return ret;
}

long do_domctl(unsigned long arg)
{
	const struct domctl_op *o;
	struct xen_domctl op;
	int ret;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	if (op.cmd >= ARRAY_SIZE(ops) || ops[op.cmd].fn == NULL)
		return -ENOSYS;
	o = &ops[op.cmd];
	ret = run(o, &op);
	if (ret == -ERESTART_HC)
		return hypercall_continuation(__HYPERVISOR_domctl, arg, 0, 0, 0, 0);
	if ((o->flags & (ret == 0 ? COPY_BACK : ERROR_BACK)) && copy_to_guest(arg, &op, 1))
		return -EFAULT;
	return ret;
}
