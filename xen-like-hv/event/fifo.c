/* SPDX-License-Identifier: MIT */
/*
 * The FIFO ABI: an array of event words and, for each vCPU, 16 queues linked
 * through them. Both lie in guest pages, which the guest may scribble over at
 * any time: links are written, never followed; only the tails, which are kept
 * here, say where a queue ends. A guest that breaks its queues loses events.
 */
#include "domain/dirty_log.h"
#include "event/private.h"
#include "lib/errno.h"
#include "mm/frametable.h"
#include "mm/heap.h"
#include "p2m/frame.h"
#include "pv/mmu.h"
#include "x86/printk.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define BIT(n) (1u << (n))
#define W_PENDING BIT(EVTCHN_FIFO_PENDING)
#define W_MASKED BIT(EVTCHN_FIFO_MASKED)
#define W_LINKED BIT(EVTCHN_FIFO_LINKED)
#define W_BUSY BIT(EVTCHN_FIFO_BUSY)
#define LINK_TRIES 4

struct fifo_vcpu {
	struct page_info *page;    /* of the control block */
	struct evtchn_fifo_control_block *control; /* NULL: the vCPU gets no events yet */
	uint32_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* 0: empty */
};

struct evtchn_fifo {
	spinlock_t lock;           /* irqsave: the tails, and who links what */
	uint32_t nr_pages;
	event_word_t *page[ARRAY_PAGES]; /* direct map */
};

static event_word_t *word_of(const struct evtchn_fifo *f, uint32_t port)
{
	uint32_t i = port / WORDS_PER_PAGE;

	/* Pairs with fifo_expand_array: the entry is there once the count says so. */
	if (i >= __atomic_load_n(&f->nr_pages, __ATOMIC_ACQUIRE))
		return NULL;
	return f->page[i] + port % WORDS_PER_PAGE;
}

static uint32_t set_bits(event_word_t *w, uint32_t bits)
{
	return __atomic_fetch_or(w, bits, __ATOMIC_SEQ_CST);
}

static uint32_t clear_bits(event_word_t *w, uint32_t bits)
{
	return __atomic_fetch_and(w, ~bits, __ATOMIC_SEQ_CST);
}

/* 1: linked behind *w; 0: *w is no longer in a queue; -1: it keeps changing */
static int try_link(event_word_t *w, uint32_t port, unsigned int tries)
{
	uint32_t old = READ_ONCE(*w);

	while (tries--) {
		if (!(old & W_LINKED))
			return 0;
		if (__atomic_compare_exchange_n(w, &old, (old & ~(uint32_t)(W_BUSY | EVTCHN_FIFO_LINK_MASK)) | port,
						false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return 1;
	}
	return -1;
}

/* Puts port behind the queue's tail. False: the queue is empty, as far as can be known. */
static bool append(const struct evtchn_fifo *f, uint32_t tail, uint32_t port)
{
	event_word_t *w = tail && tail != port ? word_of(f, tail) : NULL;
	int rc;

	if (!w)
		return false;
	rc = try_link(w, port, LINK_TRIES);
	if (rc < 0) {
		/* BUSY makes a well-behaved guest wait; the others lose what is queued. */
		set_bits(w, W_BUSY);
		rc = try_link(w, port, LINK_TRIES);
		if (rc <= 0)
			clear_bits(w, W_BUSY);
	}
	return rc > 0;
}

/*
 * The event is pending and not masked: into the queue, unless it is in one. It
 * may have been in another queue the last time: that one's tail is no tail any
 * more once the event is linked elsewhere.
 */
static struct vcpu *link_event(struct domain *d, struct evtchn *chn, event_word_t *w)
{
	struct vcpu *v = d->vcpu[READ_ONCE(chn->notify_vcpu)];
	struct evtchn_fifo *f = d->evtchn->fifo;
	struct fifo_vcpu *q = v->evtchn_fifo, *old = d->vcpu[chn->queue_vcpu]->evtchn_fifo;
	unsigned int prio = READ_ONCE(chn->priority);

	if (!q || !q->control || (READ_ONCE(*w) & W_LINKED))
		return NULL;
	if (old && (old != q || chn->queue_prio != prio) && old->tail[chn->queue_prio] == chn->port)
		old->tail[chn->queue_prio] = 0;
	set_bits(w, W_LINKED);
	chn->queue_vcpu = (uint16_t)v->vcpu_id;
	chn->queue_prio = (uint8_t)prio;
	if (append(f, q->tail[prio], chn->port)) {
		q->tail[prio] = chn->port;
		return NULL;
	}
	q->tail[prio] = chn->port;
	WRITE_ONCE(q->control->head[prio], chn->port);
	/* Told before and not looked yet: it will find this as well. */
	if (__atomic_fetch_or(&q->control->ready, BIT(prio), __ATOMIC_SEQ_CST) & BIT(prio))
		return NULL;
	return v;
}

static void link_and_notify(struct domain *d, struct evtchn *chn, event_word_t *w)
{
	struct evtchn_fifo *f = d->evtchn->fifo;
	unsigned long flags = spin_lock_irqsave(&f->lock);
	struct vcpu *v = link_event(d, chn, w);

	spin_unlock_irqrestore(&f->lock, flags);
	if (v)
		vcpu_mark_events_pending(v);
}

void fifo_set_pending(struct domain *d, struct evtchn *chn)
{
	event_word_t *w = word_of(d->evtchn->fifo, chn->port);
	uint32_t old;

	if (!w) {
		chn->lost = true;
		/* The array may just have grown: then nobody else looks at the flag. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		w = word_of(d->evtchn->fifo, chn->port);
		if (!w)
			return;
	}
	old = set_bits(w, W_PENDING);
	if (!(old & (W_MASKED | W_LINKED)))
		link_and_notify(d, chn, w);
	if (!(old & W_PENDING))
		wake_pollers(d, chn->port);
}

void fifo_clear_pending(struct domain *d, struct evtchn *chn)
{
	event_word_t *w = word_of(d->evtchn->fifo, chn->port);

	chn->lost = false;
	if (w)
		clear_bits(w, W_PENDING);
}

void fifo_unmask(struct domain *d, struct evtchn *chn)
{
	event_word_t *w = word_of(d->evtchn->fifo, chn->port);

	if (w && (clear_bits(w, W_MASKED) & W_PENDING))
		link_and_notify(d, chn, w);
}

bool fifo_is_pending(struct domain *d, const struct evtchn *chn)
{
	event_word_t *w = word_of(d->evtchn->fifo, chn->port);

	return w && (READ_ONCE(*w) & W_PENDING);
}

bool fifo_is_busy(struct domain *d, const struct evtchn *chn)
{
	event_word_t *w = word_of(d->evtchn->fifo, chn->port);

	return w && (READ_ONCE(*w) & W_LINKED);
}

/* --- setting up; d->event_lock is held --- */

static int take_page(struct domain *d, uint64_t frame, struct page_info **ret)
{
	return guest_frame_get(d, frame, true, ret);
}

static int map_control(struct domain *d, struct fifo_vcpu *q, uint64_t frame, uint32_t offset)
{
	int rc = take_page(d, frame, &q->page);

	if (rc)
		return rc;
	memset(q->tail, 0, sizeof(q->tail));
	__atomic_store_n(&q->control, (void *)((char *)page_to_virt(q->page) + offset), __ATOMIC_RELEASE);
	return 0;
}

/*
 * Pending bits of the 2-level ABI are not lost: the array's first page takes
 * them over. It comes later, under the lock that is held here. Senders set the
 * bit, then look at the pointer; here it is the other way around.
 */
static void switch_to_fifo(struct domain *d, struct evtchn_fifo *f)
{
	struct evtchn *chn;
	uint32_t port;

	__atomic_store_n(&d->evtchn->fifo, f, __ATOMIC_SEQ_CST);
	for (port = 1; port < d->evtchn->used; port++) {
		chn = port_lookup(d, port);
		if (!chn)
			continue;
		chn->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
		if (l2_is_pending(d, port))
			chn->lost = true;
	}
}

static int need_queues(struct vcpu *v, struct fifo_vcpu **ret)
{
	if (!v->evtchn_fifo)
		v->evtchn_fifo = xzalloc(struct fifo_vcpu);
	*ret = v->evtchn_fifo;
	return *ret ? 0 : -ENOMEM;
}

int fifo_init_control(struct domain *d, struct evtchn_init_control *c)
{
	struct evtchn_fifo *fresh = NULL;
	struct fifo_vcpu *q;
	int rc;

	if (c->vcpu >= d->max_vcpus || !d->vcpu[c->vcpu])
		return -ENOENT;
	if (c->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || c->offset % 8 || d->evtchn->closing)
		return -EINVAL;
	rc = need_queues(d->vcpu[c->vcpu], &q);
	if (rc)
		return rc;
	if (q->control)
		return -EINVAL;
	if (!d->evtchn->fifo) {
		fresh = xzalloc(struct evtchn_fifo);
		if (!fresh)
			return -ENOMEM;
	}
	rc = map_control(d, q, c->control_gfn, c->offset);
	if (rc) {
		xfree(fresh);
		return rc;
	}
	if (fresh)
		switch_to_fifo(d, fresh);
	c->link_bits = EVTCHN_FIFO_LINK_BITS;
	return 0;
}

int fifo_expand_array(struct domain *d, uint64_t array_mfn)
{
	struct evtchn_fifo *f = d->evtchn->fifo;
	struct page_info *pg;
	uint32_t port, end;
	int rc;

	if (!f)
		return -EOPNOTSUPP;
	if (f->nr_pages >= ARRAY_PAGES || f->nr_pages * WORDS_PER_PAGE >= d->evtchn->nr_ports)
		return -ENOSPC;
	rc = take_page(d, array_mfn, &pg);
	if (rc)
		return rc;
	port = f->nr_pages * WORDS_PER_PAGE;
	end = min(port + (uint32_t)WORDS_PER_PAGE, d->evtchn->used);
	f->page[f->nr_pages] = page_to_virt(pg);
	__atomic_store_n(&f->nr_pages, f->nr_pages + 1, __ATOMIC_SEQ_CST);
	for (; port < end; port++) {
		struct evtchn *chn = port_lookup(d, port);

		if (chn && __atomic_exchange_n(&chn->lost, false, __ATOMIC_SEQ_CST))
			fifo_set_pending(d, chn);
	}
	return 0;
}

/* Up to here it counted as written all the time (control/shadow_op.c). */
static void put_written(struct domain *d, struct page_info *pg)
{
	page_written(d, pg);
	put_page_and_type(pg);
}

/* All ports are closed, so nobody is using the arrays. */
void fifo_destroy(struct domain *d)
{
	struct evtchn_fifo *f = d->evtchn->fifo;
	struct vcpu *v;
	unsigned int i;

	WRITE_ONCE(d->evtchn->fifo, NULL);
	for_each_vcpu(d, v, i) {
		struct fifo_vcpu *q = v->evtchn_fifo;

		v->evtchn_fifo = NULL;
		if (q && q->page)
			put_written(d, q->page);
		xfree(q);
	}
	for (i = 0; f && i < f->nr_pages; i++)
		put_written(d, mfn_to_page(virt_to_mfn(f->page[i])));
	xfree(f);
}

void evtchn_each_page(struct domain *d, void (*fn)(struct page_info *pg, void *arg), void *arg)
{
	struct evtchn_fifo *f = d->evtchn ? d->evtchn->fifo : NULL;
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i) {
		struct fifo_vcpu *q = v->evtchn_fifo;

		if (q && q->page)
			fn(q->page, arg);
	}
	for (i = 0; f && i < f->nr_pages; i++)
		fn(mfn_to_page(virt_to_mfn(f->page[i])), arg);
}
