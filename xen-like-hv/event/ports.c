/* SPDX-License-Identifier: MIT */
/* The table of a domain's ports: which there are, which are free. */
#include "event/private.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "x86/softirq.h"

#define BUSY_TRIES 16u

static uint32_t nr_buckets(const struct evtchn_table *t)
{
	return (t->nr_ports + PORTS_PER_BUCKET - 1) / PORTS_PER_BUCKET;
}

uint32_t ports_of_abi(const struct domain *d)
{
	const struct evtchn_table *t = d->evtchn;
	uint32_t abi = t->fifo ? EVTCHN_FIFO_NR_CHANNELS : (uint32_t)EVTCHN_2L_NR_CHANNELS;

	return min(t->nr_ports, abi);
}

struct evtchn *port_lookup(const struct domain *d, uint32_t port)
{
	const struct evtchn_table *t = d->evtchn;
	struct evtchn *bucket;

	if (!t || port == 0 || port >= t->nr_ports)
		return NULL;
	bucket = READ_ONCE(t->bucket[port / PORTS_PER_BUCKET]);
	return bucket ? &bucket[port % PORTS_PER_BUCKET] : NULL;
}

static struct evtchn *add_bucket(struct evtchn_table *t, uint32_t port)
{
	struct evtchn *b = xzalloc_array(struct evtchn, PORTS_PER_BUCKET);
	uint32_t i;

	if (!b)
		return NULL;
	for (i = 0; i < PORTS_PER_BUCKET; i++)
		b[i].port = port / PORTS_PER_BUCKET * PORTS_PER_BUCKET + i;
	__atomic_store_n(&t->bucket[port / PORTS_PER_BUCKET], b, __ATOMIC_RELEASE);
	return &b[port % PORTS_PER_BUCKET];
}

static void free_append(struct domain *d, struct evtchn *chn)
{
	struct evtchn_table *t = d->evtchn;

	chn->next_free = 0;
	if (t->free_tail)
		port_lookup(d, t->free_tail)->next_free = chn->port;
	else
		t->free_head = chn->port;
	t->free_tail = chn->port;
}

static struct evtchn *free_take(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	struct evtchn *chn = t->free_head ? port_lookup(d, t->free_head) : NULL;

	if (chn) {
		t->free_head = chn->next_free;
		if (!t->free_head)
			t->free_tail = 0;
	}
	return chn;
}

/*
 * The one that was closed longest ago, since a FIFO queue of the guest may still
 * lead over others. What a guest leaves in its queues does not make the search
 * longer, it makes it fail.
 */
static struct evtchn *take_closed(struct domain *d)
{
	unsigned int tries = BUSY_TRIES;
	struct evtchn *chn;

	while (tries-- && (chn = free_take(d))) {
		if (!port_is_busy(d, chn))
			return chn;
		free_append(d, chn);
	}
	return NULL;
}

static struct evtchn *take_unused(struct domain *d, int *err)
{
	struct evtchn_table *t = d->evtchn;
	struct evtchn *chn;

	*err = -ENOSPC;
	if (t->used >= ports_of_abi(d))
		return NULL;
	chn = port_lookup(d, t->used);
	if (!chn)
		chn = add_bucket(t, t->used);
	if (!chn) {
		*err = -ENOMEM;
		return NULL;
	}
	WRITE_ONCE(t->used, t->used + 1);
	return chn;
}

struct evtchn *port_alloc(struct domain *d, int *err)
{
	struct evtchn *chn;

	*err = -EINVAL;
	if (d->evtchn->closing)
		return NULL;
	chn = take_closed(d);
	if (!chn)
		chn = take_unused(d, err);
	if (!chn)
		return NULL;
	d->evtchn->nr_bound++;
	chn->notify_vcpu = 0;
	chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	chn->lost = false;
	return chn;
}

void port_free(struct domain *d, struct evtchn *chn)
{
	port_clear_pending(d, chn);
	chn->state = ECS_FREE;
	chn->remote = NULL;
	chn->notify_vcpu = 0;
	d->evtchn->nr_bound--;
	free_append(d, chn);
}

void ports_forget(struct evtchn_table *t)
{
	t->free_head = t->free_tail = 0;
	WRITE_ONCE(t->used, 1);
}

int evtchn_init(struct domain *d, uint32_t max_port)
{
	struct evtchn_table *t = xzalloc(struct evtchn_table);

	if (!t)
		return -ENOMEM;
	t->nr_ports = min(max_port, EVTCHN_FIFO_NR_CHANNELS - 1u) + 1u;
	t->used = 1;
	t->bucket = xzalloc_array(struct evtchn *, nr_buckets(t));
	if (!t->bucket) {
		xfree(t);
		return -ENOMEM;
	}
	d->evtchn = t;
	return 0;
}

/* Who looks for a port from outside of d does so under the lock. */
int ports_free_buckets(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;
	struct evtchn *bucket;
	uint32_t i;

	for (i = 0; i < nr_buckets(t); i++) {
		if (!t->bucket[i])
			continue;
		spin_lock(&d->event_lock);
		bucket = t->bucket[i];
		WRITE_ONCE(t->bucket[i], NULL);
		spin_unlock(&d->event_lock);
		xfree(bucket);
		if (preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}

void evtchn_free(struct domain *d)
{
	struct evtchn_table *t = d->evtchn;

	d->evtchn = NULL;
	xfree(t->bucket);
	xfree(t);
}
