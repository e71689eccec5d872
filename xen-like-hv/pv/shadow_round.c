/* SPDX-License-Identifier: MIT */
/* Shadows come and go, and are closed for writing. Domain 0's calls alone: one at a time. */
#include "domain/dirty_log.h"
#include "mm/heap.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "pv/shadow_private.h"
#include "x86/processor.h"

#define FRAMES_AT_ONCE 4096u
#define SPARE_TABLES 256u

/* --- on and off: a mark on each table of the domain --- */

static void watch_table(struct domain *d, struct page_info *pg, bool on)
{
	uint64_t x = READ_ONCE(pg->type_info);

	if (pg->owner != d->domid + 1)
		return;
	if (!on) {
		if (x & PGT_watched)
			__atomic_and_fetch(&pg->type_info, ~PGT_watched, __ATOMIC_SEQ_CST);
		if (READ_ONCE(pg->flags) & PGF_written)
			__atomic_fetch_and(&pg->flags, (uint8_t)~PGF_written, __ATOMIC_SEQ_CST);
		return;
	}
	/* Perhaps by somebody who saw the log before this one, after its end: a page that has the flag is not marked again. */
	if ((READ_ONCE(pg->flags) & PGF_written) && get_page(pg, d)) {
		page_written(d, pg);
		put_page(pg);
	}
	/* Those validated from now on are marked by who validates them. */
	while ((x & PGT_validated) && !(x & PGT_watched) && (unsigned int)type_level(x) - 1 < 4 &&
	       !cmpxchg_u64(&pg->type_info, &x, x | PGT_watched))
		;
}

/* All frames that anybody ever had are looked at, most of them others': what is done for each is what this costs. */
static void watch_frames(struct domain *d, uint64_t from, uint64_t to, bool on)
{
	const uint16_t owner = (uint16_t)(d->domid + 1);

	for (unsigned int i = 0; i < nr_ram_ranges; i++) {
		uint64_t m = max(from, (ram_ranges[i].start + PAGE_SIZE - 1) >> PAGE_SHIFT);
		uint64_t end = min(to, (ram_ranges[i].end + PAGE_SIZE - 1) >> PAGE_SHIFT);

		/* One that becomes the domain's behind our back is as one that becomes it behind watch_table(). */
		for (; m < end; m++)
			if (READ_ONCE(mfn_to_page(mfn(m))->owner) == owner)
				watch_table(d, mfn_to_page(mfn(m)), on);
	}
}

/* From the cursor on; -ERESTART_HC: not yet all. */
static int shadow_watch(struct domain *d, bool on)
{
	struct shadow *s = d->pv.shadow;

	while (s->control.cursor < max_page) {
		/* Most of a node may never have been used; nor is it touched by a look. Left out is what comes behind our back. */
		uint64_t from = page_skip_virgin(s->control.cursor), end = min(from + FRAMES_AT_ONCE, max_page);

		watch_frames(d, from, end, on);
		s->control.cursor = end;
		if (preempt_wanted() && s->control.cursor < max_page)
			return -ERESTART_HC;
	}
	s->control.cursor = 0;
	return 0;
}

static void shadow_roots(struct domain *d, bool on)
{
	struct shadow *s = d->pv.shadow;
	struct vcpu *v;
	unsigned int i;

	s->roots = on;
	for_each_vcpu (d, v, i)
		pv_root_remake(v);
	flush_tlb_mask(d->dirty_cpus);
	if (on)
		return;
	spin_lock(&s->shadow_lock);
	memset(s->bucket, 0, sizeof(s->bucket));
	s->free = 0;
	spin_unlock(&s->shadow_lock);
}

static int shadow_begin(struct domain *d)
{
	struct shadow *s = xzalloc(struct shadow);
	int rc;

	if (!s)
		return -ENOMEM;
	s->key = (rdtsc() * 0x9e3779b97f4a7c15ull) | 1;
	rc = dirty_log_on(d);
	if (rc) {
		xfree(s);
		return rc;
	}
	spin_lock_init(&s->shadow_lock);
	s->max = (uint32_t)min(d->tot_pages / 16 + SPARE_TABLES, SHADOW_DIR * SHADOW_PER_PAGE);
	s->control.state = LOG_marking;
	d->pv.shadow = s;
	return 0;
}

static int shadow_release(struct domain *d)
{
	struct shadow *s = d->pv.shadow;

	while (s->nr) {
		struct shadow_page *p = shadow_nr(s, s->nr - 1);

		free_hv_page(mfn_to_virt(mfn(p->frame)));
		s->nr--;
		if (s->nr % SHADOW_PER_PAGE == 0) {
			free_hv_page(s->dir[s->nr / SHADOW_PER_PAGE]);
			s->dir[s->nr / SHADOW_PER_PAGE] = NULL;
			if (preempt_wanted())
				return -ERESTART_HC;
		}
	}
	return 0;
}

static void shadow_end(struct domain *d)
{
	struct shadow *s = d->pv.shadow;

	d->pv.shadow = NULL;
	/* One may be there without a shadow in it. */
	for (unsigned int i = 0; i < SHADOW_DIR; i++)
		free_hv_page(s->dir[i]);
	xfree(s);
}

/* --- a round --- */

/* Also what a fault opened just now, for a page that is marked: it stays marked, and faults once more. */
static void close_table(struct shadow *s, uint32_t nr)
{
	struct shadow_page *p;
	pte_t *pt;

	spin_lock(&s->shadow_lock);
	p = nr < s->nr ? shadow_nr(s, nr) : NULL;
	if (p && p->table && p->open) {
		pt = shadow_entries(p);
		for (unsigned int i = 0; i < PT_ENTRIES; i++)
			/* Only A and D are the hardware's, and of no meaning here. */
			if (pt[i] & PTE_W)
				WRITE_ONCE(pt[i], pt[i] & ~PTE_W);
		p->open = false;
	}
	spin_unlock(&s->shadow_lock);
}

/* What went away the guest has written down itself. */
static int shadow_close_all(struct domain *d, bool look, const struct log_gone *gone)
{
	struct shadow *s = d->pv.shadow;

	(void)gone;
	if (look)
		return 0;
	for (; s->control.cursor < READ_ONCE(s->nr); s->control.cursor++) {
		close_table(s, (uint32_t)s->control.cursor);
		if (s->control.cursor % 16 == 15 && preempt_wanted()) {
			s->control.cursor++;
			return -ERESTART_HC;
		}
	}
	hv_delay_point("shadow: closed, not flushed");
	/* A write through an older entry comes before this returns, or faults. */
	flush_tlb_mask(d->dirty_cpus);
	return 0;
}

static struct log_control *shadow_control(const struct domain *d) { return d->pv.shadow ? &d->pv.shadow->control : NULL; }
/* A shadow is missing. */
static bool shadow_all_written(const struct domain *d) { return READ_ONCE(d->pv.shadow->failed); }

const struct log_machine shadow_log = {
	.control = shadow_control,
	.begin = shadow_begin,
	.watch = shadow_watch,
	.arm = shadow_roots,
	.release = shadow_release,
	.end = shadow_end,
	.close = shadow_close_all,
	.all_written = shadow_all_written,
};
