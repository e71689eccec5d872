/* SPDX-License-Identifier: MIT */
/*
 * The vCPUs that wait in one run queue: their domains in a leftist heap by
 * virtual time, linked through sched_share, and all of them in a ring, for what
 * need not be exact. With hundreds of guests nothing here takes longer than with
 * thirty-two: a domain has no more vCPUs than that, and of the ring no more are
 * looked at, each time the next ones.
 */
#include "sched/private.h"

static bool share_before(const struct sched_share *a, const struct sched_share *b)
{
	return a->vtime != b->vtime ? vt_diff(a->vtime, b->vtime) < 0 : a->served < b->served;
}

static unsigned int dist_of(const struct sched_share *s)
{
	return s ? s->dist : 0;
}

static void order_children(struct sched_share *s)
{
	if (dist_of(s->left) < dist_of(s->right)) {
		struct sched_share *l = s->left;

		s->left = s->right;
		s->right = l;
	}
	s->dist = dist_of(s->right) + 1;
}

/* The right spines are logarithmic, so is the depth here. */
static struct sched_share *merge(struct sched_share *a, struct sched_share *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (share_before(b, a)) {
		struct sched_share *x = a;

		a = b;
		b = x;
	}
	a->right = merge(a->right, b);
	a->right->parent = a;
	order_children(a);
	return a;
}

static void heap_insert(struct run_queue *rq, struct sched_share *s)
{
	s->left = s->right = NULL;
	s->dist = 1;
	rq->first = merge(rq->first, s);
	rq->first->parent = NULL;
}

static void heap_remove(struct run_queue *rq, struct sched_share *s)
{
	struct sched_share *m = merge(s->left, s->right), *p = s->parent;

	if (m)
		m->parent = p;
	if (!p)
		rq->first = m;
	else if (p->left == s)
		p->left = m;
	else
		p->right = m;
	for (; p; p = p->parent) {
		uint32_t was = p->dist;

		order_children(p);
		if (p->dist == was)
			break;
	}
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
		heap_insert(rq, s);
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
		heap_remove(rq, s);
}

void order_changed(struct run_queue *rq, struct sched_share *s)
{
	if (s->waiting) {
		heap_remove(rq, s);
		heap_insert(rq, s);
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

struct vcpu *order_first(const struct run_queue *rq)
{
	const struct sched_share *s = rq->first - cpu_of(rq);

	return order_sibling(rq, container_of(s, struct domain, sched_share[0]));
}

vtime_t order_second(const struct run_queue *rq)
{
	const struct sched_share *s = rq->first;

	if (s->waiting > 1 || !s->left)
		return s->vtime;
	return s->right ? vt_min(s->left->vtime, s->right->vtime) : s->left->vtime;
}
