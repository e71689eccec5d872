/* SPDX-License-Identifier: MIT */
/* How a domain stops, and goes on. */
#include "control/private.h"
#include "event/evtchn.h"
#include "sched/sched.h"

/* shutdown_lock is taken with interrupts off: a crash may be called from an interrupt handler. */
void domain_shutdown(struct domain *d, uint32_t reason)
{
	unsigned long flags;

	if (d->is_idle || is_host_domain(d))
		return;
	flags = spin_lock_irqsave(&d->shutdown_lock);
	if (d->is_shutting_down) {
		/* A crash on the way down is what the tools must hear of. */
		if (reason == SHUTDOWN_crash)
			d->shutdown_code = reason;
		spin_unlock_irqrestore(&d->shutdown_lock, flags);
		return;
	}
	d->is_shutting_down = true;
	d->shutdown_code = reason;
	spin_unlock_irqrestore(&d->shutdown_lock, flags);

	/* A vCPU that runs, current among them, leaves at its next exit. */
	domain_pause_nosync(d);
	WRITE_ONCE(d->is_shut_down, true);
	if (reason == SHUTDOWN_suspend && d->suspend_port != 0)
		evtchn_send(d, d->suspend_port);
	send_host_virq(VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
	unsigned long flags = spin_lock_irqsave(&d->shutdown_lock);
	bool was_down = d->is_shut_down;

	if (was_down) {
		d->is_shutting_down = d->is_shut_down = false;
		d->shutdown_code = 0;
		d->crashed_once = false;
	}
	spin_unlock_irqrestore(&d->shutdown_lock, flags);
	if (was_down)
		domain_unpause(d);
}

bool domain_is_quiet_shut_down(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	if (!READ_ONCE(d->is_shut_down))
		return false;
	for_each_vcpu(d, v, i)
		vcpu_sleep_sync(v);
	return true;
}
