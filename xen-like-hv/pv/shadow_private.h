/* SPDX-License-Identifier: MIT */
/* Between the files of pv/shadow*.c. */
#ifndef PV_SHADOW_PRIVATE_H
#define PV_SHADOW_PRIVATE_H
#include "pv/mmu_private.h"
#include "pv/shadow.h"

#define SHADOW_BUCKETS 1024u

struct shadow_page {
	uint32_t frame;   /* the shadow */
	uint32_t table;   /* the guest's table; 0: free */
	uint32_t next;    /* in its bucket or on the free list: number + 1 */
	uint32_t stamp;   /* free: when a CPU may have walked it last */
	uint8_t level;
	bool open;        /* an L1 with entries that can be written through */
};
#define SHADOW_PER_PAGE (PAGE_SIZE / sizeof(struct shadow_page))
#define SHADOW_DIR 512u

struct shadow {
	spinlock_t shadow_lock;         /* entries of shadows, and all below but control, which is domain 0's */
	bool roots;              /* roots name shadows */
	bool failed;
	uint64_t key;            /* random and odd: a guest chooses which frames are its tables */
	uint32_t bucket[SHADOW_BUCKETS]; /* number + 1 */
	struct shadow_page *dir[SHADOW_DIR];
	uint32_t nr, max, free;  /* pages there are, and may be; free list: number + 1 */
	struct log_control control;
};

static inline struct shadow_page *shadow_nr(const struct shadow *s, uint32_t nr)
{
	return &s->dir[nr / SHADOW_PER_PAGE][nr % SHADOW_PER_PAGE];
}
static inline uint32_t shadow_bucket(const struct shadow *s, mfn_t table)
{
	return (uint32_t)((table.m * s->key) >> 40) % SHADOW_BUCKETS;
}
static inline pte_t *shadow_entries(const struct shadow_page *p) { return mfn_to_virt(mfn(p->frame)); }

/* s->shadow_lock is held for these. NULL: there is none. */
struct shadow_page *shadow_find(const struct shadow *s, mfn_t table);
/* What S of an L1 has for the guest's entry e. write: open it, e allows it. */
pte_t shadow_leaf(struct domain *d, struct shadow_page *p, pte_t e, bool write);
static inline pte_t shadow_upper(const struct shadow_page *below, pte_t e)
{
	return (e & ~PTE_MFN_MASK) | (uint64_t)below->frame << PAGE_SHIFT | PTE_A;
}

/* Makes S(table); no lock held. 0, -EBUSY: it is no such table (any more), -ENOMEM: s->failed is set. */
int shadow_create(struct domain *d, struct page_info *table, int level);
#endif
