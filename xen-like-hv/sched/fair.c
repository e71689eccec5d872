/* SPDX-License-Identifier: MIT */
/*
 * Weighted fair order. A vCPU's virtual time grows as it runs, by
 * 256 / weight; the least runs next. A queue's clock is the least virtual time
 * in it; a vCPU that sleeps or moves keeps only its distance from the clock,
 * cut to one slice either way, so that nobody saves up credit and nobody starves.
 */
#include "sched/private.h"
#include "x86/printk.h"

static uint32_t weight_of(const struct vcpu *v)
{
	return v->domain->sched_weight ? v->domain->sched_weight : WEIGHT_DEFAULT;
}

static s_time_t weighted(const struct vcpu *v, s_time_t ns)
{
	return ns * WEIGHT_DEFAULT / weight_of(v);
}

static void advance_clock(struct run_queue *rq)
{
	const struct vcpu *c = rq->curr;
	s_time_t least;

	if (!is_idle_vcpu(c) && !c->sched.on_queue)
		least = rq->head ? min(rq->head->sched.vtime, c->sched.vtime) : c->sched.vtime;
	else if (rq->head)
		least = rq->head->sched.vtime;
	else
		return;
	if (least > rq->clock)
		rq->clock = least;
}

static void insert(struct run_queue *rq, struct vcpu *v)
{
	struct vcpu *after = NULL, *p;

	for (p = rq->head; p && p->sched.vtime <= v->sched.vtime; p = p->sched.next)
		after = p;
	v->sched.prev = after;
	v->sched.next = p;
	if (p)
		p->sched.prev = v;
	if (after)
		after->sched.next = v;
	else
		rq->head = v;
	v->sched.on_queue = true;
	rq->nr++;
}

static void unlink(struct run_queue *rq, struct vcpu *v)
{
	struct sched_unit *s = &v->sched;

	if (s->prev)
		s->prev->sched.next = s->next;
	else
		rq->head = s->next;
	if (s->next)
		s->next->sched.prev = s->prev;
	s->next = s->prev = NULL;
	s->on_queue = false;
	rq->nr--;
}

void fair_enqueue(struct run_queue *rq, struct vcpu *v, bool wakeup, s_time_t now)
{
	s_time_t lead = v->sched.vtime, most = weighted(v, SLICE_MAX);

	/* What it had too much is forgotten while it sleeps, and some credit lets it run at once. */
	if (wakeup && lead > -WAKEUP_CREDIT)
		lead = max(lead - (now - v->sched.runstate_entry), -WAKEUP_CREDIT);
	lead = min(lead, most);
	lead = max(lead, -SLICE_MAX);
	v->sched.vtime = rq->clock + lead;
	insert(rq, v);
}

void fair_requeue(struct run_queue *rq, struct vcpu *v)
{
	if (v->sched.yielded && rq->head)
		v->sched.vtime = max(v->sched.vtime, rq->head->sched.vtime + 1);
	v->sched.yielded = false;
	insert(rq, v);
}

void fair_dequeue(struct run_queue *rq, struct vcpu *v)
{
	unlink(rq, v);
	v->sched.vtime -= rq->clock;
}

struct vcpu *fair_take(struct run_queue *rq, struct vcpu *v)
{
	unlink(rq, v);
	return v;
}

void fair_leave(struct run_queue *rq, struct vcpu *v)
{
	v->sched.vtime -= rq->clock;
	v->sched.yielded = false;
}

/* --- caps --- */

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

static void cap_charge(struct domain *d, s_time_t ns, s_time_t now)
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

void fair_charge(struct run_queue *rq, struct vcpu *v, s_time_t now)
{
	s_time_t ran = now - v->sched.last_start;

	if (ran <= 0)
		return;
	v->sched.last_start = now;
	v->sched.run_ns += ran;
	if (is_idle_vcpu(v))
		return;
	v->sched.vtime += weighted(v, ran);
	cap_charge(v->domain, ran, now);
	advance_clock(rq);
}

bool fair_preempts(struct run_queue *rq, const struct vcpu *v)
{
	return v->sched.vtime + WAKEUP_GRANULARITY < rq->curr->sched.vtime;
}

s_time_t fair_slice(const struct run_queue *rq)
{
	s_time_t share = SLICE_ROUND / (s_time_t)(rq->nr + 1);

	share = min(share, SLICE_MAX);
	return max(share, SLICE_MIN);
}
