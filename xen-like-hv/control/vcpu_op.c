/* SPDX-License-Identifier: MIT */
/* VCPUOP_*: a guest brings its vCPUs up and down and tells where their shared areas are. */
#include "control/private.h"
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "event/poll.h"
#include "lib/errno.h"
#include "hvm/hvm.h"
#include "mm/heap.h"
#include "pv/bounce.h"
#include "pv/trap.h"
#include "sched/sched.h"
#include "vtime/vtime.h"
#include "x86/printk.h"

/*
 * To validate v's tables takes as long as its guest likes, so a mark keeps other
 * callers away, and no lock that they would spin on. It is not kept over a
 * continuation, from which a caller may never come back: what was done so far
 * belongs to the pages and to v, and whoever calls next goes over all of it.
 */
bool vcpu_context_claim(struct vcpu *v)
{
	return !__atomic_exchange_n(&v->context_claimed, true, __ATOMIC_ACQUIRE);
}

void vcpu_context_release(struct vcpu *v)
{
	__atomic_store_n(&v->context_claimed, false, __ATOMIC_RELEASE);
}

static long op_initialise(struct vcpu *v, unsigned long arg)
{
	struct vcpu_guest_context *c;
	long rc = -EBUSY;

	if (v->is_initialised)
		return -EEXIST;
	if (v->hvm)
		return -EOPNOTSUPP; /* they start by INIT and SIPI */
	/* 5 KiB: too much for the stack. */
	c = xzalloc(struct vcpu_guest_context);
	if (!c)
		return -ENOMEM;
	if (copy_from_guest(c, arg, 1)) {
		xfree(c);
		return -EFAULT;
	}
	if (vcpu_context_claim(v)) {
		rc = v->is_initialised ? -EEXIST : pv_set_context(v, c);
		vcpu_context_release(v);
	}
	xfree(c);
	if (rc == -ERESTART_HC)
		return hypercall_continuation(__HYPERVISOR_vcpu_op, VCPUOP_initialise, v->vcpu_id, arg, 0, 0);
	return rc;
}

static long op_up(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool wake;

	/* The last that its setter writes; it stays. */
	if (!__atomic_load_n(&v->is_initialised, __ATOMIC_ACQUIRE))
		return -EINVAL;
	spin_lock(&d->hypercall_lock);
	wake = __atomic_fetch_and(&v->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST) & VPF_down;
	spin_unlock(&d->hypercall_lock);
	if (wake)
		vcpu_wake(v);
	return 0;
}

static bool is_last_up(const struct vcpu *v)
{
	struct vcpu *o;
	unsigned int i;

	for_each_vcpu(v->domain, o, i)
		if (o != v && !(o->pause_flags & VPF_down))
			return false;
	return true;
}

/* A domain without a vCPU that is up could never do anything again. */
static long op_down(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool last;

	spin_lock(&d->hypercall_lock);
	last = is_last_up(v);
	if (!last)
		__atomic_fetch_or(&v->pause_flags, VPF_down, __ATOMIC_SEQ_CST);
	spin_unlock(&d->hypercall_lock);
	if (last)
		domain_shutdown(d, SHUTDOWN_poweroff);
	else
		vcpu_sleep_nosync(v);
	return 0;
}

static long op_runstate(struct vcpu *v, unsigned long arg)
{
	struct vcpu_runstate_info info;
	s_time_t entry, ns[4];

	memset(&info, 0, sizeof(info));
	vcpu_runstate_get(v, &info.state, &entry, ns);
	info.state_entry_time = (uint64_t)(entry + v->domain->time_shift_ns);
	memcpy(info.time, ns, sizeof(info.time));
	return copy_to_guest(arg, &info, 1);
}

static long op_register_vcpu_info(struct vcpu *v, unsigned long arg)
{
	struct vcpu_register_vcpu_info r;

	if (copy_from_guest(&r, arg, 1))
		return -EFAULT;
	return vcpu_info_register(v, r.mfn, r.offset);
}

/* Both registrations are a single guest address. */
static long op_register_area(struct vcpu *v, unsigned long arg, int (*fn)(struct vcpu *, uint64_t))
{
	uint64_t addr;

	_Static_assert(sizeof(struct vcpu_register_runstate_memory_area) == sizeof(addr) &&
		       sizeof(struct vcpu_register_time_memory_area) == sizeof(addr), "one address");
	if (copy_from_guest(&addr, arg, 1))
		return -EFAULT;
	return fn(v, addr);
}

static long op_set_periodic(struct vcpu *v, unsigned long arg)
{
	struct vcpu_set_periodic_timer p;

	if (copy_from_guest(&p, arg, 1))
		return -EFAULT;
	return p.period_ns ? vtime_set_periodic(v, p.period_ns) : -EINVAL;
}

static long op_set_singleshot(struct vcpu *v, unsigned long arg)
{
	struct vcpu_set_singleshot_timer s;

	if (v != current)
		return -EINVAL;
	if (copy_from_guest(&s, arg, 1))
		return -EFAULT;
	if ((s.flags & VCPU_SSHOTTMR_future) && domain_time_here(v->domain, (s_time_t)s.timeout_abs_ns) < NOW())
		return -ETIME;
	vtime_set_singleshot(v, domain_time_here(v->domain, (s_time_t)s.timeout_abs_ns));
	return 0;
}

static long op_send_nmi(struct vcpu *v)
{
	if (v->hvm) {
		hvm_send_nmi(v);
		return 0;
	}
	__atomic_fetch_or(&v->pv.nmi_pending, PENDING_NMI, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
	return 0;
}

long do_vcpu_op(unsigned long cmd, unsigned long id, unsigned long arg)
{
	struct domain *d = current->domain;
	struct vcpu *v;

	if (is_host_domain(d))
		return -ENOSYS;
	if (id >= d->max_vcpus || !(v = d->vcpu[id]))
		return -ENOENT;
	switch (cmd) {
	case VCPUOP_initialise:
		return op_initialise(v, arg);
	case VCPUOP_up:
		return op_up(v);
	case VCPUOP_down:
		return op_down(v);
	case VCPUOP_is_up:
		return !(v->pause_flags & VPF_down);
	case VCPUOP_get_runstate_info:
		return op_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return op_register_area(v, arg, vtime_register_runstate);
	case VCPUOP_register_vcpu_time_memory_area:
		return op_register_area(v, arg, vtime_register_time);
	case VCPUOP_set_periodic_timer:
		return op_set_periodic(v, arg);
	case VCPUOP_stop_periodic_timer:
		return vtime_set_periodic(v, 0);
	case VCPUOP_set_singleshot_timer:
		return op_set_singleshot(v, arg);
	case VCPUOP_stop_singleshot_timer:
		if (v != current)
			return -EINVAL;
		vtime_stop_singleshot(v);
		return 0;
	case VCPUOP_register_vcpu_info:
		return op_register_vcpu_info(v, arg);
	case VCPUOP_send_nmi:
		return op_send_nmi(v);
	case VCPUOP_get_physid:
		/* Only of a vCPU that is pinned for driving the hardware. */
		return -EINVAL;
	}
	return -ENOSYS;
}
