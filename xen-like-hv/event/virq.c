/* SPDX-License-Identifier: MIT */
/* Virtual interrupts: the hypervisor as sender. */
#include "event/private.h"
#include "lib/errno.h"

_Static_assert(NR_VIRQS == sizeof(((struct vcpu *)0)->virq_port) / sizeof(uint32_t), "struct vcpu has a port for each");

bool virq_is_global(uint32_t virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

static bool virq_exists(uint32_t virq)
{
	return virq < NR_VIRQS && virq != 5 && virq != 14 && virq != 15;
}

int evtchn_bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu, uint32_t *ret_port)
{
	struct evtchn *chn;
	struct vcpu *v;
	unsigned long flags;
	int rc;

	if (!virq_exists(virq) || (virq_is_global(virq) && vcpu != 0))
		return -EINVAL;
	if (virq_is_global(virq) && virq != VIRQ_ARGO && !is_host_domain(d))
		return -EPERM;
	if (vcpu >= d->max_vcpus || !(v = d->vcpu[vcpu]))
		return -ENOENT;
	spin_lock(&d->event_lock);
	rc = -EEXIST;
	chn = v->virq_port[virq] ? NULL : port_alloc(d, &rc);
	if (chn) {
		chn->virq = virq;
		chn->notify_vcpu = (uint16_t)vcpu;
		chn->state = ECS_VIRQ;
		flags = spin_lock_irqsave(&v->virq_lock);
		v->virq_port[virq] = chn->port;
		spin_unlock_irqrestore(&v->virq_lock, flags);
		*ret_port = chn->port;
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

/* event_lock held. When this returns no sender is on its way to the port. */
void virq_unbind(struct domain *d, struct evtchn *chn)
{
	struct vcpu *v = d->vcpu[virq_is_global(chn->virq) ? 0 : chn->notify_vcpu];
	unsigned long flags = spin_lock_irqsave(&v->virq_lock);

	v->virq_port[chn->virq] = 0;
	spin_unlock_irqrestore(&v->virq_lock, flags);
}

void send_guest_vcpu_virq(struct vcpu *v, uint32_t virq)
{
	unsigned long flags = spin_lock_irqsave(&v->virq_lock);
	struct evtchn *chn = v->virq_port[virq] ? port_lookup(v->domain, v->virq_port[virq]) : NULL;

	if (chn)
		port_set_pending(v->domain, chn);
	spin_unlock_irqrestore(&v->virq_lock, flags);
}

void send_guest_global_virq(struct domain *d, uint32_t virq)
{
	if (d && d->vcpu[0])
		send_guest_vcpu_virq(d->vcpu[0], virq);
}

void send_host_virq(uint32_t virq)
{
	send_guest_global_virq(host_domain, virq);
}
