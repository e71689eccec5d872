/* SPDX-License-Identifier: MIT */
/* Event channels: closing, reset; and the hypercall. */
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "event/private.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "x86/softirq.h"

void lock_two(struct domain *a, struct domain *b)
{
	spin_lock(a < b ? &a->event_lock : &b->event_lock);
	if (a != b)
		spin_lock(a < b ? &b->event_lock : &a->event_lock);
}

void unlock_two(struct domain *a, struct domain *b)
{
	spin_unlock(&a->event_lock);
	if (a != b)
		spin_unlock(&b->event_lock);
}

/* Both locked: chn of d goes, its other end waits for a new partner. */
static void unbind_interdomain(struct domain *d, struct evtchn *chn)
{
	struct domain *rd = chn->remote;
	struct evtchn *rchn = port_lookup(rd, chn->remote_port);

	BUG_ON(!rchn || rchn->state != ECS_INTERDOMAIN || rchn->remote != d);
	rchn->state = ECS_UNBOUND;
	rchn->remote = NULL;
	rchn->allowed = d->domid;
	port_free(d, chn);
}

/* event_lock is held. Interdomain channels need the peer's as well and come later. */
static void close_locked(struct domain *d, struct evtchn *chn)
{
	switch (chn->state) {
	case ECS_INTERDOMAIN:
		break;
	case ECS_VIRQ:
		virq_unbind(d, chn);
		port_free(d, chn);
		break;
	default:
		port_free(d, chn);
		break;
	}
}

int evtchn_close(struct domain *d, uint32_t port)
{
	struct evtchn *chn = port_lookup(d, port);
	struct domain *rd = NULL;
	bool done = false;

	if (!chn)
		return -EINVAL;
	while (!done) {
		spin_lock(&d->event_lock);
		if (chn->state == ECS_FREE) {
			spin_unlock(&d->event_lock);
			return -EINVAL;
		}
		rd = chn->state == ECS_INTERDOMAIN ? chn->remote : NULL;
		close_locked(d, chn);
		/* The channel's reference keeps rd only while the lock is held. */
		if (rd && !get_domain(rd))
			BUG();
		spin_unlock(&d->event_lock);
		if (!rd)
			return 0;
		lock_two(d, rd);
		if (chn->state == ECS_INTERDOMAIN && chn->remote == rd) {
			unbind_interdomain(d, chn);
			done = true;
		}
		unlock_two(d, rd);
		put_domain(rd);
	}
	/* The references that the two ends held on each other's domain. */
	put_domain(rd);
	put_domain(d);
	return 0;
}

/* 0, or -ERESTART_HC if asked to give way: the next call goes on. */
static int close_all(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	uint32_t port;

	for (port = max(t->reset_next, 1u); port < READ_ONCE(t->used); port++) {
		(void)evtchn_close(d, port);
		if (port % 64 == 0 && preempt_wanted()) {
			t->reset_next = port + 1;
			return -ERESTART_HC;
		}
	}
	t->reset_next = 0;
	return 0;
}

static int evtchn_reset(struct domain *d)
{
	int rc = close_all(d);

	if (rc)
		return rc;
	spin_lock(&d->event_lock);
	/* Another vCPU bound a port meanwhile: its peer may be using the arrays now. */
	if (d->evtchn->nr_bound) {
		spin_unlock(&d->event_lock);
		return -ERESTART_HC;
	}
	fifo_destroy(d);
	l2_reset(d);
	ports_forget(d->evtchn);
	spin_unlock(&d->event_lock);
	return 0;
}

int evtchn_reset_host(struct domain *d)
{
	return evtchn_reset(d);
}

int evtchn_destroy(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	int rc;

	spin_lock(&d->event_lock);
	if (!t->closing) {
		t->closing = true;
		t->reset_next = 0;
	}
	spin_unlock(&d->event_lock);
	rc = close_all(d);
	if (rc)
		return rc;
	spin_lock(&d->event_lock);
	fifo_destroy(d);
	spin_unlock(&d->event_lock);
	return ports_free_buckets(d);
}

/* --- the hypercall --- */

/* The domain that an operation names, referenced. Others than itself: domain 0 only. */
static int target(domid_t id, struct domain **ret)
{
	struct domain *me = current->domain;

	if (id != DOMID_SELF && id != me->domid && !is_host_domain(me))
		return -EPERM;
	*ret = get_domain_by_id(id);
	return *ret ? 0 : -ESRCH;
}

static int op_alloc_unbound(struct evtchn_alloc_unbound *a)
{
	struct domain *d;
	int rc = target(a->dom, &d);

	if (rc)
		return rc;
	rc = evtchn_alloc_unbound(d, a->remote_dom == DOMID_SELF ? current->domain->domid : a->remote_dom, &a->port);
	put_domain(d);
	return rc;
}

static int op_bind_interdomain(struct evtchn_bind_interdomain *b)
{
	struct domain *rd = get_domain_by_id(b->remote_dom);
	int rc;

	if (!rd)
		return -ESRCH;
	rc = evtchn_bind_interdomain(current->domain, rd, b->remote_port, &b->local_port);
	put_domain(rd);
	return rc;
}

static int op_status(struct evtchn_status *s)
{
	struct domain *d;
	int rc = target(s->dom, &d);

	if (rc)
		return rc;
	rc = evtchn_status(d, s);
	put_domain(d);
	return rc;
}

static long op_reset(const struct evtchn_reset *r, unsigned long arg)
{
	struct domain *d;
	int rc = target(r->dom, &d);

	if (rc)
		return rc;
	rc = evtchn_reset(d);
	put_domain(d);
	if (rc == -ERESTART_HC)
		return hypercall_continuation(__HYPERVISOR_event_channel_op, EVTCHNOP_reset, arg, 0, 0, 0);
	return rc;
}

static int op_unmask(struct domain *d, uint32_t port)
{
	struct evtchn *chn = port_lookup(d, port);
	int rc = -EINVAL;

	spin_lock(&d->event_lock);
	if (chn && chn->state != ECS_FREE) {
		port_unmask(d, chn);
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

static int op_set_priority(struct domain *d, const struct evtchn_set_priority *p)
{
	struct evtchn *chn = port_lookup(d, p->port);
	int rc = -EINVAL;

	if (p->priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -EINVAL;
	spin_lock(&d->event_lock);
	if (!d->evtchn->fifo) {
		rc = -ENOSYS;
	} else if (chn && chn->state != ECS_FREE) {
		chn->priority = (uint8_t)p->priority;
		rc = 0;
	}
	spin_unlock(&d->event_lock);
	return rc;
}

static int op_fifo(struct domain *d, unsigned long cmd, struct evtchn_init_control *c, uint64_t array)
{
	int rc;

	if (is_host_domain(d))
		return -ENOSYS;
	spin_lock(&d->event_lock);
	rc = cmd == EVTCHNOP_init_control ? fifo_init_control(d, c) : fifo_expand_array(d, array);
	spin_unlock(&d->event_lock);
	return rc;
}

/* in: bytes to read; out: bytes to write back after success. */
static int op_sizes(unsigned long cmd, unsigned int *in, unsigned int *out)
{
	static const struct { uint8_t in, out; } size[] = {
		[EVTCHNOP_bind_interdomain] = { sizeof(struct evtchn_bind_interdomain),
						sizeof(struct evtchn_bind_interdomain) },
		[EVTCHNOP_bind_virq] = { sizeof(struct evtchn_bind_virq), sizeof(struct evtchn_bind_virq) },
		[EVTCHNOP_close] = { sizeof(struct evtchn_close), 0 },
		[EVTCHNOP_send] = { sizeof(struct evtchn_send), 0 },
		[EVTCHNOP_status] = { sizeof(struct evtchn_status), sizeof(struct evtchn_status) },
		[EVTCHNOP_alloc_unbound] = { sizeof(struct evtchn_alloc_unbound), sizeof(struct evtchn_alloc_unbound) },
		[EVTCHNOP_bind_ipi] = { sizeof(struct evtchn_bind_ipi), sizeof(struct evtchn_bind_ipi) },
		[EVTCHNOP_bind_vcpu] = { sizeof(struct evtchn_bind_vcpu), 0 },
		[EVTCHNOP_unmask] = { sizeof(struct evtchn_unmask), 0 },
		[EVTCHNOP_reset] = { sizeof(struct evtchn_reset), 0 },
		[EVTCHNOP_init_control] = { sizeof(struct evtchn_init_control), sizeof(struct evtchn_init_control) },
		[EVTCHNOP_expand_array] = { sizeof(struct evtchn_expand_array), 0 },
		[EVTCHNOP_set_priority] = { sizeof(struct evtchn_set_priority), 0 },
	};

	if (cmd == EVTCHNOP_bind_pirq)
		return -EPERM;
	if (cmd >= ARRAY_SIZE(size) || !size[cmd].in)
		return -ENOSYS;
	*in = size[cmd].in;
	*out = size[cmd].out;
	return 0;
}

union evtchn_arg {
	struct evtchn_alloc_unbound alloc_unbound;
	struct evtchn_bind_interdomain bind_interdomain;
	struct evtchn_bind_virq bind_virq;
	struct evtchn_bind_ipi bind_ipi;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_status status;
	struct evtchn_bind_vcpu bind_vcpu;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
	struct evtchn_init_control init_control;
	struct evtchn_expand_array expand_array;
	struct evtchn_set_priority set_priority;
};

static long dispatch(unsigned long cmd, union evtchn_arg *u, unsigned long arg)
{
	struct domain *d = current->domain;

	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		return op_alloc_unbound(&u->alloc_unbound);
	case EVTCHNOP_bind_interdomain:
		return op_bind_interdomain(&u->bind_interdomain);
	case EVTCHNOP_bind_virq:
		return evtchn_bind_virq(d, u->bind_virq.virq, u->bind_virq.vcpu, &u->bind_virq.port);
	case EVTCHNOP_bind_ipi:
		return evtchn_bind_ipi(d, u->bind_ipi.vcpu, &u->bind_ipi.port);
	case EVTCHNOP_close:
		return evtchn_close(d, u->close.port);
	case EVTCHNOP_status:
		return op_status(&u->status);
	case EVTCHNOP_bind_vcpu:
		return evtchn_bind_vcpu(d, u->bind_vcpu.port, u->bind_vcpu.vcpu);
	case EVTCHNOP_unmask:
		return op_unmask(d, u->unmask.port);
	case EVTCHNOP_reset:
		return op_reset(&u->reset, arg);
	case EVTCHNOP_init_control:
	case EVTCHNOP_expand_array:
		return op_fifo(d, cmd, &u->init_control, u->expand_array.array_gfn);
	case EVTCHNOP_set_priority:
		return op_set_priority(d, &u->set_priority);
	}
	return -ENOSYS;
}

long do_event_channel_op(unsigned long cmd, unsigned long arg)
{
	union evtchn_arg u;
	unsigned int in, out;
	long rc;

	/* The one that counts: */
	if (likely(cmd == EVTCHNOP_send)) {
		if (copy_from_guest(&u.send, arg, 1))
			return -EFAULT;
		return evtchn_send(current->domain, u.send.port);
	}
	rc = op_sizes(cmd, &in, &out);
	if (rc)
		return rc;
	if (copy_from_guest_raw(&u, arg, in))
		return -EFAULT;
	rc = dispatch(cmd, &u, arg);
	if (rc == 0 && out && copy_to_guest_raw(arg, &u, out))
		return -EFAULT;
	return rc;
}
