/* SPDX-License-Identifier: MIT */
/* Caps: a budget of CPU time for a domain in each period. */
#include "sched/private.h"

static s_time_t cap_budget(const struct domain *d)
{
	return CAP_PERIOD * READ_ONCE(d->sched_cap) / 100;
}

/* Debt is carried over: a domain that ran too long waits the longer. */
static void cap_roll(struct sched_dom *s, s_time_t budget, s_time_t now)
{
	s_time_t periods = (now - s->cap_window) / CAP_PERIOD;

	if (periods <= 0)
		return;
	s->cap_window += periods * CAP_PERIOD;
	s->cap_used = periods > s->cap_used / budget ? 0 : s->cap_used - periods * budget;
}

void cap_charge(struct domain *d, s_time_t ns, s_time_t now)
{
	s_time_t budget = cap_budget(d);
	unsigned long flags;

	if (likely(!budget))
		return;
	flags = spin_lock_irqsave(&d->sched.lock);
	cap_roll(&d->sched, budget, now);
	d->sched.cap_used += ns;
	spin_unlock_irqrestore(&d->sched.lock, flags);
}

s_time_t cap_exhausted_until(struct domain *d, s_time_t now)
{
	s_time_t budget = cap_budget(d), until = 0;
	unsigned long flags;

	if (likely(!budget))
		return 0;
	flags = spin_lock_irqsave(&d->sched.lock);
	cap_roll(&d->sched, budget, now);
	if (d->sched.cap_used >= budget)
		until = d->sched.cap_window + d->sched.cap_used / budget * CAP_PERIOD;
	spin_unlock_irqrestore(&d->sched.lock, flags);
	return until;
}

s_time_t cap_left(struct domain *d, s_time_t now)
{
	s_time_t budget = cap_budget(d), left;
	unsigned long flags;

	if (likely(!budget))
		return INT64_MAX;
	flags = spin_lock_irqsave(&d->sched.lock);
	cap_roll(&d->sched, budget, now);
	left = budget - d->sched.cap_used;
	spin_unlock_irqrestore(&d->sched.lock, flags);
	return max(left, MICROSECS(100));
}
