/* SPDX-License-Identifier: MIT */
/*
 * The vCPUs that wait in one run queue: their domains in a leftist heap by
 * virtual time, linked through their shares, and all of them in a ring, for what
 * need not be exact. With hundreds of guests nothing here takes longer than with
 * thirty-two: a domain has no more vCPUs than that, and of the ring no more are
 * looked at, each time the next ones.
 */
#include "sched/private.h"

static struct sched_share *share_at(const struct leftist *n)
{
	return container_of(n, struct sched_share, node);
}

static bool share_before(const struct leftist *na, const struct leftist *nb)
{
	const struct sched_share *a = share_at(na), *b = share_at(nb);

	return a->vtime != b->vtime ? vt_diff(a->vtime, b->vtime) < 0 : a->served < b->served;
}

void order_add(struct run_queue *rq, struct vcpu *v)
{
	struct sched_share *s = share_of(rq, v);
	struct vcpu *next = rq->ring;

	if (next) {
		v->sched.next = next;
		v->sched.prev = next->sched.prev;
		v->sched.prev->sched.next = next->sched.prev = v;
	} else {
		rq->ring = v->sched.next = v->sched.prev = v;
	}
	rq->nr++;
	v->sched.on_queue = true;
	if (s->waiting++ == 0)
		leftist_insert(&rq->first, &s->node, share_before);
}

void order_del(struct run_queue *rq, struct vcpu *v)
{
	struct sched_share *s = share_of(rq, v);

	if (rq->ring == v)
		rq->ring = v->sched.next;
	if (rq->ring == v)
		rq->ring = NULL;
	v->sched.next->sched.prev = v->sched.prev;
	v->sched.prev->sched.next = v->sched.next;
	v->sched.next = v->sched.prev = NULL;
	rq->nr--;
	v->sched.on_queue = false;
	if (--s->waiting == 0)
		leftist_remove(&rq->first, &s->node, share_before);
}

void order_changed(struct run_queue *rq, struct sched_share *s)
{
	if (s->waiting) {
		leftist_remove(&rq->first, &s->node, share_before);
		leftist_insert(&rq->first, &s->node, share_before);
	}
}

struct vcpu *order_sibling(const struct run_queue *rq, const struct domain *d)
{
	struct vcpu *v, *best = NULL;
	unsigned int i;

	for_each_vcpu(d, v, i) {
		/* In this order: under this queue's lock the second stays as it is where the first is so. */
		if (READ_ONCE(v->processor) != cpu_of(rq) || !READ_ONCE(v->sched.on_queue))
			continue;
		if (!best || v->sched.used < best->sched.used)
			best = v;
	}
	return best;
}

const struct sched_share *order_least(const struct run_queue *rq)
{
	return rq->first ? share_at(rq->first) : NULL;
}

struct vcpu *order_first(const struct run_queue *rq)
{
	const struct sched_share *s = share_at(rq->first) - cpu_of(rq);

	return order_sibling(rq, container_of(s, struct domain, sched_share[0]));
}

vtime_t order_second(const struct run_queue *rq)
{
	const struct leftist *n = rq->first;
	vtime_t left;

	if (share_at(n)->waiting > 1 || !n->left)
		return share_at(n)->vtime;
	left = share_at(n->left)->vtime;
	return n->right ? vt_min(left, share_at(n->right)->vtime) : left;
}
