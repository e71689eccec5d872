/* SPDX-License-Identifier: MIT */
/* GNTTABOP_copy: within a page each, from and to grants or own frames. */
#include "grant/private.h"
#include "host/host.h"
#include "pv/mmu.h"

/* One side of a copy. */
struct side {
	struct domain *d; /* the granting domain; NULL: an own frame */
	uint32_t ref;
	mfn_t frame;
	bool readonly;
	bool held; /* references to the frame to be put */
};

/* The arena's frames have no owner: they are domain 0's by agreement (public/node.h). */
static bool in_host_arena(mfn_t frame)
{
	uint64_t first = node_shared->arena_paddr >> PAGE_SHIFT;

	return frame.m >= first && frame.m < first + (node_shared->arena_size >> PAGE_SHIFT);
}

static int open_gref(struct side *s, const struct gnttab_copy_ptr *p, uint16_t len)
{
	struct grant_use use;
	int ret;

	s->d = get_domain_by_id(p->domid);
	if (s->d == NULL)
		return GNTST_bad_domain;
	s->ref = p->u.ref;
	ret = grant_acquire(s->d, s->ref, current->domain, s->readonly, false, &use);
	if (ret != GNTST_okay) {
		put_domain(s->d);
		s->d = NULL;
		return ret;
	}
	s->frame = use.frame;
	s->held = true;
	if (p->offset < use.start || p->offset + len > use.start + use.length)
		return GNTST_general_error;
	return GNTST_okay;
}

static int open_frame(struct side *s, const struct gnttab_copy_ptr *p)
{
	struct domain *ld = current->domain;

	if (p->domid != DOMID_SELF && p->domid != ld->domid)
		return GNTST_permission_denied;
	s->frame = mfn(p->u.gmfn);
	if (is_host_domain(ld) && in_host_arena(s->frame))
		return GNTST_okay;
	if (!grant_get_frame(ld, p->u.gmfn, s->readonly, &s->frame))
		return GNTST_bad_page;
	s->held = true;
	return GNTST_okay;
}

static void close_side(struct side *s)
{
	if (s->held)
		grant_put_frame(s->frame, s->readonly);
	if (s->d != NULL) {
		grant_unpin(s->d, s->ref, s->readonly);
		put_domain(s->d);
	}
}

static int copy(const struct gnttab_copy *op)
{
	struct side src = { .readonly = true }, dst = { .readonly = false };
	int ret;

	if (op->source.offset + op->len > PAGE_SIZE || op->dest.offset + op->len > PAGE_SIZE)
		return GNTST_bad_copy_arg;
	ret = op->flags & GNTCOPY_source_gref ? open_gref(&src, &op->source, op->len)
					      : open_frame(&src, &op->source);
	if (ret == GNTST_okay)
		ret = op->flags & GNTCOPY_dest_gref ? open_gref(&dst, &op->dest, op->len)
						    : open_frame(&dst, &op->dest);
	if (ret == GNTST_okay) /* both sides may be the same frame */
		memmove((char *)mfn_to_virt(dst.frame) + op->dest.offset,
			(const char *)mfn_to_virt(src.frame) + op->source.offset, op->len);
	close_side(&dst);
	close_side(&src);
	return ret;
}

int gnttab_copy_one(uint64_t arg)
{
	struct gnttab_copy op;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	op.status = copy(&op);
	return copy_to_guest_raw(arg + offsetof(struct gnttab_copy, status), &op.status, sizeof(op.status)) ? -EFAULT
													     : 0;
}
