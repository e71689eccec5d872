/* SPDX-License-Identifier: MIT */
/* XEN_DOMCTL_shadow_op: which pages of a domain were written. The tables for that are pv/shadow.h's and p2m/log.c's. */
#include "control/private.h"
#include "domain/dirty_log.h"
#include "event/evtchn.h"
#include "grant/grant.h"
#include "host/host.h"
#include "mm/heap.h"
#include "p2m/p2m.h"
#include "pv/mmu.h"
#include "pv/shadow.h"
#include "sched/sched.h"
#include "x86/softirq.h"

#define ZERO_BYTES 65536u

static const struct log_machine *machine(const struct domain *d) { return d->p2m != NULL ? &p2m_log : &shadow_log; }

static int enable(struct domain *d)
{
	const struct log_machine *m = machine(d);
	struct log_control *c = m->control(d);
	int ret = 0;

	if (c == NULL) {
		/* Whoever changes a table afterwards sees the log. */
		domain_pause(d);
		ret = m->begin(d);
		domain_unpause(d);
		if (ret != 0)
			return ret;
		c = m->control(d);
	}
	if (c->state != LOG_marking)
		return -EINVAL;
	ret = m->watch(d, true);
	if (ret != 0)
		return ret;
	domain_pause(d);
	m->arm(d, true);
	c->state = LOG_on;
	domain_unpause(d);
	return 0;
}

int log_off(struct domain *d)
{
	const struct log_machine *m = machine(d);
	struct log_control *c = m->control(d);
	int ret = 0;

	if (c == NULL)
		return 0;
	if (c->state == LOG_marking || c->state == LOG_on) {
		domain_pause(d);
		dirty_log_off(d);
		m->arm(d, false);
		domain_unpause(d);
		c->cursor = 0;
		c->state = LOG_clearing;
	}
	if (c->state == LOG_clearing)
		ret = m->watch(d, false);
	if (ret != 0)
		return ret;
	c->state = LOG_freeing;
	ret = m->release(d);
	if (ret != 0)
		return ret;
	domain_pause(d);
	m->end(d);
	domain_unpause(d);
	return 0;
}

/* --- a round: what was written goes to the bitmap, by the guest's own numbers of its frames --- */

enum { ROUND_none, ROUND_zero, ROUND_areas, ROUND_grants, ROUND_harvest, ROUND_close };

static void mark(struct page_info *pg, void *d)
{
	if (pg != NULL)
		page_written(d, pg);
}

static void mark_grant(mfn_t frame, void *d)
{
	struct page_info *pg = mfn_to_page(frame);

	/* A mapping that ends gives its references back first: the frame may be anybody's. */
	if (!get_page(pg, d))
		return;
	page_written(d, pg);
	put_page(pg);
}

/* What is held for writing may be written at any time, without a word: the hypervisor's areas, others' mappings. */
static void mark_areas(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	domain_pause(d);
	for_each_vcpu(d, v, i) {
		mark(v->vcpu_info_page, d);
		for (unsigned int k = 0; k < 2; k++) {
			mark(v->vtime.runstate_area.page[k], d);
			mark(v->vtime.time_area.page[k], d);
		}
	}
	evtchn_each_page(d, mark, d);
	domain_unpause(d);
}

struct harvest {
	uint8_t *bitmap; /* NULL: nobody wants to know */
	uint64_t pages;
};

static void note_number(uint64_t nr, void *arg)
{
	const struct harvest *h = arg;

	if (h->bitmap != NULL && nr < h->pages)
		h->bitmap[nr / 8] |= (uint8_t)(1u << (nr % 8));
}

static void note(struct page_info *pg, void *arg) { note_number(m2p_get(page_to_mfn(pg)), arg); }

static int harvest(struct domain *d, struct log_control *c, const struct harvest *h)
{
	uint64_t n;

	for (; c->cursor < d->dirty_log->nr_chunks; c->cursor++) {
		n = dirty_log_each(d, c->cursor, !c->peek, note, (void *)h);
		c->dirty += (uint32_t)n;
		if ((n != 0 || c->cursor % 64 == 63) && preempt_wanted()) {
			c->cursor++;
			return -ERESTART_HC;
		}
	}
	return 0;
}

static int zero(struct log_control *c, const struct harvest *h)
{
	uint64_t bytes = (h->pages + 7) / 8, n;

	while (h->bitmap != NULL && c->cursor < bytes) {
		n = min(bytes - c->cursor, (uint64_t)ZERO_BYTES);
		memset(h->bitmap + c->cursor, 0, n);
		c->cursor += n;
		if (c->cursor < bytes && preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}

static void next_phase(struct log_control *c, uint32_t phase)
{
	c->phase = phase;
	c->cursor = 0;
}

static int go_on(struct domain *d, struct log_control *c, const struct harvest *h)
{
	const struct log_gone gone = { .tell = note_number, .arg = (void *)h };
	int ret = 0;

	if (c->phase == ROUND_zero) {
		ret = zero(c, h);
		if (ret == 0)
			next_phase(c, ROUND_areas);
	}
	if (ret == 0 && c->phase == ROUND_areas) {
		mark_areas(d);
		next_phase(c, ROUND_grants);
	}
	if (ret == 0 && c->phase == ROUND_grants) {
		ret = grant_each_written(d, &c->cursor, mark_grant, d);
		if (ret == 0)
			next_phase(c, ROUND_harvest);
	}
	if (ret == 0 && c->phase == ROUND_harvest) {
		ret = harvest(d, c, h);
		if (ret == 0)
			next_phase(c, ROUND_close);
	}
	if (ret == 0 && c->phase == ROUND_close)
		ret = machine(d)->close(d, c->peek, &gone);
	return ret;
}

/* Another round was given up half way: what it took out of the log is known to nobody. */
static void begin(struct domain *d, struct log_control *c, uint64_t bitmap, uint64_t pages, bool peek)
{
	if (c->phase != ROUND_none && c->bitmap == bitmap && c->pages == pages && c->peek == peek)
		return;
	if (c->phase >= ROUND_harvest && !c->peek)
		c->lost = true;
	c->bitmap = bitmap;
	c->pages = pages;
	c->peek = peek;
	c->dirty = 0;
	next_phase(c, ROUND_zero);
}

static int round(struct xen_domctl_shadow_op *s, struct domain *d, bool peek)
{
	const struct log_machine *m = machine(d);
	struct log_control *c = m->control(d);
	uint64_t at = handle_addr(s->dirty_bitmap);
	struct harvest h = { .pages = s->pages };
	int ret;

	if (c == NULL || c->state != LOG_on)
		return -EINVAL;
	if (s->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL)
		return -EINVAL;
	if (at != 0) {
		h.bitmap = s->pages < 1ULL << 40 ? host_arena(at, (s->pages + 7) / 8) : NULL;
		if (h.bitmap == NULL)
			return -EFAULT;
	}
	begin(d, c, at, s->pages, peek);
	ret = go_on(d, c, &h);
	if (ret != 0)
		return ret;
	c->phase = ROUND_none;
	if (h.bitmap != NULL && (c->lost || m->all_written(d)))
		memset(h.bitmap, 0xff, (h.pages + 7) / 8);
	s->stats.fault_count = c->faults;
	s->stats.dirty_count = c->dirty;
	if (!peek) {
		c->lost = c->lost && h.bitmap == NULL;
		c->faults = 0;
	}
	return 0;
}

int domctl_shadow_op(struct xen_domctl *op, struct domain *d)
{
	struct xen_domctl_shadow_op *s = &op->u.shadow_op;

	if (is_host_domain(d))
		return -EINVAL;
	if (d->is_dying != DOMDYING_alive)
		return -ESRCH;
	switch (s->op) {
	case XEN_DOMCTL_SHADOW_OP_ENABLE:
		return s->mode == XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY ? enable(d) : -EINVAL;
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
		return enable(d);
	case XEN_DOMCTL_SHADOW_OP_OFF:
		return log_off(d);
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
		return round(s, d, false);
	case XEN_DOMCTL_SHADOW_OP_PEEK:
		return round(s, d, true);
	case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
		/* Made as it is needed. */
		s->mb = 0;
		return 0;
	case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
		return 0;
	default:
		return -EINVAL;
	}
}
