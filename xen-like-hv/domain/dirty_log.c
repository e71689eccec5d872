/* SPDX-License-Identifier: MIT */
#include "domain/dirty_log.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "x86/printk.h"

void dirty_log_mark(struct dirty_log *l, struct page_info *pg)
{
	uint64_t nr = page_to_mfn(pg).m / DIRTY_CHUNK, bit = 1ULL << (nr % 64);

	/* Also where it is set already: the caller's store must be seen before whoever clears it goes on. */
	__atomic_fetch_or(&pg->flags, PGF_written, __ATOMIC_SEQ_CST);
	hv_delay_point("dirty log: flag set, not the chunk's bit");
	if (!(READ_ONCE(l->chunk[nr / 64]) & bit))
		__atomic_fetch_or(&l->chunk[nr / 64], bit, __ATOMIC_SEQ_CST);
}

void page_written_known(struct page_info *pg)
{
	struct domain *d = page_owner(pg);

	if (d)
		page_written(d, pg);
}

int dirty_log_on(struct domain *d)
{
	struct dirty_log *l = d->dirty_log_memory;
	uint64_t n = (max_page + DIRTY_CHUNK - 1) / DIRTY_CHUNK;

	if (!l) {
		l = xzalloc(struct dirty_log);
		if (!l)
			return -ENOMEM;
		l->nr_chunks = n;
		l->chunk = xzalloc_array(uint64_t, (n + 63) / 64);
		if (!l->chunk) {
			xfree(l);
			return -ENOMEM;
		}
		d->dirty_log_memory = l;
	}
	memset(l->chunk, 0, (n + 63) / 64 * sizeof(*l->chunk));
	__atomic_store_n(&d->dirty_log, l, __ATOMIC_RELEASE);
	return 0;
}

/* Another domain's copy may be about to use it: it is freed with d. */
void dirty_log_off(struct domain *d)
{
	WRITE_ONCE(d->dirty_log, NULL);
}

void dirty_log_free(struct domain *d)
{
	if (!d->dirty_log_memory)
		return;
	xfree(d->dirty_log_memory->chunk);
	xfree(d->dirty_log_memory);
	d->dirty_log_memory = NULL;
}

unsigned int dirty_log_each(struct domain *d, uint64_t chunk, bool clear, void (*fn)(struct page_info *pg, void *arg),
			    void *arg)
{
	struct dirty_log *l = d->dirty_log;
	uint64_t m = chunk * DIRTY_CHUNK, end = min(m + DIRTY_CHUNK, max_page), bit = 1ULL << (chunk % 64);
	unsigned int n = 0;

	if (!(READ_ONCE(l->chunk[chunk / 64]) & bit))
		return 0;
	if (clear)
		__atomic_fetch_and(&l->chunk[chunk / 64], ~bit, __ATOMIC_SEQ_CST);
	for (; m < end; m++) {
		struct page_info *pg = mfn_to_page(mfn(m));

		if (!mfn_valid(mfn(m)) || !(READ_ONCE(pg->flags) & PGF_written))
			continue;
		if (!get_page(pg, d)) {
			/* Becoming d's just now, perhaps: marked before it can be referred to. The next round finds it. */
			if (clear && READ_ONCE(pg->owner) == d->domid + 1)
				__atomic_fetch_or(&l->chunk[chunk / 64], bit, __ATOMIC_SEQ_CST);
			continue;
		}
		if (clear)
			__atomic_fetch_and(&pg->flags, (uint8_t)~PGF_written, __ATOMIC_SEQ_CST);
		/* What the frame is called is looked up after this: who calls it something else says so after that. */
		fn(pg, arg);
		put_page(pg);
		n++;
	}
	return n;
}
