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

struct audit_owner {
	struct domain *d;
	uint64_t pages, hv_pages;
};

struct audit {
	struct audit_owner *owner;
	unsigned int nr_owners, last_owner;
	/* The frames looked at in this pass. */
	uint64_t first, nr;
	struct audit_seen *seen;
	bool first_pass; /* that one also looks at what does not depend on the frames */
	uint64_t pages, tables, differ;
};

/* pv/audit.c: of both, for the debug key. */
void pv_audit(void);
void audit_differ(struct audit *a, const struct page_info *pg, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* pv/audit_walk.c: adds what refers to the frames of this pass, and says what must not be there. */
void audit_walk(struct audit *a);
#endif
