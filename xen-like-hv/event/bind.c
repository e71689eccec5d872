/* SPDX-License-Identifier: MIT */
/* Making and asking about event channels. */
#include "event/private.h"
#include "lib/errno.h"
#include "x86/printk.h"

int evtchn_alloc_unbound(struct domain *d, domid_t remote, uint32_t *ret_port)
{
	struct evtchn *chn;
	int rc;

	spin_lock(&d->event_lock);
	chn = port_alloc(d, &rc);
	if (chn) {
		chn->allowed = remote;
		chn->state = ECS_UNBOUND;
		*ret_port = chn->port;
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

static int bind_locked(struct domain *ld, struct domain *rd, uint32_t rport, uint32_t *ret_port)
{
	struct evtchn *rchn = port_lookup(rd, rport), *lchn;
	int rc;

	if (!rchn || rd->evtchn->closing || rchn->state != ECS_UNBOUND || rchn->allowed != ld->domid)
		return -EINVAL;
	/* Senders look for the vCPU that is told, and find one: the tools made a port before the vCPUs. */
	if (!rd->vcpu[0])
		return -EINVAL;
	lchn = port_alloc(ld, &rc);
	if (!lchn)
		return rc;
	/* One reference for each end on the other's domain; the caller holds both. */
	if (!get_domain(rd) || !get_domain(ld))
		BUG();
	lchn->remote = rd;
	lchn->remote_port = rport;
	rchn->remote = ld;
	rchn->remote_port = lchn->port;
	lchn->state = rchn->state = ECS_INTERDOMAIN;
	/* The peer may have rung before there was anybody to hear. */
	port_set_pending(ld, lchn);
	*ret_port = lchn->port;
	return 0;
}

int evtchn_bind_interdomain(struct domain *ld, struct domain *rd, uint32_t rport, uint32_t *ret_port)
{
	int rc;

	lock_two(ld, rd);
	rc = bind_locked(ld, rd, rport, ret_port);
	unlock_two(ld, rd);
	return rc;
}

int evtchn_bind_ipi(struct domain *d, uint32_t vcpu, uint32_t *ret_port)
{
	struct evtchn *chn;
	int rc;

	if (vcpu >= d->max_vcpus || !d->vcpu[vcpu])
		return -ENOENT;
	spin_lock(&d->event_lock);
	chn = port_alloc(d, &rc);
	if (chn) {
		chn->notify_vcpu = (uint16_t)vcpu;
		chn->state = ECS_IPI;
		*ret_port = chn->port;
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

/* Per-vCPU VIRQs and IPIs stay where they were bound. */
static bool may_move(const struct evtchn *chn)
{
	return chn->state == ECS_UNBOUND || chn->state == ECS_INTERDOMAIN ||
	       (chn->state == ECS_VIRQ && virq_is_global(chn->virq));
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
	struct evtchn *chn = port_lookup(d, port);
	int rc = -EINVAL;

	if (vcpu >= d->max_vcpus || !d->vcpu[vcpu])
		return -ENOENT;
	spin_lock(&d->event_lock);
	if (chn && may_move(chn)) {
		WRITE_ONCE(chn->notify_vcpu, (uint16_t)vcpu);
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

int evtchn_status(struct domain *d, struct evtchn_status *s)
{
	static const uint8_t public_state[] = {
		[ECS_FREE] = EVTCHNSTAT_closed,       [ECS_UNBOUND] = EVTCHNSTAT_unbound,
		[ECS_INTERDOMAIN] = EVTCHNSTAT_interdomain, [ECS_VIRQ] = EVTCHNSTAT_virq,
		[ECS_IPI] = EVTCHNSTAT_ipi,
	};
	struct evtchn *chn = port_lookup(d, s->port);

	if (s->port >= ports_of_abi(d))
		return -EINVAL;
	s->vcpu = 0;
	memset(&s->u, 0, sizeof(s->u));
	s->status = EVTCHNSTAT_closed;
	if (!chn)
		return 0;
	spin_lock(&d->event_lock);
	s->status = public_state[chn->state];
	s->vcpu = chn->notify_vcpu;
	if (chn->state == ECS_UNBOUND)
		s->u.unbound.dom = chn->allowed;
	else if (chn->state == ECS_VIRQ)
		s->u.virq = chn->virq;
	else if (chn->state == ECS_INTERDOMAIN) {
		s->u.interdomain.dom = chn->remote->domid;
		s->u.interdomain.port = chn->remote_port;
	}
	spin_unlock(&d->event_lock);
	return 0;
}
