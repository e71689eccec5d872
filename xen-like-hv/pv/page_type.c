/* SPDX-License-Identifier: MIT */
/*
 * Page types: what a page may be used as, and how many uses rely on it.
 *
 * States of type_info, for a page with count > 0:
 *
 *   validated            the normal one: any CPU may add and drop counts.
 *   neither v. nor p.    one CPU works on it (flushes TLBs, validates, tears
 *                        down, or stamps the end of the last use) and alone may
 *                        change the word; the others wait, or are told -EBUSY.
 *   partial              nobody works on it: the work was preempted. One count
 *                        and one general reference belong to this state itself.
 *                        Entries below PGT_done hold their references, so that
 *                        validation can go on upwards or teardown downwards
 *                        from there, whichever is asked for next.
 *
 * A partial page has a count of 1 (an orphan: what a preempted validation
 * leaves), or of 2: the last user's put was preempted, and that user still
 * holds its count and calls again. No page is ever more than that and partial:
 * any other use finishes the validation first.
 *
 * Types of tables refer strictly downwards (L4 to L3 ... to L1; an L4 entry
 * naming its own page counts nothing), so that waiting for a page cannot
 * deadlock, and dropping all roots and pins empties everything.
 */
#include "domain/dirty_log.h"
#include "pv/mmu_private.h"
#include "pv/shadow.h"
#include "x86/debug.h"

#define TYPE_COUNT_LIMIT 0xf0000000u

static bool is_table(uint64_t x) { return ((x & PGT_type_mask) >> 60) - 1 < 4; }

/* The caller holds a count; others who hold one may do the same. */
static void note_stamp(struct page_info *pg, uint32_t stamp)
{
	uint32_t old = READ_ONCE(pg->u), later;

	do {
		later = tlb_later(old, stamp);
		if (later == old)
			return;
		hv_delay_point("stamp: the later one is known");
	} while (!__atomic_compare_exchange_n(&pg->u, &old, later, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
}

/* No CPU may know the page by its old type when it gets a new one. */
static void flush_old_uses(struct page_info *pg)
{
	struct domain *d = page_owner(pg);
	cpumask_t mask = tlb_flush_filter(d ? d->dirty_cpus : cpu_online_map, pg->u);

	if (mask)
		flush_tlb_mask(mask);
}

/* The worker gives the page back to the others. */
static void publish(struct page_info *pg, uint64_t x)
{
	__atomic_store_n(&pg->type_info, x, __ATOMIC_SEQ_CST);
}

static void publish_partial(struct page_info *pg, bool have_ref)
{
	/* One for each page that is partial. A guest of more than 32 GiB may have used up all others. */
	if (!have_ref)
		get_page_once(pg);
	publish(pg, pg->type_info | PGT_partial);
}

static void publish_free(struct page_info *pg, bool have_ref)
{
	publish(pg, pg->type_info & PGT_type_mask);
	if (have_ref)
		put_page(pg);
}

/*
 * What a page is used as matters to who copies it: it counts as written when that
 * changes. Returns the mark of a table whose changes are followed.
 */
static uint64_t note_new_type(struct page_info *pg)
{
	struct domain *d = page_owner(pg);

	if (likely(!d || !READ_ONCE(d->dirty_log)))
		return 0;
	page_written(d, pg);
	return is_table(pg->type_info) ? PGT_watched : 0;
}

/*
 * Validates from where it stands; one count is the worker's and becomes the
 * caller's on success. have_ref: the partial state's general reference is there.
 */
static int work_validate(struct page_info *pg, bool preemptible, bool have_ref)
{
	uint64_t watched;
	int rc;

	if (unlikely(pg->type_info & PGT_undo))
		rc = -EINVAL;
	else if ((pg->type_info & PGT_type_mask) == PGT_seg_desc)
		rc = seg_desc_validate(pg);
	else
		rc = table_validate(pg, preemptible);

	/* An attempt that fails has made entries fit nevertheless. */
	watched = note_new_type(pg);
	if (likely(rc == 0)) {
		publish(pg, (pg->type_info & ~PGT_done_mask) | PGT_validated | watched);
		if (have_ref)
			put_page(pg);
		return 0;
	}
	if (rc == -ERESTART_HC || (uint32_t)pg->type_info > 1) {
		/* In the second case the last user's put takes it down. */
		publish_partial(pg, have_ref);
		return rc;
	}
	if (is_table(pg->type_info) && table_devalidate(pg, preemptible) == -ERESTART_HC) {
		/* The error is told when nothing of the attempt is left. */
		publish(pg, pg->type_info | PGT_undo);
		publish_partial(pg, have_ref);
		return -ERESTART_HC;
	}
	publish_free(pg, have_ref);
	return rc;
}

/* An orphan: takes the rest down. Claimed by the caller, its count is 1. */
static int work_drop(struct page_info *pg, bool preemptible)
{
	if (table_devalidate(pg, preemptible) == -ERESTART_HC) {
		publish_partial(pg, true);
		return -ERESTART_HC;
	}
	publish_free(pg, true);
	return 0;
}

int drop_partial(struct page_info *pg, bool preemptible)
{
	uint64_t x = READ_ONCE(pg->type_info);

	if (!(x & PGT_partial) || (uint32_t)x != 1)
		return 0;
	if (!cmpxchg_u64(&pg->type_info, &x, x & ~PGT_partial))
		return -ERESTART_HC;
	return work_drop(pg, preemptible);
}

static int first_use(struct page_info *pg, uint64_t x, uint64_t type, bool preemptible)
{
	if ((x & PGT_type_mask) != type && (x & PGT_type_mask) != PGT_none)
		flush_old_uses(pg);
	if (type == PGT_writable) {
		publish(pg, type | PGT_validated | 1);
		return 0;
	}
	return work_validate(pg, preemptible, false);
}

int get_page_type(struct page_info *pg, uint64_t type, bool preemptible)
{
	uint64_t x = READ_ONCE(pg->type_info);
	int rc;

	for (;;) {
		uint64_t same = x & PGT_type_mask;

		if (likely((x & (PGT_type_mask | PGT_validated)) == (type | PGT_validated))) {
			if (unlikely((uint32_t)x >= TYPE_COUNT_LIMIT))
				return -EINVAL;
			if (cmpxchg_u64(&pg->type_info, &x, x + 1))
				return 0;
		} else if ((uint32_t)x == 0) {
			uint64_t nx = type | 1;

			if (type == PGT_writable && (same == PGT_none || same == type))
				nx |= PGT_validated;
			if (!cmpxchg_u64(&pg->type_info, &x, nx))
				continue;
			return (nx & PGT_validated) ? 0 : first_use(pg, x, type, preemptible);
		} else if (x & PGT_partial) {
			/*
			 * An orphan of another type goes first. That takes long, and may
			 * need the lock of a table which a caller that cannot be preempted
			 * holds.
			 */
			if (same != type && (!preemptible || (uint32_t)x != 1))
				return -EBUSY;
			if (!cmpxchg_u64(&pg->type_info, &x, x & ~PGT_partial))
				continue;
			if (same == type)
				return work_validate(pg, preemptible, true);
			rc = work_drop(pg, true);
			if (rc)
				return rc;
			x = READ_ONCE(pg->type_info);
		} else if (same != type) {
			return -EBUSY;
		} else {
			if (preemptible && preempt_wanted())
				return -ERESTART_HC;
			cpu_relax();
			x = READ_ONCE(pg->type_info);
		}
	}
}

/* The last count is going; the caller's CPU is the worker now. */
static int work_put(struct page_info *pg, bool preemptible, bool have_ref)
{
	if (table_devalidate(pg, preemptible) == -ERESTART_HC) {
		/* The caller keeps its count, the partial state has one of its own. */
		if (!have_ref)
			get_page_once(pg);
		publish(pg, (pg->type_info + 1) | PGT_partial);
		return -ERESTART_HC;
	}
	publish_free(pg, have_ref);
	return 0;
}

/*
 * The last use of a page that is no table, claimed. Not before: a use that another
 * CPU adds, caches and drops between the stamp and the claim would be later than
 * the stamp. Whoever finds the page free finds the stamp.
 */
static void end_plain_use(struct page_info *pg, uint64_t x)
{
	uint32_t now = tlb_clock_now();

	hv_delay_point("last use: claimed, stamp taken");
	WRITE_ONCE(pg->u, now);
	__atomic_store_n(&pg->type_info, x & PGT_type_mask, __ATOMIC_RELEASE);
}

int put_page_type(struct page_info *pg, bool preemptible)
{
	uint64_t x = READ_ONCE(pg->type_info);

	for (;;) {
		BUG_ON((uint32_t)x == 0);
		if (likely(x & PGT_validated)) {
			if (likely((uint32_t)x > 1)) {
				if (cmpxchg_u64(&pg->type_info, &x, x - 1))
					return 0;
				continue;
			}
			if (unlikely(x & PGT_locked)) {
				cpu_relax();
				x = READ_ONCE(pg->type_info);
				continue;
			}
			if (!is_table(x)) {
				if (!cmpxchg_u64(&pg->type_info, &x, x & ~PGT_validated))
					continue;
				end_plain_use(pg, x);
				return 0;
			}
			if (cmpxchg_u64(&pg->type_info, &x,
					(x & PGT_type_mask) | ((uint64_t)PT_ENTRIES << PGT_done_shift) | 1)) {
				if (unlikely(x & PGT_watched))
					shadow_table_gone(pg);
				return work_put(pg, preemptible, false);
			}
		} else if (x & PGT_partial) {
			BUG_ON((uint32_t)x != 2);
			if (cmpxchg_u64(&pg->type_info, &x, (x & ~PGT_partial) - 1))
				return work_put(pg, preemptible, true);
		} else {
			if (preemptible && preempt_wanted())
				return -ERESTART_HC;
			cpu_relax();
			x = READ_ONCE(pg->type_info);
		}
	}
}

int put_table_type(struct page_info *pg, bool preemptible, uint32_t stamp)
{
	note_stamp(pg, stamp);
	return put_page_type(pg, preemptible);
}

int get_page_and_type(struct page_info *pg, struct domain *d, uint64_t type)
{
	int rc;

	if (!get_page(pg, d))
		return -EINVAL;
	rc = get_page_type(pg, type, false);
	if (rc)
		put_page(pg);
	return rc;
}

void put_page_and_type(struct page_info *pg)
{
	put_page_type(pg, false);
	put_page(pg);
}

static inline bool lock_as(struct page_info *pg, const struct domain *d, uint64_t type, uint64_t mask)
{
	uint16_t owner = (uint16_t)(d->domid + 1);
	uint64_t x;

	/* A look first: nobody waits for, or holds up, another domain's table. */
	if (unlikely(READ_ONCE(pg->owner) != owner))
		return false;
	hv_delay_point("table: owner seen");
	x = READ_ONCE(pg->type_info);
	for (;;) {
		if (unlikely((x & mask) != (type | PGT_validated)))
			return false;
		if (unlikely(x & PGT_locked)) {
			cpu_relax();
			x = READ_ONCE(pg->type_info);
			continue;
		}
		if (likely(cmpxchg_u64(&pg->type_info, &x, x | PGT_locked)))
			break;
	}
	lockcheck_take_bit(pg, "PGT_locked");
	/* It cannot go now. It may have gone, and be another's, before. */
	if (likely(READ_ONCE(pg->owner) == owner))
		return true;
	table_unlock(pg);
	return false;
}

bool table_lock(struct page_info *pg, const struct domain *d, uint64_t type)
{
	return lock_as(pg, d, type, PGT_type_mask | PGT_validated | PGT_watched);
}

bool table_lock_any(struct page_info *pg, const struct domain *d, uint64_t type)
{
	return lock_as(pg, d, type, PGT_type_mask | PGT_validated);
}

void table_unlock(struct page_info *pg)
{
	lockcheck_drop(pg);
	__atomic_and_fetch(&pg->type_info, ~PGT_locked, __ATOMIC_SEQ_CST);
}
