/* SPDX-License-Identifier: MIT */
/* SCHEDOP_*: a vCPU gives up the CPU, a domain shuts down. */
#include "control/private.h"
#include "domain/uaccess.h"
#include "event/poll.h"
#include "lib/errno.h"
#include "sched/sched.h"
#include "x86/printk.h"

#define WATCHDOG_MAX_SECONDS 86400u

static long op_poll(unsigned long arg)
{
	struct sched_poll p;

	if (copy_from_guest(&p, arg, 1))
		return -EFAULT;
	return vcpu_poll(current, &p);
}

static long op_shutdown(unsigned long arg, bool latch)
{
	struct domain *d = current->domain;
	struct sched_shutdown s;

	if (copy_from_guest(&s, arg, 1))
		return -EFAULT;
	if (s.reason > SHUTDOWN_MAX)
		return -EINVAL;
	/* The code is what the tools are to see if the domain goes down later, by whatever way. */
	if (latch)
		WRITE_ONCE(d->shutdown_code, s.reason);
	else
		domain_shutdown(d, s.reason);
	return 0;
}

static long op_remote_shutdown(unsigned long arg)
{
	struct sched_remote_shutdown s;
	struct domain *d;

	if (!is_host_domain(current->domain))
		return -EPERM;
	if (copy_from_guest(&s, arg, 1))
		return -EFAULT;
	if (s.reason > SHUTDOWN_MAX)
		return -EINVAL;
	d = get_domain_by_id(s.domain_id);
	if (!d)
		return -ESRCH;
	domain_shutdown(d, s.reason);
	put_domain(d);
	return 0;
}

/* --- watchdogs: two for each domain, id 1 and 2 --- */

static void watchdog_bites(void *data)
{
	struct domain *d = data;

	if (d->is_dying)
		return;
	printk("d%u: its watchdog timer expired\n", d->domid);
	domain_shutdown(d, SHUTDOWN_watchdog);
}

static long watchdog_new(struct domain *d, s_time_t expires)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->sched.watchdog); i++) {
		if (d->sched.watchdog_on[i])
			continue;
		if (d->sched.watchdog[i].state == TIMER_DEAD)
			timer_init(&d->sched.watchdog[i], watchdog_bites, d, smp_cpu());
		d->sched.watchdog_on[i] = true;
		timer_set(&d->sched.watchdog[i], expires);
		return (long)i + 1;
	}
	return -ENOSPC;
}

static long op_watchdog(struct domain *d, unsigned long arg)
{
	struct sched_watchdog w;
	s_time_t expires;
	long rc = 0;

	if (copy_from_guest(&w, arg, 1))
		return -EFAULT;
	if (w.id > ARRAY_SIZE(d->sched.watchdog) || w.timeout > WATCHDOG_MAX_SECONDS)
		return -EINVAL;
	expires = NOW() + MILLISECS(1000) * w.timeout;
	spin_lock(&d->hypercall_lock);
	if (d->is_dying || (w.id && !d->sched.watchdog_on[w.id - 1])) {
		rc = -EINVAL;
	} else if (w.id == 0) {
		rc = w.timeout ? watchdog_new(d, expires) : -EINVAL;
	} else if (w.timeout == 0) {
		timer_stop(&d->sched.watchdog[w.id - 1]);
		d->sched.watchdog_on[w.id - 1] = false;
	} else {
		timer_set(&d->sched.watchdog[w.id - 1], expires);
	}
	spin_unlock(&d->hypercall_lock);
	return rc;
}

void watchdog_destroy(struct domain *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->sched.watchdog); i++)
		timer_kill(&d->sched.watchdog[i]);
}

long do_sched_op(unsigned long cmd, unsigned long arg)
{
	struct vcpu *v = current;

	/* Domain 0 of a node has no vCPU that could wait, and ends with the node. */
	if (is_host_domain(v->domain) && cmd != SCHEDOP_remote_shutdown)
		return -ENOSYS;
	switch (cmd) {
	case SCHEDOP_yield:
		vcpu_yield();
		return 0;
	case SCHEDOP_block:
		return vcpu_block(v);
	case SCHEDOP_poll:
		return op_poll(arg);
	case SCHEDOP_shutdown:
		return op_shutdown(arg, false);
	case SCHEDOP_shutdown_code:
		return op_shutdown(arg, true);
	case SCHEDOP_remote_shutdown:
		return op_remote_shutdown(arg);
	case SCHEDOP_watchdog:
		return op_watchdog(v->domain, arg);
	case SCHEDOP_pin_override:
		return -EPERM;
	}
	return -ENOSYS;
}
