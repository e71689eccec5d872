/* SPDX-License-Identifier: MIT */
/* The operations on a table as a whole: size, frames, version. */
#include "grant/private.h"
#include "x86/softirq.h"

struct domain *grant_lookup_own(domid_t id, int16_t *status)
{
	struct domain *d;

	if (id != DOMID_SELF && id != current->domain->domid && !is_host_domain(current->domain)) {
		*status = GNTST_permission_denied;
		return NULL;
	}
	d = get_domain_by_id(id);
	if (d == NULL || d->grant == NULL) {
		if (d != NULL)
			put_domain(d);
		*status = GNTST_bad_domain;
		return NULL;
	}
	*status = GNTST_okay;
	return d;
}

/*
 * Writes the frame numbers of the first nr frames to a list at addr: GNTST_*.
 * The table grows on the way; -ERESTART_HC: the list is written from its start again.
 */
static int list_frames(struct domain *d, uint32_t nr, bool status, uint64_t addr)
{
	uint64_t frame;
	uint32_t i;
	mfn_t m;

	for (i = 0; i < nr; i++) {
		if (i % 64 == 63 && preempt_wanted())
			return -ERESTART_HC;
		if (grant_frame_mfn(d, i, status, &m) != 0)
			return GNTST_general_error;
		frame = m.m;
		if (copy_to_guest(addr + i * sizeof(frame), &frame, 1))
			return GNTST_bad_virt_addr;
	}
	return GNTST_okay;
}

/* Who knows no machine frames gets its table where it likes, by XENMEM_add_to_physmap. */
static bool by_gfn(void) { return current->domain->p2m != NULL; }

int gnttab_setup_table(uint64_t arg)
{
	struct gnttab_setup_table op;
	struct domain *d;
	int rc;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	d = grant_lookup_own(op.dom, &op.status);
	if (d != NULL) {
		rc = op.nr_frames > d->grant->max_frames || by_gfn()
			     ? GNTST_general_error
			     : list_frames(d, op.nr_frames, false, handle_addr(op.frame_list));
		put_domain(d);
		if (rc == -ERESTART_HC)
			return rc;
		op.status = (int16_t)rc;
	}
	return copy_to_guest(arg, &op, 1);
}

int gnttab_get_status_frames(uint64_t arg)
{
	struct gnttab_get_status_frames op;
	struct domain *d;
	int rc;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	d = grant_lookup_own(op.dom, &op.status);
	if (d != NULL) {
		rc = op.nr_frames > READ_ONCE(d->grant->nr_status) || by_gfn()
			     ? GNTST_general_error
			     : list_frames(d, op.nr_frames, true, handle_addr(op.frame_list));
		put_domain(d);
		if (rc == -ERESTART_HC)
			return rc;
		op.status = (int16_t)rc;
	}
	return copy_to_guest(arg, &op, 1);
}

int gnttab_query_size(uint64_t arg)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	d = grant_lookup_own(op.dom, &op.status);
	if (d != NULL) {
		op.nr_frames = READ_ONCE(d->grant->nr_frames);
		op.max_nr_frames = d->grant->max_frames;
		put_domain(d);
	}
	return copy_to_guest(arg, &op, 1);
}

int gnttab_set_version(uint64_t arg)
{
	struct domain *d = current->domain;
	struct gnttab_set_version op;
	int ret;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (op.version != 1 && op.version != 2)
		return -EINVAL;
	if (op.version > d->grant->max_version)
		return -ENOSYS;
	ret = grant_set_version(d, op.version);
	op.version = d->grant->version;
	if (copy_to_guest(arg, &op, 1))
		return -EFAULT;
	return ret;
}

int gnttab_get_version(uint64_t arg)
{
	struct gnttab_get_version op;
	struct domain *d;
	int16_t status;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	d = grant_lookup_own(op.dom, &status);
	if (d == NULL)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op.version = d->grant->version;
	put_domain(d);
	return copy_to_guest(arg, &op, 1);
}

/* An entry at a time: the console may be slow, and the guest wants the lock. */
static void dump_entry(struct grant_table *gt, uint32_t ref)
{
	struct active_grant act = { .readers = 0 };

	spin_lock(&gt->lock);
	if (ref < grant_nr_refs(gt))
		act = *grant_active(gt, ref);
	spin_unlock(&gt->lock);
	if (act.readers != 0 || act.writers != 0)
		printk("  [%u] to d%u frame %#lx, %u readers, %u writers\n", ref, act.domid, act.frame.m, act.readers,
		       act.writers);
}

int gnttab_dump_table(uint64_t arg)
{
	struct gnttab_dump_table op;
	struct grant_table *gt;
	struct domain *d;
	uint32_t ref;

	if (copy_from_guest(&op, arg, 1))
		return -EFAULT;
	if (!is_host_domain(current->domain)) {
		op.status = GNTST_permission_denied;
		return copy_to_guest(arg, &op, 1);
	}
	d = grant_lookup_own(op.dom, &op.status);
	if (d != NULL) {
		gt = d->grant;
		printk("d%u: grant table version %u, %u of %u frames\n", d->domid, gt->version, gt->nr_frames,
		       gt->max_frames);
		for (ref = 0; ref < READ_ONCE(gt->nr_frames) * V1_PER_FRAME; ref++)
			dump_entry(gt, ref);
		put_domain(d);
	}
	return copy_to_guest(arg, &op, 1);
}
