/* SPDX-License-Identifier: MIT */
/*
 * Weighted fair order. A domain's weight is divided among its runnable vCPUs,
 * wherever they are. On each CPU a domain has one virtual time, which all of
 * its vCPUs there share: it grows as one of them runs, by 256 over their part
 * of the weight. The domain that is least runs next; of its vCPUs, the one
 * that used least.
 *
 * Accounts are the domain's because a guest has as many vCPUs as it likes:
 * what one of them earns by sleeping, thirty-one others must not earn as well.
 * They are a CPU's because vCPUs may be bound to CPUs that are not equally
 * busy. Their times can be compared (rq_common), and balance.c moves vCPUs
 * until they go on alike: that makes the shares those of the whole machine.
 *
 * A queue's clock is the least virtual time in it. It stands while somebody
 * who is not the least runs, so sleeping earns nothing unless others got on.
 * Nor does sleeping here while siblings run elsewhere (place).
 */
#include "sched/private.h"
#include "x86/printk.h"

static s_time_t weight_here(const struct domain *d, const struct sched_share *s)
{
	return (s_time_t)READ_ONCE(d->sched_weight) * max(s->nr, 1u);
}

/*
 * domain.sched.active is changed by CPUs that hold different queues' locks. It
 * is never less than share.nr of any queue, seen under that queue's lock: what
 * is counted there was added to it under that lock, or was moved there under it.
 * Else it is as old as the last sleep or wake on another CPU: what is charged
 * meanwhile is off by that one vCPU.
 */
static s_time_t parts_of(const struct domain *d)
{
	uint32_t active = READ_ONCE(d->sched.active);

	return WEIGHT_DEFAULT * (s_time_t)max(active, 1u);
}

static s_time_t weighted(const struct domain *d, const struct sched_share *s, s_time_t ns)
{
	/* Cut, so that the product fits: a thousand seconds are more than anybody gets or asks for. */
	return min(ns, FOREVER) * parts_of(d) / weight_here(d, s);
}

bool fair_worth(const struct run_queue *rq, const struct vcpu *v, s_time_t lag, s_time_t ns)
{
	const struct domain *d = v->domain;

	return lag > 0 && min(lag, FOREVER) * weight_here(d, share_of(rq, v)) > ns * parts_of(d);
}

bool fair_before(const struct run_queue *rq, const struct vcpu *a, const struct vcpu *b)
{
	const struct sched_share *x = share_of(rq, a), *y = share_of(rq, b);

	if (x == y)
		return a->sched.used < b->sched.used;
	return x->vtime != y->vtime ? vt_diff(x->vtime, y->vtime) < 0 : x->served < y->served;
}

static bool runs_a_guest(const struct run_queue *rq)
{
	return rq->curr && !is_idle_vcpu(rq->curr);
}

/* The one that runs is at `least`. */
static void advance_clock(struct run_queue *rq, vtime_t least)
{
	if (rq->nr)
		least = vt_min(least, rq->least);
	rq->clock = vt_max(rq->clock, least);
}

static void insert(struct run_queue *rq, struct vcpu *v, vtime_t vtime)
{
	rq->least = rq->nr ? vt_min(rq->least, vtime) : vtime;
	rq->heaviest = max(rq->heaviest, weight_of(v));
	order_add(rq, v);
}

/* Who was moved here may run from far before the clock, which never goes back. */
static vtime_t present(const struct run_queue *rq)
{
	return runs_a_guest(rq) ? vt_min(rq->clock, share_of(rq, rq->curr)->vtime) : rq->clock;
}

/*
 * It woke up. The first of its domain here starts near the clock, whatever the
 * domain saved up or owes; but what it got on other CPUs while it had nobody
 * here is no credit. The clock may have hurried ahead of the other CPUs', with a
 * small part of a domain of many vCPUs that was alone here: who is pulled here
 * next to that will be before it, and a sleeper must not be behind those.
 */
static void place(struct run_queue *rq, struct vcpu *v, struct sched_share *s)
{
	vtime_t clock = present(rq), most = clock + weighted(v->domain, s, SLICE_MAX);
	s_time_t elsewhere = READ_ONCE(v->domain->sched.total) - s->total;

	s->vtime += min(elsewhere, FOREVER) * WEIGHT_DEFAULT / weight_of(v);
	clock = vt_max(balance_least(rq, v, clock), clock - weighted(v->domain, s, SLICE_ROUND));
	if (vt_diff(s->vtime, clock) < 0)
		s->vtime = vt_max(s->vtime, clock - weighted(v->domain, s, WAKEUP_CREDIT));
	else
		s->vtime = vt_min(s->vtime, most);
}

/*
 * It comes from another queue with its part of what its domain may claim, or owes. A claim is for a round at most:
 * the small part of a domain of many vCPUs differs by much more between CPUs, where now more of them are and now
 * less, and those here who sleep most of the time would wait for all of that.
 */
static void place_moved(struct run_queue *rq, struct vcpu *v, struct sched_share *s)
{
	vtime_t most = present(rq) - weighted(v->domain, s, SLICE_ROUND);
	vtime_t vtime = vt_max(v->sched.vtime + rq->ahead, most);

	s->vtime = s->nr == 1 ? vtime : s->vtime + vt_diff(vtime, s->vtime) / (s_time_t)s->nr;
	order_changed(rq, s);
}

void fair_enqueue(struct run_queue *rq, struct vcpu *v, bool wakeup, s_time_t now)
{
	struct sched_share *s = share_of(rq, v);
	s_time_t used;

	/* The clock of a queue that was empty stood still. */
	if (!rq->nr && !runs_a_guest(rq))
		rq->clock = vt_max(rq->clock, v->sched.vtime + rq->ahead);
	if (wakeup)
		__atomic_fetch_add(&v->domain->sched.active, 1, __ATOMIC_RELAXED);
	if (s->nr++ == 0)
		s->served = wakeup ? now : v->sched.runstate_entry;
	if (!wakeup)
		place_moved(rq, v, s);
	else if (s->nr == 1)
		place(rq, v, s);
	used = max(v->sched.used, s->used - WAKEUP_CREDIT);
	v->sched.used = min(used, s->used + SLICE_MAX);
	insert(rq, v, s->vtime);
}

static void leave(struct run_queue *rq, struct vcpu *v, bool sleeps)
{
	struct sched_share *s = share_of(rq, v);

	v->sched.vtime = rq_common(rq, s->vtime);
	if (--s->nr == 0)
		s->total = READ_ONCE(v->domain->sched.total);
	if (sleeps)
		__atomic_fetch_sub(&v->domain->sched.active, 1, __ATOMIC_RELAXED);
}

void fair_dequeue(struct run_queue *rq, struct vcpu *v, bool sleeps)
{
	order_del(rq, v);
	leave(rq, v, sleeps);
}

void fair_leave(struct run_queue *rq, struct vcpu *v)
{
	v->sched.yielded = false;
	leave(rq, v, true);
}

/* Siblings first; if there are none, other domains: what it had a right to is gone. */
static void yield_to(struct run_queue *rq, struct vcpu *y)
{
	const struct vcpu *sibling = order_sibling(rq, y->domain);
	const struct sched_share *least = order_least(rq);
	struct sched_share *s = share_of(rq, y);

	/* Without siblings that wait y's domain is not in the order now. */
	if (sibling)
		y->sched.used = max(y->sched.used, sibling->sched.used + 1);
	else if (least)
		s->vtime = vt_max(s->vtime, least->vtime + 1);
}

void fair_requeue(struct run_queue *rq, struct vcpu *v)
{
	if (unlikely(v->sched.yielded)) {
		yield_to(rq, v);
		rq->slice_end = 0;
	}
	v->sched.yielded = false;
	insert(rq, v, share_of(rq, v)->vtime);
}

/* What a look at the others finds: at all of them, or at the next LOOK_MAX. */
struct found {
	struct vcpu *starved;
	cpumask_t cpus; /* where they could run */
	uint32_t heaviest;
};

static struct found look(struct run_queue *rq, const struct vcpu *first, s_time_t now)
{
	struct found f = { .heaviest = weight_of(first) };
	s_time_t oldest = now - STARVED;
	struct vcpu *v = rq->ring;
	unsigned int n = min(rq->nr, LOOK_MAX);

	for (; n; n--, v = v->sched.next) {
		const struct sched_share *s = share_of(rq, v);

		if (v != first)
			f.cpus |= v->sched.hard_affinity;
		f.heaviest = max(f.heaviest, weight_of(v));
		if (unlikely(s->served < oldest)) {
			oldest = s->served;
			f.starved = v;
		}
	}
	rq->ring = v;
	return f;
}

static struct vcpu *pick_only(struct run_queue *rq)
{
	struct vcpu *v = rq->ring;

	rq->clock = vt_max(rq->clock, share_of(rq, v)->vtime);
	rq->spill = 0;
	rq->heaviest = weight_of(v);
	return v;
}

/*
 * Mostly the first, but who has the CPU keeps it for its slice unless another
 * is clearly before it, and of those who wait for long whatever their weight
 * one now and then has a turn.
 */
static __attribute__((noinline)) struct vcpu *pick_among(struct run_queue *rq, s_time_t now)
{
	struct vcpu *curr = rq->curr, *first = order_first(rq), *v = first;
	struct found f = look(rq, first, now);
	vtime_t least = order_least(rq)->vtime;

	if (unlikely(f.starved && now - rq->mercy >= MERCY_PERIOD)) {
		rq->mercy = now;
		v = f.starved;
	} else if (v != curr && curr->sched.on_queue && now < rq->slice_end && !fair_preempts(rq, v)) {
		v = curr;
	}
	rq->clock = vt_max(rq->clock, least);
	rq->heaviest = f.heaviest;
	rq->least = v == first ? order_second(rq) : least;
	rq->spill = v == first ? f.cpus : f.cpus | first->sched.hard_affinity;
	return v;
}

/* Who runs next; it stays in the queue. */
struct vcpu *fair_pick(struct run_queue *rq, s_time_t now)
{
	if (rq->nr > 1)
		return pick_among(rq, now);
	return rq->nr ? pick_only(rq) : NULL;
}

void fair_take(struct run_queue *rq, struct vcpu *v)
{
	struct sched_share *s = share_of(rq, v);

	order_del(rq, v);
	rq->running = s->vtime;
	s->used = max(s->used, v->sched.used);
}

/* v is rq->curr. */
void fair_charge(struct run_queue *rq, struct vcpu *v, s_time_t now)
{
	s_time_t ran = now - v->sched.last_start, end = rq->slice_end;
	struct sched_share *s = share_of(rq, v);
	struct domain *d = v->domain;

	if (ran <= 0)
		return;
	v->sched.last_start = now;
	v->sched.run_ns += ran;
	if (d->is_idle)
		return;
	s->served = now;
	/* Long past the end of its slice: this CPU itself did not run, the host had it. Nobody pays for that. */
	if (end && unlikely(now - end > SLICE_MAX))
		ran -= min(ran, now - end - SLICE_MAX);
	v->sched.used += ran;
	s->vtime += weighted(d, s, ran);
	__atomic_fetch_add(&d->sched.total, ran, __ATOMIC_RELAXED);
	order_changed(rq, s);
	if (has_cap(d))
		cap_charge(d, ran, now);
	advance_clock(rq, s->vtime);
}

/* This CPU worked for v's domain, which may have nobody here: it pays when it has. */
void fair_charge_work(struct run_queue *rq, struct vcpu *v, s_time_t ns, s_time_t now)
{
	struct sched_share *s = share_of(rq, v);
	struct domain *d = v->domain;

	if (!s->nr)
		s->vtime = vt_max(s->vtime, rq->clock - weighted(d, s, WAKEUP_CREDIT));
	s->vtime += weighted(d, s, ns);
	order_changed(rq, s);
	if (has_cap(d))
		cap_charge(d, ns, now);
}

bool fair_preempts(const struct run_queue *rq, const struct vcpu *v)
{
	const struct vcpu *c = rq->curr;

	if (v->domain == c->domain)
		return v->sched.used + WAKEUP_GRANULARITY < c->sched.used;
	return fair_worth(rq, v, vt_diff(share_of(rq, c)->vtime, share_of(rq, v)->vtime), WAKEUP_GRANULARITY);
}

/* The lighter of two has shorter turns, or the other would have to wait for its next one too long. */
s_time_t fair_slice(const struct run_queue *rq, const struct vcpu *v)
{
	s_time_t waiting = (s_time_t)rq->nr + 1, share = SLICE_MAX;
	uint32_t weight = weight_of(v), heaviest = max(rq->heaviest, rq->heaviest_elsewhere);

	if (waiting > SLICE_ROUND / SLICE_MAX)
		share = max(SLICE_ROUND / waiting, SLICE_MIN);
	if (unlikely(weight < heaviest))
		share = max(share * weight / heaviest, SLICE_LEAST);
	/* So many that a round would be too long. */
	return unlikely(share * waiting > ROUND_MAX) ? max(ROUND_MAX / waiting, SLICE_LEAST / 2) : share;
}
