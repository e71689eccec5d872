/* SPDX-License-Identifier: MIT */
/* SCHEDOP_poll: sleep until one of some ports is pending, delivered or not. */
#include "event/poll.h"
#include "domain/uaccess.h"
#include "event/private.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "x86/softirq.h"

#define POLL_MAX_PORTS 128u
#define POLL_SEVERAL (-1)

/*
 * The poller writes its port, then its bit, then VPF_blocked, then looks at
 * the ports; a sender sets the port pending before it looks here. The bit stays
 * set until the next block or poll of the vCPU; a stale one costs a spurious
 * wakeup at worst.
 */
void wake_pollers(struct domain *d, uint32_t port)
{
	uint32_t mask = __atomic_load_n(&d->evtchn->pollers, __ATOMIC_SEQ_CST);

	for (; unlikely(mask); mask &= mask - 1) {
		unsigned int id = (unsigned int)__builtin_ctz(mask);
		struct vcpu *v = id < d->max_vcpus ? d->vcpu[id] : NULL;

		if (v && (v->poll_port == POLL_SEVERAL || v->poll_port == (int32_t)port))
			vcpu_unblock(v);
	}
}

void poll_forget(struct vcpu *v)
{
	if (likely(v->poll_port == 0))
		return;
	__atomic_fetch_and(&v->domain->evtchn->pollers, ~(1u << v->vcpu_id), __ATOMIC_SEQ_CST);
	v->poll_port = 0;
	timer_stop(&v->vtime.poll);
}

/* 1: one of the ports is pending already */
static int look(struct domain *d, const struct sched_poll *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_ports; i++) {
		evtchn_port_t port;

		if (copy_from_guest_raw(&port, handle_at(p->ports, i), sizeof(port)))
			return -EFAULT;
		if (port == 0 || port >= ports_of_abi(d))
			return -EINVAL;
		if (evtchn_port_pending(d, port))
			return 1;
	}
	return 0;
}

int vcpu_poll(struct vcpu *v, const struct sched_poll *p)
{
	evtchn_port_t one = 0;
	int rc;

	if (p->nr_ports > POLL_MAX_PORTS)
		return -EINVAL;
	if (p->nr_ports == 1 && copy_from_guest_raw(&one, handle_addr(p->ports), sizeof(one)))
		return -EFAULT;
	if (p->nr_ports == 1 && (one == 0 || one >= ports_of_abi(v->domain)))
		return -EINVAL;
	poll_forget(v);
	v->poll_port = p->nr_ports == 1 ? (int32_t)one : POLL_SEVERAL;
	__atomic_fetch_or(&v->domain->evtchn->pollers, 1u << v->vcpu_id, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&v->pause_flags, VPF_blocked, __ATOMIC_SEQ_CST);
	rc = vcpu_event_pending(v) ? 1 : look(v->domain, p);
	if (rc) {
		__atomic_fetch_and(&v->pause_flags, ~VPF_blocked, __ATOMIC_SEQ_CST);
		poll_forget(v);
		return rc < 0 ? rc : 0;
	}
	if (p->timeout) {
		timer_migrate(&v->vtime.poll, smp_cpu());
		timer_set(&v->vtime.poll, domain_time_here(v->domain, (s_time_t)p->timeout));
	}
	softirq_raise(SCHEDULE_SOFTIRQ);
	return 0;
}

int vcpu_block(struct vcpu *v)
{
	poll_forget(v);
	WRITE_ONCE(v->vcpu_info->evtchn_upcall_mask, 0);
	__atomic_fetch_or(&v->pause_flags, VPF_blocked, __ATOMIC_SEQ_CST);
	if (vcpu_event_pending(v))
		__atomic_fetch_and(&v->pause_flags, ~VPF_blocked, __ATOMIC_SEQ_CST);
	else
		softirq_raise(SCHEDULE_SOFTIRQ);
	return 0;
}
