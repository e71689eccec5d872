/* SPDX-License-Identifier: MIT */
/* The table of a granting domain: its frames, growth, version, end; and the hypercall. */
#include "domain/continuation.h"
#include "grant/private.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "x86/softirq.h"

/* Called for every index into the table: gt->nr_frames bounds what the guest named. */
uint32_t grant_nr_refs(const struct grant_table *gt)
{
	return gt->nr_frames * (gt->version == 2 ? V2_PER_FRAME : V1_PER_FRAME);
}

struct active_grant *grant_active(struct grant_table *gt, uint32_t ref)
{
	return &gt->active[ref / ACTIVE_PER_PAGE][ref % ACTIVE_PER_PAGE];
}

struct grant_entry_v1 *grant_v1(struct grant_table *gt, uint32_t ref)
{
	return (struct grant_entry_v1 *)gt->shared[ref / V1_PER_FRAME] + ref % V1_PER_FRAME;
}

union grant_entry_v2 *grant_v2(struct grant_table *gt, uint32_t ref)
{
	return (union grant_entry_v2 *)gt->shared[ref / V2_PER_FRAME] + ref % V2_PER_FRAME;
}

grant_status_t *grant_status(struct grant_table *gt, uint32_t ref)
{
	return &gt->status[ref / STATUS_PER_FRAME][ref % STATUS_PER_FRAME];
}

static uint32_t status_frames_for(uint32_t frames)
{
	return (frames * V2_PER_FRAME + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME;
}

static int grow_status(struct domain *d, uint32_t want)
{
	struct grant_table *gt = d->grant;

	while (gt->nr_status < want) {
		void *page = alloc_hv_page();

		if (page == NULL)
			return -ENOMEM;
		share_hv_page_with_guest(page, d, false);
		gt->status[gt->nr_status++] = page;
	}
	return 0;
}

static int grow_active(struct grant_table *gt, uint32_t refs)
{
	uint32_t want = (refs + ACTIVE_PER_PAGE - 1) / ACTIVE_PER_PAGE;

	while (gt->nr_active < want) {
		struct active_grant *page = alloc_hv_page();

		if (page == NULL)
			return -ENOMEM;
		gt->active[gt->nr_active++] = page;
	}
	return 0;
}

/* Leaves what it got so far: a table that is larger than asked for harms nobody. */
int grant_grow(struct domain *d, uint32_t frames)
{
	struct grant_table *gt = d->grant;
	int ret;

	if (gt->closed)
		return -ESRCH;
	if (frames > gt->max_frames)
		return -EINVAL;
	ret = grow_active(gt, frames * V1_PER_FRAME);
	if (ret == 0 && gt->version == 2)
		ret = grow_status(d, status_frames_for(frames));
	while (ret == 0 && gt->nr_frames < frames) {
		void *page = alloc_hv_page();

		if (page == NULL)
			return -ENOMEM;
		share_hv_page_with_guest(page, d, false);
		gt->shared[gt->nr_frames++] = page;
	}
	return ret;
}

int grant_frame_mfn(struct domain *d, uint32_t idx, bool status, mfn_t *ret_mfn)
{
	struct grant_table *gt = d->grant;
	int ret = 0;

	spin_lock(&gt->lock);
	if (status) {
		if (gt->version != 2)
			ret = -EINVAL;
		else if (idx >= gt->nr_status)
			ret = idx >= status_frames_for(gt->max_frames)
				      ? -EINVAL
				      : grant_grow(d, idx * STATUS_PER_FRAME / V2_PER_FRAME + 1);
	} else if (idx >= gt->nr_frames) {
		ret = idx >= gt->max_frames ? -EINVAL : grant_grow(d, idx + 1);
	}
	if (ret == 0 && gt->closed)
		ret = -ESRCH;
	if (ret == 0)
		*ret_mfn = virt_to_mfn(status ? (void *)gt->status[idx] : gt->shared[idx]);
	spin_unlock(&gt->lock);
	return ret;
}

struct reserved_entry {
	uint16_t flags; /* type, readonly, reading, writing */
	domid_t domid;
	uint64_t frame;
};

static int save_reserved(struct grant_table *gt, struct reserved_entry *r)
{
	uint32_t ref;

	for (ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++, r++) {
		if (gt->version == 1) {
			struct grant_entry_v1 *e = grant_v1(gt, ref);

			r->flags = READ_ONCE(e->flags);
			r->domid = READ_ONCE(e->domid);
			r->frame = READ_ONCE(e->frame);
		} else {
			union grant_entry_v2 *e = grant_v2(gt, ref);

			r->flags = READ_ONCE(e->hdr.flags) | READ_ONCE(*grant_status(gt, ref));
			r->domid = READ_ONCE(e->hdr.domid);
			r->frame = READ_ONCE(e->full_page.frame);
		}
		switch (r->flags & GTF_type_mask) {
		case GTF_invalid:
			break;
		case GTF_permit_access:
			if (!(r->flags & GTF_sub_page) && r->frame <= UINT32_MAX)
				break;
			/* fall through */
		default:
			return -EINVAL;
		}
	}
	return 0;
}

static void restore_reserved(struct grant_table *gt, const struct reserved_entry *r)
{
	const uint16_t in_use = GTF_reading | GTF_writing;
	uint32_t ref;

	for (ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++, r++) {
		if (gt->version == 1) {
			struct grant_entry_v1 *e = grant_v1(gt, ref);

			e->domid = r->domid;
			e->frame = r->frame;
			WRITE_ONCE(e->flags, r->flags);
		} else {
			union grant_entry_v2 *e = grant_v2(gt, ref);

			*grant_status(gt, ref) = r->flags & in_use;
			e->full_page.frame = r->frame;
			e->hdr.domid = r->domid;
			WRITE_ONCE(e->hdr.flags, r->flags & ~in_use);
		}
	}
}

/* The owner's and nobody else's references: guests map what they will. */
static bool status_mapped(const struct grant_table *gt)
{
	uint32_t i;

	for (i = 0; i < gt->nr_status; i++)
		if ((uint32_t)READ_ONCE(mfn_to_page(virt_to_mfn(gt->status[i]))->count_info) > 1)
			return true;
	return false;
}

/* The reserved entries survive, also while in use: the tools set them up before the guest runs. */
int grant_set_version(struct domain *d, uint32_t version)
{
	struct grant_table *gt = d->grant;
	struct reserved_entry reserved[GNTTAB_NR_RESERVED_ENTRIES] = { 0 };
	uint32_t i;
	int ret = 0;

	spin_lock(&gt->lock);
	if (gt->version == version)
		goto out;
	if (gt->closed || gt->nr_pinned != 0 || (version == 1 && status_mapped(gt))) {
		ret = -EBUSY;
		goto out;
	}
	ret = gt->nr_frames != 0 ? save_reserved(gt, reserved) : 0;
	if (ret == 0 && version == 2)
		ret = grow_status(d, status_frames_for(gt->nr_frames));
	if (ret != 0)
		goto out;
	for (i = 0; i < gt->nr_frames; i++)
		memset(gt->shared[i], 0, PAGE_SIZE);
	/* They stay with version 1: a vCPU may have mapped one meanwhile, and would get new ones each time. */
	for (i = 0; i < gt->nr_status; i++)
		memset(gt->status[i], 0, PAGE_SIZE);
	gt->version = version;
	if (gt->nr_frames != 0)
		restore_reserved(gt, reserved);
out:
	spin_unlock(&gt->lock);
	return ret;
}

int grant_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack, uint32_t max_version)
{
	struct grant_table *gt;
	int ret;

	if (max_frames == 0 || max_frames > GRANT_FRAMES_LIMIT || max_maptrack > MAPTRACK_FRAMES_LIMIT ||
	    max_version < 1 || max_version > 2)
		return -EINVAL;
	gt = xzalloc(struct grant_table);
	if (gt == NULL)
		return -ENOMEM;
	spin_lock_init(&gt->lock);
	spin_lock_init(&gt->maptrack_lock);
	gt->version = 1;
	gt->max_version = max_version;
	gt->max_frames = max_frames;
	gt->max_maptrack = max_maptrack;
	gt->free_handle = MAPTRACK_NONE;
	gt->shared = xzalloc_array(void *, max_frames);
	gt->status = xzalloc_array(grant_status_t *, status_frames_for(max_frames));
	gt->active = xzalloc_array(struct active_grant *, max_frames * V1_PER_FRAME / ACTIVE_PER_PAGE);
	d->grant = gt;
	ret = gt->shared && gt->status && gt->active ? grant_grow(d, 1) : -ENOMEM;
	if (ret != 0) {
		grant_close(d);
		grant_destroy(d);
	}
	return ret;
}

void grant_close(struct domain *d)
{
	struct grant_table *gt = d->grant;
	uint32_t i;

	if (gt == NULL)
		return;
	spin_lock(&gt->lock);
	gt->closed = true;
	for (i = 0; i < gt->nr_frames; i++)
		unshare_hv_page(gt->shared[i]);
	for (i = 0; i < gt->nr_status; i++)
		unshare_hv_page(gt->status[i]);
	gt->nr_frames = gt->nr_status = 0;
	spin_unlock(&gt->lock);
}

void grant_destroy(struct domain *d)
{
	struct grant_table *gt = d->grant;
	uint32_t i;

	if (gt == NULL)
		return;
	BUG_ON(gt->nr_frames != 0);
	for (i = 0; i < gt->nr_active; i++)
		free_hv_page(gt->active[i]);
	for (i = 0; i < gt->nr_maptrack; i++)
		free_hv_page(gt->maptrack[i]);
	xfree(gt->shared);
	xfree(gt->status);
	xfree(gt->active);
	xfree(gt->maptrack);
	xfree(gt);
	d->grant = NULL;
}

struct batch_op {
	int (*one)(uint64_t arg); /* -ERESTART_HC: this element once more */
	uint32_t size; /* of an element; 0: a single operation, count must be 1 */
};

static const struct batch_op ops[] = {
	[GNTTABOP_map_grant_ref] = { gnttab_map_one, sizeof(struct gnttab_map_grant_ref) },
	[GNTTABOP_unmap_grant_ref] = { gnttab_unmap_one, sizeof(struct gnttab_unmap_grant_ref) },
	[GNTTABOP_setup_table] = { gnttab_setup_table, 0 },
	[GNTTABOP_dump_table] = { gnttab_dump_table, 0 },
	[GNTTABOP_transfer] = { gnttab_transfer_one, sizeof(struct gnttab_transfer) },
	[GNTTABOP_copy] = { gnttab_copy_one, sizeof(struct gnttab_copy) },
	[GNTTABOP_query_size] = { gnttab_query_size, 0 },
	[GNTTABOP_unmap_and_replace] = { gnttab_unmap_and_replace_one, sizeof(struct gnttab_unmap_and_replace) },
	[GNTTABOP_set_version] = { gnttab_set_version, 0 },
	[GNTTABOP_get_status_frames] = { gnttab_get_status_frames, 0 },
	[GNTTABOP_get_version] = { gnttab_get_version, 0 },
	[GNTTABOP_swap_grant_ref] = { gnttab_swap_one, sizeof(struct gnttab_swap_grant_ref) },
	[GNTTABOP_cache_flush] = { gnttab_cache_flush_one, sizeof(struct gnttab_cache_flush) },
};

static long again(unsigned long cmd, const struct batch_op *op, unsigned long arg, uint32_t n, uint32_t done)
{
	return hypercall_continuation(__HYPERVISOR_grant_table_op, cmd, arg + (uint64_t)done * op->size, n - done, 0, 0);
}

long do_grant_table_op(unsigned long cmd, unsigned long arg, unsigned long count)
{
	const struct batch_op *op;
	uint32_t done, n = count;
	int ret;

	cmd = (uint32_t)cmd;
	if ((int32_t)n < 0)
		return -EINVAL;
	if (cmd >= ARRAY_SIZE(ops) || ops[cmd].one == NULL)
		return -ENOSYS;
	op = &ops[cmd];
	if (op->size == 0 && n != 1)
		return -EINVAL;
	for (done = 0; done < n; done++) {
		if (done != 0 && preempt_wanted())
			return again(cmd, op, arg, n, done);
		ret = op->one(arg + (uint64_t)done * op->size);
		if (ret == -ERESTART_HC)
			return again(cmd, op, arg, n, done);
		if (ret != 0)
			return ret;
	}
	return 0;
}
