/* SPDX-License-Identifier: MIT */
/* Sending, and telling a vCPU that something is pending. */
#include "event/private.h"
#include "host/host.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "x86/printk.h"

void port_set_pending(struct domain *d, struct evtchn *chn)
{
	if (d->evtchn->fifo)
		fifo_set_pending(d, chn);
	else
		l2_set_pending(d, chn);
}

void port_clear_pending(struct domain *d, struct evtchn *chn)
{
	if (d->evtchn->fifo)
		fifo_clear_pending(d, chn);
	else
		l2_clear_pending(d, chn->port);
}

void port_unmask(struct domain *d, struct evtchn *chn)
{
	if (d->evtchn->fifo)
		fifo_unmask(d, chn);
	else
		l2_unmask(d, chn);
}

bool port_is_pending(struct domain *d, const struct evtchn *chn)
{
	return d->evtchn->fifo ? fifo_is_pending(d, chn) : l2_is_pending(d, chn->port);
}

bool port_is_busy(struct domain *d, const struct evtchn *chn)
{
	return d->evtchn->fifo && fifo_is_busy(d, chn);
}

int evtchn_send(struct domain *ld, uint32_t port)
{
	struct evtchn *chn = port_lookup(ld, port);
	int rc = 0;

	if (unlikely(!chn))
		return -EINVAL;
	spin_lock(&ld->event_lock);
	switch (chn->state) {
	case ECS_INTERDOMAIN:
		port_set_pending(chn->remote, port_lookup(chn->remote, chn->remote_port));
		break;
	case ECS_IPI:
		port_set_pending(ld, chn);
		break;
	case ECS_UNBOUND:
		/* Nobody hears it; whoever binds is told once anyway. */
		break;
	default:
		rc = -EINVAL;
		break;
	}
	spin_unlock(&ld->event_lock);
	return rc;
}

bool evtchn_port_pending(struct domain *d, uint32_t port)
{
	struct evtchn *chn = port_lookup(d, port);
	bool pending = false;

	if (!chn)
		return false;
	spin_lock(&d->event_lock);
	if (chn->state != ECS_FREE)
		pending = port_is_pending(d, chn);
	spin_unlock(&d->event_lock);
	return pending;
}

bool vcpu_event_pending(const struct vcpu *v)
{
	const struct vcpu_info *vi = v->vcpu_info;

	return READ_ONCE(vi->evtchn_upcall_pending) && !READ_ONCE(vi->evtchn_upcall_mask);
}

/*
 * A vCPU that blocks sets VPF_blocked before it looks at the pending byte; here
 * it is the other way around: one of the two sees the other's.
 */
void vcpu_mark_events_pending(struct vcpu *v)
{
	uint8_t was = __atomic_exchange_n(&v->vcpu_info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);

	if (unlikely(is_host_domain(v->domain))) {
		if (node_shared)
			host_ring_if_asleep(NODE_VEC_EVENTS);
		return;
	}
	/* Its mask is no reason to leave it alone: the guest unmasks without a fence. */
	if (!was)
		vcpu_kick(v);
}

/* An event may have been noted in the place that vcpu_info just left. */
void evtchn_vcpu_info_moved(struct vcpu *v)
{
	if (!v->domain->evtchn->fifo)
		__atomic_store_n(&v->vcpu_info->evtchn_pending_sel, ~0UL, __ATOMIC_SEQ_CST);
	vcpu_mark_events_pending(v);
}
