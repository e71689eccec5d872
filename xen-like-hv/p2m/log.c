/* SPDX-License-Identifier: MIT */
/*
 * The nested tables of a domain whose writes are logged (domain/dirty_log.h, control/shadow_op.c).
 *
 * Entries of its RAM lose W; a write faults, which marks the page and gives the entry W again. A round of the
 * log takes the marks, then W from what has it, then flushes. An entry of 2 MiB is split by the first write; where
 * there is no memory for its table, all of it is marked and opened. What an entry allows by its type (P2M_WRITES), and
 * has references for, is not touched by any of this: the hypervisor and grants go by the type.
 *
 * A number whose entry was changed has P2M_changed, present or not, so that it is told also when no frame has it
 * any more, and whatever was written to it since. Tables with anything to be looked at have P2M_touched in the entry that leads to them.
 *
 * All of these words change under p2m->lock. Interleavings of a fault (CPU B) with a round (the reader: clears all
 * flags, takes the lock for each table and closes it, flushes):
 *
 *   B marks and opens before the flag is cleared      told in this round; the entry was open before its table is
 *                                                     looked at, so it is closed
 *   B marks after the flag is cleared, whether the    told in the next: the mark stays. The entry may stay open until
 *   table was looked at or not                        then: what is written is in a page that will be told
 *   a write by an entry that a TLB has, before the    the page is told in this round (it was open, so it was marked),
 *   flush                                             and copied after the flush. After the flush it faults
 *   two CPUs fault on an entry                        the second finds it open, and flushes itself, in case it had
 *                                                     kept what it knew
 *   B faults, another takes the entry away            B finds a hole: the guest wrote to what it gave up
 *   B splits, the reader is at the large entry        by the lock, before or after: pieces have what the whole had, and
 *                                                     their table is touched
 *   an entry is stored, open, or goes                 it is changed. Before its table is looked at: told now, and closed. After: the
 *                                                     next time, with all that was written meanwhile. The mark of a new page may have
 *                                                     been taken long before
 *   another's grant mapping, or the hypervisor        does not ask for W. Says so after the store, or counts as written as long
 *                                                     as it may write (control/shadow_op.c)
 *   the log begins                                    new entries are changed from before the first one is looked at
 *   the log ends                                      nobody marks any more; who faults opens. The walk opens the rest
 *   the domain dies                                   its vCPUs are paused for good, then the log ends, then the tables go
 */
#include "domain/dirty_log.h"
#include "mm/heap.h"
#include "p2m/private.h"
#include "x86/softirq.h"

#define HOLES_AT_ONCE 512u
#define STEP(level) (1ULL << (9 * ((level) - 1))) /* numbers that an entry stands for */

/* --- faults; p2m->lock is held --- */

static void mark(struct domain *d, pte_t e)
{
	if (pte_p2m_type(e) == P2M_ram_rw)
		page_written(d, mfn_to_page(pte_mfn(e)));
}

static void open_large(struct domain *d, pte_t *slot)
{
	for (unsigned int i = 0; i < P2M_ENTRIES; i++)
		mark(d, *slot + ((pte_t)i << PAGE_SHIFT));
	WRITE_ONCE(*slot, *slot | PTE_W);
}

static void open_at(struct domain *d, uint64_t gfn)
{
	struct p2m *p2m = d->p2m;
	pte_t *large = p2m_slot_large(p2m, gfn, false), *slot;

	/* In pieces, so that a write is one of 4 KiB; after the end of the log that is no matter. */
	if ((*large & PTE_PSE) && !p2m->changed) {
		open_large(d, large);
		return;
	}
	slot = p2m_slot(p2m, gfn, true);
	if (!slot) {
		open_large(d, large);
		return;
	}
	mark(d, *slot);
	hv_delay_point("p2m: page marked, entry not yet open");
	WRITE_ONCE(*slot, *slot | PTE_W);
	p2m_touch(p2m, gfn);
}

enum p2m_fault p2m_write_fault(struct domain *d, uint64_t gfn)
{
	enum p2m_fault ret = P2M_fault_opened;
	struct p2m *p2m = d->p2m;
	pte_t e;

	spin_lock(&p2m->lock);
	e = p2m_walk(p2m, gfn);
	if (!(e & P2M_WRITES)) {
		ret = P2M_fault_guest;
	} else if (e & PTE_W) {
		ret = P2M_fault_stale;
	} else {
		open_at(d, gfn);
		if (p2m->log)
			p2m->log->faults++;
	}
	spin_unlock(&p2m->lock);
	return ret;
}

/* --- walks of all tables, by domain 0's calls --- */

struct walk {
	struct domain *d;
	enum { WALK_begin, WALK_close, WALK_look, WALK_end } what;
	const struct log_gone *gone;
};

/* For a log that begins some day. */
static void forget(pte_t e)
{
	struct page_info *pg = mfn_to_page(pte_mfn(e));

	if (READ_ONCE(pg->flags) & PGF_written)
		__atomic_fetch_and(&pg->flags, (uint8_t)~PGF_written, __ATOMIC_SEQ_CST);
}

/* What becomes of e, which is present. */
static pte_t allowed(const struct walk *w, pte_t e)
{
	if (!(e & P2M_WRITES) || w->what == WALK_look)
		return e;
	if (w->what == WALK_end)
		return e | PTE_W;
	return pte_p2m_type(e) == P2M_ram_rw ? e & ~PTE_W : e;
}

/* The entry of n numbers from gfn on. */
static void walk_leaf(const struct walk *w, pte_t *slot, uint64_t gfn, unsigned int n)
{
	pte_t e = *slot, to = e & PTE_P ? allowed(w, e) : e;

	for (unsigned int i = 0; (e & P2M_changed) && w->gone && i < n; i++)
		w->gone->tell(gfn + i, w->gone->arg);
	if (w->what != WALK_look)
		to &= ~P2M_changed;
	for (unsigned int i = 0; w->what == WALK_end && pte_p2m_type(e) == P2M_ram_rw && i < n; i++)
		forget(e + ((pte_t)i << PAGE_SHIFT));
	if (to != e)
		WRITE_ONCE(*slot, to);
}

static void walk_table(const struct walk *w, pte_t *slot, uint64_t gfn)
{
	pte_t *t = mfn_to_virt(pte_mfn(*slot));

	if (!(*slot & P2M_touched) && (w->what == WALK_close || w->what == WALK_look))
		return;
	if (w->what != WALK_look)
		WRITE_ONCE(*slot, *slot & ~P2M_touched);
	for (unsigned int i = 0; i < P2M_ENTRIES; i++)
		walk_leaf(w, &t[i], gfn + i, 1);
}

/* 2 MiB at gfn; or the hole that it is in: *hole. How many numbers that was. */
static uint64_t walk_at(const struct walk *w, uint64_t gfn, bool *hole)
{
	pte_t *t = w->d->p2m->root, *slot;
	int level;

	for (level = 4;; level--) {
		slot = &t[pt_index(gfn << PAGE_SHIFT, level)];
		if (level == 2 || !(*slot & PTE_P))
			break;
		t = mfn_to_virt(pte_mfn(*slot));
	}
	*hole = !(*slot & PTE_P);
	if (*slot & PTE_PSE)
		walk_leaf(w, slot, gfn, P2M_ENTRIES);
	else if (!*hole)
		walk_table(w, slot, gfn);
	return STEP(level);
}

static int walk(const struct walk *w)
{
	struct p2m *p2m = w->d->p2m;
	struct log_control *c = p2m->log;
	bool hole = false;
	uint64_t step;

	while (c->cursor < P2M_MAX_GFN) {
		spin_lock(&p2m->lock);
		for (unsigned int i = 0; i < HOLES_AT_ONCE && c->cursor < P2M_MAX_GFN; i++) {
			step = walk_at(w, c->cursor, &hole);
			c->cursor = (c->cursor & ~(step - 1)) + step;
			if (!hole)
				break;
		}
		spin_unlock(&p2m->lock);
		if (preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}

/* --- the log --- */

static struct log_control *log_control(const struct domain *d) { return d->p2m->log; }

static void set_log(struct p2m *p2m, struct log_control *c, bool on)
{
	spin_lock(&p2m->lock);
	p2m->log = c;
	p2m->changed = on ? P2M_changed : 0;
	spin_unlock(&p2m->lock);
}

static int log_begin(struct domain *d)
{
	struct log_control *c = xzalloc(struct log_control);
	int rc = c ? dirty_log_on(d) : -ENOMEM;

	if (rc) {
		xfree(c);
		return rc;
	}
	c->state = LOG_marking;
	set_log(d->p2m, c, true);
	return 0;
}

static int log_watch(struct domain *d, bool on)
{
	struct walk w = { .d = d, .what = on ? WALK_begin : WALK_end };

	return walk(&w);
}

static void log_arm(struct domain *d, bool on)
{
	d->p2m->log->cursor = 0;
	if (on)
		p2m_flush(d);
	else
		set_log(d->p2m, d->p2m->log, false);
}

static int log_release(struct domain *d) { return 0; }

static void log_end(struct domain *d)
{
	struct log_control *c = d->p2m->log;

	set_log(d->p2m, NULL, false);
	xfree(c);
}

static int log_close(struct domain *d, bool look, const struct log_gone *gone)
{
	struct walk w = { .d = d, .what = look ? WALK_look : WALK_close, .gone = gone };
	int rc = walk(&w);

	if (rc || look)
		return rc;
	hv_delay_point_long("p2m: closed, not flushed");
	/* A write through an older entry comes before this returns, or faults. */
	p2m_flush(d);
	return 0;
}

/* There is nothing that it could run out of: what cannot be split is marked as a whole. */
static bool log_all_written(const struct domain *d) { return false; }

const struct log_machine p2m_log = {
	.control = log_control,
	.begin = log_begin,
	.watch = log_watch,
	.arm = log_arm,
	.release = log_release,
	.end = log_end,
	.close = log_close,
	.all_written = log_all_written,
};
