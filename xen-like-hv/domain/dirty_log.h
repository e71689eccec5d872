/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a domain were written since somebody asked last. A page that
 * was has PGF_written; its 512 neighbours share a bit in chunk[], so that who
 * asks need not look at all of RAM.
 *
 * Who writes to a page by other ways than its owner's page tables says so
 * after the store: what is said before could be asked for, and the page be
 * copied, in between. Tables say so before the entry becomes writable, and
 * what they opened is closed after the question (pv/shadow_round.c, p2m/log.c).
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

/* --- what control/shadow_op.c makes the operations of. Domain 0 alone calls these, so one at a time --- */

enum log_state { LOG_off, LOG_marking, LOG_on, LOG_clearing, LOG_freeing };

/* Kept over continuations. */
struct log_control {
	enum log_state state;
	uint64_t cursor;
	uint32_t phase;             /* of a round, 0: none is under way */
	uint64_t bitmap, pages;     /* what it was asked with */
	bool peek, lost;            /* lost: a round was given up, its pages are told in the next */
	uint32_t faults, dirty;     /* since the last round that cleared */
};

/* A guest's number for its memory whose frame went away. */
struct log_gone {
	void (*tell)(uint64_t nr, void *arg);
	void *arg;
};

/* How the tables of a domain's CPUs follow. "paused": none of its vCPUs is in the middle of anything. */
struct log_machine {
	struct log_control *(*control)(const struct domain *d); /* NULL: off */
	int (*begin)(struct domain *d);          /* paused. Also d->dirty_log. 0, -ENOMEM */
	int (*watch)(struct domain *d, bool on); /* all that there is: 0, -ERESTART_HC */
	void (*arm)(struct domain *d, bool on);  /* paused. on: after watch; off: before */
	int (*release)(struct domain *d);        /* what it took: 0, -ERESTART_HC */
	void (*end)(struct domain *d);           /* paused. The control itself */
	/*
	 * After all flags were harvested: what is open is closed, what went away is told, and forgotten; then
	 * CPUs are flushed. look: it is only told. 0, -ERESTART_HC
	 */
	int (*close)(struct domain *d, bool look, const struct log_gone *gone);
	bool (*all_written)(const struct domain *d); /* everything counts as written */
};
#endif
