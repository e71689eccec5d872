/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a domain were written since somebody asked last. A page that
 * was has PGF_written; its 512 neighbours share a bit in chunk[], so that who
 * asks need not look at all of RAM.
 *
 * Who writes to a page by other ways than its owner's page tables says so
 * after the store: what is said before could be asked for, and the page be
 * copied, in between. Tables say so before the entry becomes writable, and
 * what they opened is closed after the question (pv/shadow_round.c).
 *
 * Both words change by locked operations. A writer sets the page's flag, then
 * looks at the chunk's bit; the reader clears the bit, then looks at the flags.
 */
#ifndef DOMAIN_DIRTY_LOG_H
#define DOMAIN_DIRTY_LOG_H
#include "domain/domain.h"
#include "mm/frametable.h"

#define DIRTY_CHUNK 512u /* frames */

struct dirty_log {
	uint64_t *chunk;
	uint64_t nr_chunks;
};

void dirty_log_mark(struct dirty_log *l, struct page_info *pg);

/* pg is d's, and a reference is held. */
static inline void page_written(struct domain *d, struct page_info *pg)
{
	struct dirty_log *l = READ_ONCE(d->dirty_log);

	if (unlikely(l != NULL))
		dirty_log_mark(l, pg);
}

/* The same, whoever owns it. */
void page_written_known(struct page_info *pg);

/* Makes d->dirty_log, or NULLs it; the memory stays until dirty_log_free. */
int dirty_log_on(struct domain *d);
void dirty_log_off(struct domain *d);
void dirty_log_free(struct domain *d);
/*
 * The chunk'th 512 frames: calls fn for each that was written and is still d's.
 * clear: it counts as written no longer. Returns how many there were.
 */
unsigned int dirty_log_each(struct domain *d, uint64_t chunk, bool clear, void (*fn)(struct page_info *pg, void *arg),
			    void *arg);
#endif
