/* SPDX-License-Identifier: MIT */
/*
 * A PVH domain's guest physical memory: the nested tables that its CPUs walk
 * behind the guest's own. A frame is in them only with references, one for
 * each entry that names it; whoever takes an entry away flushes the domain's
 * CPUs before these go. p2m/table.c has the rules and who may race with whom.
 */
#ifndef P2M_P2M_H
#define P2M_P2M_H
#include "domain/dirty_log.h"
#include "domain/domain.h"
#include "lib/errno.h"
#include "mm/frametable.h"
#include "x86/hooks.h"
#include "x86/spinlock.h"

/* What an entry is. All but a hole name a frame; those that may be written to are odd. */
enum p2m_type {
	P2M_hole = 0,
	P2M_ram_rw = 1,   /* the domain's own */
	P2M_ram_ro = 2,
	P2M_shared = 3,   /* the hypervisor's, shared with it: shared_info, grant frames; writable */
	P2M_grant_ro = 4, /* another's, by grant: goes with the grant's handle alone */
	P2M_grant_rw = 5,
};

static inline bool p2m_writable(enum p2m_type t) { return t & 1; }
static inline bool p2m_is_ram(enum p2m_type t) { return t == P2M_ram_rw || t == P2M_ram_ro; }
static inline bool p2m_is_grant(enum p2m_type t) { return t == P2M_grant_rw || t == P2M_grant_ro; }

#define P2M_MAX_GFN (1ULL << 28) /* 40 bits of physical address, as the guest's CPUID says */
#define P2M_LARGE_ORDER 9u

struct p2m {
	spinlock_t lock;             /* all entries */
	uint64_t *root;
	paddr_t root_paddr;
	/* Counts the flushes that guests' translations need: a CPU that last entered with another one flushes all before it enters. */
	volatile uint64_t generation;
	struct domain *domain;
	uint64_t nr_tables;          /* the root not counted; a guest may name any gfn, but not make us spend more than a limit */
	uint64_t cursor;             /* of p2m_relinquish */
	uint64_t changed;            /* what entries are stored with, present or not: of the log of writes (p2m/log.c), under the lock */
	struct log_control *log;     /* NULL: none */
};

/* d->p2m, empty: 0 or -ENOMEM. */
int p2m_create(struct domain *d);
/* Its vCPUs do not run any more: all entries and tables go. 0 or -ERESTART_HC. d->p2m may be NULL. */
int p2m_relinquish(struct domain *d);
/* With the object; what is there was relinquished, or never used. */
void p2m_destroy(struct domain *d);
/* For nCR3. */
static inline paddr_t p2m_root(const struct domain *d) { return d->p2m->root_paddr; }
/*
 * Before an entry, interrupts off: the CPU compares it with what it was when it last flushed all of this domain's
 * translations. Who changes an entry adds to it, then interrupts the CPUs of d->dirty_cpus, then lets the frame go.
 */
static inline uint64_t p2m_generation(const struct domain *d) { return d->p2m->generation; }

/* What is at gfn now: INVALID_MFN for a hole. Without a reference: under what keeps it there, or for domain 0's eyes. */
mfn_t p2m_lookup(struct domain *d, uint64_t gfn, enum p2m_type *type);
/*
 * A reference to d's own page (not one that it has by grant) at gfn; write: a reference to it as writable as well
 * (put_page_and_type). NULL: a hole, not d's, or not writable.
 */
struct page_info *p2m_get_page(struct domain *d, uint64_t gfn, bool write);

/*
 * Enters a frame where there is a hole, with a reference of its own: 0; -EEXIST: there is something; -EINVAL: no
 * such gfn, or pg is not owned by owner; -ENOMEM; -ESRCH: d's tables are gone.
 */
int p2m_add_page(struct domain *d, uint64_t gfn, struct page_info *pg, struct domain *owner, enum p2m_type type);
/* 2^P2M_LARGE_ORDER of d's own as RAM, in one entry: false where that cannot be (alignment, something is there, or was). */
bool p2m_add_large(struct domain *d, uint64_t gfn, struct page_info *pg);
/*
 * Takes the entry at gfn away if it is of one of the types (1 << type), and, m not INVALID_MFN, names m: flushes,
 * then drops the entry's reference. *was, with a reference of the caller's (NULL: not wanted). 0, -ENOENT.
 */
int p2m_remove_page(struct domain *d, uint64_t gfn, mfn_t m, unsigned int types, struct page_info **was);
/* The same of RAM at the first of these gfns, up to one that is none, with one flush: how many, with references. */
#define P2M_BATCH 64u
unsigned int p2m_remove_ram(struct domain *d, const uint64_t *gfns, unsigned int n, struct page_info **was);
#define P2M_TYPE(t) (1u << (t))
#define P2M_RAM (P2M_TYPE(P2M_ram_rw) | P2M_TYPE(P2M_ram_ro))

/* Frames of d's own RAM that follow each other by gfn and by number. */
struct p2m_run {
	uint64_t gfn, mfn, nr_pages;
};
/*
 * Those at *gfn and behind it, at most max: how many. *gfn goes to where it ended, P2M_MAX_GFN when there are no more; before
 * that, when others want the CPU. As with p2m_lookup, nothing holds them.
 */
unsigned int p2m_ram_runs(struct domain *d, uint64_t *gfn, struct p2m_run *runs, unsigned int max);

/* For the audit, nothing of d runs: all frames that entries name. false: there are other tables than were counted. */
bool p2m_each_frame(struct domain *d, void (*fn)(mfn_t frame, uint64_t gfn, enum p2m_type type, void *arg), void *arg);

/* The log of its writes. */
extern const struct log_machine p2m_log;
/* A CPU's write that the nested tables did not allow. */
enum p2m_fault {
	P2M_fault_guest,  /* nothing to write to is there */
	P2M_fault_opened, /* it may go through now */
	P2M_fault_stale,  /* it might have: the CPU is to flush what it knows */
};
enum p2m_fault p2m_write_fault(struct domain *d, uint64_t gfn);

/* One page given up by the guest's wish: 0 or -EINVAL. */
int p2m_release_page(struct domain *d, uint64_t gfn);
/* The same of a page without an entry, to which the caller has a reference, which goes, too. */
void p2m_give_up(struct page_info *pg);
#endif
