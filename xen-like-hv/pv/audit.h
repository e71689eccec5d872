/* SPDX-License-Identifier: MIT */
/*
 * The audit (debug key 't'): do the counts of all pages agree with what is
 * there to be counted? For debugging alone: every domain is paused, for as long
 * as it takes to read all live tables.
 */
#ifndef PV_AUDIT_H
#define PV_AUDIT_H
#include "pv/mmu.h"

/* What the walk found for a frame. */
struct audit_seen {
	uint32_t refs, types;
};

/* So many frames' notes in a piece. */
#define AUDIT_SEEN_SHIFT 16u
#define AUDIT_SEEN (1UL << AUDIT_SEEN_SHIFT)

struct audit_owner {
	struct domain *d;
	uint64_t pages, hv_pages;
};

struct audit {
	struct audit_owner *owner;
	unsigned int nr_owners, last_owner;
	/* The frames looked at in this pass, which is the only one unless memory for the notes is short. */
	uint64_t first, nr;
	struct audit_seen **seen;
	unsigned int passes;
	bool first_pass; /* that one also looks at what does not depend on the frames */
	/* A frame of another domain: did that one grant it to d? */
	bool (*is_granted)(struct domain *d, mfn_t frame, bool writable);
	uint64_t pages, tables, differ;
};

static inline struct audit_seen *audit_seen(const struct audit *a, uint64_t nr)
{
	uint64_t i = nr - a->first;

	return &a->seen[i >> AUDIT_SEEN_SHIFT][i & (AUDIT_SEEN - 1)];
}

/* control/audit.c */
void audit_differ(struct audit *a, const struct page_info *pg, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * pv/audit.c: these note what refers to the frames of this pass, and say what
 * must not be there. A reference; with a type (not PGT_none) one of the type, too.
 */
void audit_explain(struct audit *a, struct page_info *pg, uint64_t type, const char *who);
void audit_walk_page(struct audit *a, struct page_info *pg);
void audit_walk_vcpu(struct audit *a, struct vcpu *v);
#endif
