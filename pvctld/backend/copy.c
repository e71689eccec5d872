/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy for many segments: as few hypercalls as our end of the arena allows. */
#include "pvctld/backend/grants.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/grant_table.h>

#define PAGE 4096u
#define COPY_DATA 8192u /* the operations lie before it */
#define COPY_OPS (COPY_DATA / sizeof(struct gnttab_copy))
#define COPY_BYTES (MBOX_OWN_ARENA - COPY_DATA)

_Static_assert(COPY_DATA % PAGE == 0 && COPY_BYTES >= PAGE, "the data are pages");

/* Several to a page, none across two: the hypervisor copies within pages. False: no room. */
static bool place(uint32_t *at, uint16_t len, uint32_t *ret)
{
	uint32_t start = (*at + 7u) & ~7u;

	if (start % PAGE + len > PAGE)
		start = (start + PAGE - 1) & ~(PAGE - 1);
	if (start + len > COPY_BYTES)
		return false;
	*ret = start;
	*at = start + len;
	return true;
}

static void describe(struct daemon *d, uint32_t domid, const struct gnt_copy *c, uint32_t where, bool to_guest,
		     struct gnttab_copy *op)
{
	struct gnttab_copy_ptr *theirs = to_guest ? &op->dest : &op->source;
	struct gnttab_copy_ptr *ours = to_guest ? &op->source : &op->dest;
	uint64_t paddr = d->node.shared->arena_paddr + d->mbox.own_offset + COPY_DATA + where;

	memset(op, 0, sizeof(*op));
	theirs->u.ref = c->ref;
	theirs->domid = (domid_t)domid;
	theirs->offset = c->offset;
	ours->u.gmfn = paddr / PAGE;
	ours->domid = DOMID_SELF;
	ours->offset = (uint16_t)(paddr % PAGE);
	op->len = c->len;
	op->flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
	op->status = GNTST_general_error;
}

/* As many as fit: *ret_done. */
static int copy_some(struct daemon *d, uint32_t domid, const struct gnt_copy *c, unsigned int n, bool to_guest,
		     bool *bad, unsigned int *ret_done)
{
	uint8_t *data = mbox_own(&d->mbox) + COPY_DATA;
	struct gnttab_copy ops[COPY_OPS];
	uint32_t where[COPY_OPS], at = 0;
	unsigned int m = 0;
	int64_t rc;

	for (; m < n && m < COPY_OPS; m++) {
		if (c[m].len > PAGE)
			return -EINVAL;
		if (!place(&at, c[m].len, &where[m]))
			break;
		describe(d, domid, &c[m], where[m], to_guest, &ops[m]);
		if (to_guest)
			memcpy(data + where[m], c[m].data, c[m].len);
	}
	rc = mbox_call(&d->mbox, __HYPERVISOR_grant_table_op, GNTTABOP_copy, 0, m, 1, ops, m * sizeof(ops[0]));
	if (rc)
		return rc > 0 ? -EPROTO : (int)rc;
	for (unsigned int i = 0; i < m; i++) {
		bad[i] = ops[i].status != GNTST_okay;
		if (!bad[i] && !to_guest)
			memcpy(c[i].data, data + where[i], c[i].len);
	}
	*ret_done = m;
	return 0;
}

int gnt_copy_each(struct daemon *d, uint32_t domid, const struct gnt_copy *c, unsigned int n, bool to_guest, bool *bad)
{
	int rc = 0;

	for (unsigned int at = 0, done = 0; at < n && !rc; at += done)
		rc = copy_some(d, domid, c + at, n - at, to_guest, bad + at, &done);
	return rc;
}

int gnt_copy(struct daemon *d, uint32_t domid, const struct gnt_copy *c, unsigned int n, bool to_guest)
{
	bool bad[COPY_OPS];
	int rc = 0;

	for (unsigned int at = 0, done = 0; at < n && !rc; at += done) {
		rc = copy_some(d, domid, c + at, n - at, to_guest, bad, &done);
		for (unsigned int i = 0; !rc && i < done; i++)
			rc = bad[i] ? -EINVAL : 0;
	}
	return rc;
}
