/* SPDX-License-Identifier: MIT */
/*
 * Taking a grant into use, against a guest that changes its shared entry at
 * the same moment. The public header says how a guest revokes an entry:
 * version 1 by cmpxchg of the flags, version 2 by clearing the flags, a
 * barrier, and a look at the status word.
 */
#include "domain/dirty_log.h"
#include "grant/private.h"
#include "p2m/frame.h"
#include "x86/softirq.h"

#define MAX_TRIES 5

static bool pinned(const struct active_grant *act)
{
	return act->readers != 0 || act->writers != 0;
}

/* word: flags and domid of either version's entry, as they lie in memory. */
static bool allows(uint32_t word, domid_t grantee, bool readonly)
{
	return (word & GTF_type_mask) == GTF_permit_access && (word >> 16) == grantee &&
	       (readonly || !(word & GTF_readonly));
}

static int mark_v1(struct grant_entry_v1 *e, domid_t grantee, bool readonly)
{
	uint32_t *word = (uint32_t *)e;
	uint32_t old = READ_ONCE(*word), new;
	unsigned int tries;

	for (tries = 0; tries < MAX_TRIES; tries++) {
		if (!allows(old, grantee, readonly))
			return GNTST_general_error;
		new = old | GTF_reading | (readonly ? 0 : GTF_writing);
		if (__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return GNTST_okay;
	}
	return GNTST_general_error;
}

static int mark_v2(union grant_entry_v2 *e, grant_status_t *status, domid_t grantee, bool readonly,
		   uint32_t *ret_word)
{
	uint32_t *word = (uint32_t *)&e->hdr;

	if (!allows(READ_ONCE(*word), grantee, readonly))
		return GNTST_general_error;
	__atomic_or_fetch(status, GTF_reading | (readonly ? 0 : GTF_writing), __ATOMIC_SEQ_CST);
	/* Revoked before the guest could see the mark? The caller takes the mark back. */
	*ret_word = READ_ONCE(*word);
	return allows(*ret_word, grantee, readonly) ? GNTST_okay : GNTST_general_error;
}

/* Brings the marks that the guest sees down to what the pins say. */
static void unmark(struct grant_table *gt, uint32_t ref, const struct active_grant *act)
{
	uint16_t clear = 0;

	if (gt->closed)
		return;
	if (act->writers == 0)
		clear |= GTF_writing;
	if (!pinned(act))
		clear |= GTF_reading;
	__atomic_and_fetch(gt->version == 2 ? grant_status(gt, ref) : &grant_v1(gt, ref)->flags,
			   (uint16_t)~clear, __ATOMIC_SEQ_CST);
}

/* *nr: the frame as the guest names it. */
static int read_entry(struct grant_table *gt, uint32_t ref, uint32_t word, struct active_grant *act, uint64_t *nr)
{
	act->start = 0;
	act->length = PAGE_SIZE;
	act->sub_page = false;
	if (gt->version == 1) {
		*nr = READ_ONCE(grant_v1(gt, ref)->frame);
	} else {
		union grant_entry_v2 *e = grant_v2(gt, ref);

		*nr = READ_ONCE(e->full_page.frame);
		if (word & GTF_sub_page) {
			act->start = READ_ONCE(e->sub_page.page_off);
			act->length = READ_ONCE(e->sub_page.length);
			act->sub_page = true;
			if ((uint32_t)act->start + act->length > PAGE_SIZE)
				return GNTST_general_error;
		}
	}
	return GNTST_okay;
}

bool grant_get_frame(struct domain *owner, uint64_t nr, bool readonly, mfn_t *ret)
{
	struct page_info *pg;

	if (guest_frame_get(owner, nr, !readonly, &pg) != 0)
		return false;
	*ret = page_to_mfn(pg);
	return true;
}

/* Of an entry in use already: that frame, wherever the guest may have it now. */
static bool get_pinned_frame(struct domain *rd, mfn_t frame, bool readonly)
{
	struct page_info *pg = mfn_to_page(frame);

	return readonly ? get_page(pg, rd) : get_page_and_type(pg, rd, PGT_writable) == 0;
}

void grant_put_frame(mfn_t frame, bool readonly)
{
	struct page_info *pg = mfn_to_page(frame);

	if (readonly) {
		put_page(pg);
		return;
	}
	/* While it was held it counted as written, see grant_each_written: from the end on this stands for it. */
	page_written_known(pg);
	put_page_and_type(pg);
}

int grant_each_written(struct domain *d, uint64_t *cursor, void (*fn)(mfn_t frame, void *arg), void *arg)
{
	struct grant_table *gt = d->grant;
	uint32_t end, n;

	while (gt != NULL) {
		spin_lock(&gt->lock);
		n = gt->closed ? 0 : grant_nr_refs(gt);
		end = (uint32_t)min(*cursor + ACTIVE_PER_PAGE, (uint64_t)n);
		for (; *cursor < end; ++*cursor) {
			const struct active_grant *act = grant_active(gt, (uint32_t)*cursor);

			if (act->writers != 0)
				fn(act->frame, arg);
		}
		spin_unlock(&gt->lock);
		if (*cursor >= n)
			break;
		if (preempt_wanted())
			return -ERESTART_HC;
	}
	return 0;
}

/* *marked: the entry is one to be mapped, and may need its marks taken back after an error. */
static int acquire_locked(struct domain *rd, uint32_t ref, const struct domain *ld, bool readonly, bool whole,
			  struct active_grant *act, bool *marked)
{
	struct grant_table *gt = rd->grant;
	bool first = !pinned(act), got;
	uint32_t word = 0;
	uint64_t nr = 0;
	int ret;

	if (!first && act->domid != ld->domid)
		return GNTST_general_error;
	if (first || (!readonly && act->writers == 0)) {
		*marked = gt->version == 2;
		ret = gt->version == 2 ? mark_v2(grant_v2(gt, ref), grant_status(gt, ref), ld->domid, readonly, &word)
				       : mark_v1(grant_v1(gt, ref), ld->domid, readonly);
		if (ret != GNTST_okay)
			return ret;
		*marked = true;
	}
	if (first) {
		ret = read_entry(gt, ref, word, act, &nr);
		if (ret != GNTST_okay)
			return ret;
		act->domid = ld->domid;
	}
	if (whole && act->sub_page)
		return GNTST_general_error;
	got = first ? grant_get_frame(rd, nr, readonly, &act->frame) : get_pinned_frame(rd, act->frame, readonly);
	return got ? GNTST_okay : GNTST_bad_page;
}

int grant_acquire(struct domain *rd, uint32_t ref, const struct domain *ld, bool readonly, bool whole,
		  struct grant_use *use)
{
	struct grant_table *gt = rd->grant;
	struct active_grant *act;
	bool marked = false;
	int ret;

	if (gt == NULL)
		return GNTST_bad_domain;
	spin_lock(&gt->lock);
	if (gt->closed || ref >= grant_nr_refs(gt)) {
		spin_unlock(&gt->lock);
		return GNTST_bad_gntref;
	}
	act = grant_active(gt, ref);
	ret = acquire_locked(rd, ref, ld, readonly, whole, act, &marked);
	if (ret == GNTST_okay) {
		if (!pinned(act) && ref >= GNTTAB_NR_RESERVED_ENTRIES)
			gt->nr_pinned++;
		if (readonly)
			act->readers++;
		else
			act->writers++;
		*use = (struct grant_use){ act->frame, act->start, act->length };
	} else if (marked) {
		unmark(gt, ref, act);
	}
	spin_unlock(&gt->lock);
	return ret;
}

void grant_unpin(struct domain *rd, uint32_t ref, bool readonly)
{
	struct grant_table *gt = rd->grant;
	struct active_grant *act;

	spin_lock(&gt->lock);
	act = grant_active(gt, ref);
	if (readonly) {
		BUG_ON(act->readers == 0);
		act->readers--;
	} else {
		BUG_ON(act->writers == 0);
		act->writers--;
	}
	if (!pinned(act) && ref >= GNTTAB_NR_RESERVED_ENTRIES)
		gt->nr_pinned--;
	unmark(gt, ref, act);
	spin_unlock(&gt->lock);
}
