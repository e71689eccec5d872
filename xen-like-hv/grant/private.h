/* SPDX-License-Identifier: MIT */
/*
 * Inside grant/.
 *
 * A grant table has two locks. lock guards the table as the granting domain's:
 * frames, version, active entries. maptrack_lock guards the handles of the
 * domain's own mappings of others' grants. No function holds two locks of this
 * folder at once, so that domains that map each other cannot deadlock.
 *
 * An active entry is the hypervisor's own copy of a grant in use: while it is
 * pinned, what it allows was decided once, whatever the guest writes to the
 * shared entry meanwhile.
 *
 * A handle holds references to the granting domain and to the frame (general,
 * and writable unless it is read-only). A page table entry holds its own beside
 * them (pv/grant_pte.c), so that whatever clears the entry keeps the accounts right.
 */
#ifndef GRANT_PRIVATE_H
#define GRANT_PRIVATE_H

#include "domain/domain.h"
#include "domain/uaccess.h"
#include "grant/grant.h"
#include "lib/errno.h"
#include "x86/printk.h"

#define GRANT_FRAMES_LIMIT 512u     /* of a domain, whatever the tools ask for */
#define MAPTRACK_FRAMES_LIMIT 4096u

#define V1_PER_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define V2_PER_FRAME (PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (PAGE_SIZE / sizeof(grant_status_t))

struct active_grant {
	mfn_t frame;
	uint32_t readers, writers; /* pins: mappings, and copies in progress */
	uint16_t start, length;    /* the part of the frame that may be copied */
	domid_t domid;             /* the grantee */
	bool sub_page;
};
#define ACTIVE_PER_PAGE (PAGE_SIZE / sizeof(struct active_grant))

/* flags of a handle */
#define MT_HOST   1u
#define MT_DEVICE 2u
#define MT_RO     4u
#define MT_PTE    8u  /* contains_pte */
#define MT_BUSY   16u /* being unmapped */

struct maptrack {
	struct domain *rd; /* the granting domain, referenced; NULL: free */
	mfn_t frame;
	uint32_t ref;
	uint32_t next_free;
	uint8_t flags;
};
#define MAPTRACK_PER_PAGE (PAGE_SIZE / sizeof(struct maptrack))
#define MAPTRACK_NONE UINT32_MAX

struct grant_table {
	spinlock_t lock;
	uint8_t version, max_version;
	bool closed;                /* the domain is dying: nothing new, the frames are gone */
	uint32_t max_frames, nr_frames, nr_status;
	uint32_t nr_pinned;         /* active entries in use, the reserved ones not counted */
	void **shared;              /* max_frames */
	grant_status_t **status;    /* max_frames / 2, version 2 */
	struct active_grant **active; /* pages; nr_active of them */
	uint32_t nr_active;

	spinlock_t maptrack_lock;
	struct maptrack **maptrack;
	uint32_t max_maptrack, nr_maptrack; /* pages */
	uint32_t free_handle;
	uint32_t release_cursor;
};

/* table.c; gt->lock is held, but for grant_set_version, which takes it */
uint32_t grant_nr_refs(const struct grant_table *gt);
struct active_grant *grant_active(struct grant_table *gt, uint32_t ref);
struct grant_entry_v1 *grant_v1(struct grant_table *gt, uint32_t ref);
union grant_entry_v2 *grant_v2(struct grant_table *gt, uint32_t ref);
grant_status_t *grant_status(struct grant_table *gt, uint32_t ref);
int grant_grow(struct domain *d, uint32_t frames);
int grant_set_version(struct domain *d, uint32_t version);

/* pin.c. What an acquired reference gives. */
struct grant_use {
	mfn_t frame;
	uint16_t start, length;
};
/*
 * Checks that rd grants ref to ld, marks it in use and takes the references to
 * the frame (general; writable unless readonly). 0 or GNTST_*. whole: sub-page grants are refused.
 */
int grant_acquire(struct domain *rd, uint32_t ref, const struct domain *ld, bool readonly, bool whole,
		  struct grant_use *use);
/* Undoes the pin alone; the frame's references are put with grant_put_frame. */
void grant_unpin(struct domain *rd, uint32_t ref, bool readonly);
void grant_put_frame(mfn_t frame, bool readonly);
/* The same references to what owner names nr: a machine frame, or a gfn. */
bool grant_get_frame(struct domain *owner, uint64_t nr, bool readonly, mfn_t *ret);

/* maptrack.c */
uint32_t maptrack_alloc(struct grant_table *gt); /* MAPTRACK_NONE */
void maptrack_free(struct grant_table *gt, uint32_t handle);
struct maptrack *maptrack_get(struct grant_table *gt, uint32_t handle); /* maptrack_lock held; NULL */
/* 1 or 0; -ERESTART_HC: asked to give way. There is nothing to go on from: a guest may have very many. */
int maptrack_maps(struct grant_table *gt, mfn_t frame);

/* One element each of a batch: 0, or -errno to end it. */
int gnttab_map_one(uint64_t arg);
int gnttab_unmap_one(uint64_t arg);
int gnttab_unmap_and_replace_one(uint64_t arg);
int gnttab_copy_one(uint64_t arg);
int gnttab_transfer_one(uint64_t arg);
int gnttab_swap_one(uint64_t arg);
int gnttab_cache_flush_one(uint64_t arg);
/* Single operations. */
int gnttab_setup_table(uint64_t arg);
int gnttab_query_size(uint64_t arg);
int gnttab_set_version(uint64_t arg);
int gnttab_get_version(uint64_t arg);
int gnttab_get_status_frames(uint64_t arg);
int gnttab_dump_table(uint64_t arg);

/* DOMID_SELF for anyone, others for domain 0: a reference, or NULL with *status set (GNTST_*). */
struct domain *grant_lookup_own(domid_t id, int16_t *status);

#endif
