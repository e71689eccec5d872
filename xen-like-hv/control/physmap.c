/* SPDX-License-Identifier: MIT */
/* memory_op for domains with a p2m alone: what appears where in a guest's physical memory. */
#include "control/private.h"
#include "domain/continuation.h"
#include "grant/grant.h"
#include "p2m/p2m.h"
#include "pv/reservation.h"
#include "x86/softirq.h"
#include <xen/memory.h>

#define TRIES 4u /* against other vCPUs that fill the same place */

/* Whatever is at gfn goes: RAM is given up, as nobody could find it any more. Grants go with their handles alone. */
static int clear(struct domain *d, uint64_t gfn)
{
	if (p2m_release_page(d, gfn) == 0)
		return 0;
	return p2m_remove_page(d, gfn, INVALID_MFN, P2M_TYPE(P2M_shared), NULL);
}

static int put_at(struct domain *d, uint64_t gfn, struct page_info *pg, enum p2m_type type)
{
	int rc = -EEXIST;

	for (unsigned int i = 0; rc == -EEXIST && i < TRIES; i++) {
		rc = p2m_add_page(d, gfn, pg, d, type);
		if (rc == -EEXIST && clear(d, gfn) != 0)
			break;
	}
	return rc;
}

/* A page of its RAM moves. */
static int move(struct domain *d, uint64_t from, uint64_t to)
{
	struct page_info *pg;
	int rc;

	if (from >= P2M_MAX_GFN || to >= P2M_MAX_GFN || from == to)
		return -EINVAL;
	if (p2m_remove_page(d, from, INVALID_MFN, P2M_RAM, &pg) != 0)
		return -EINVAL;
	rc = put_at(d, to, pg, P2M_ram_rw);
	if (rc != 0 && p2m_add_page(d, from, pg, d, P2M_ram_rw) != 0)
		p2m_give_up(pg);
	else
		put_page(pg);
	return rc;
}

static int add_one(struct domain *d, unsigned int space, uint64_t idx, uint64_t gfn)
{
	bool status = idx & XENMAPIDX_grant_table_status;
	mfn_t m;
	int rc;

	switch (space) {
	case XENMAPSPACE_shared_info:
		if (idx != 0 || d->shared_info == NULL)
			return -EINVAL;
		m = virt_to_mfn(d->shared_info);
		break;
	case XENMAPSPACE_grant_table:
		idx &= ~(uint64_t)XENMAPIDX_grant_table_status;
		if (idx > UINT32_MAX)
			return -EINVAL;
		rc = grant_frame_mfn(d, (uint32_t)idx, status, &m);
		if (rc != 0)
			return rc;
		break;
	case XENMAPSPACE_gmfn:
		return move(d, idx, gfn);
	default:
		/* Ranges, which nobody asks for, and memory of domains that did not grant it. */
		return -EOPNOTSUPP;
	}
	return put_at(d, gfn, mfn_to_page(m), P2M_shared);
}

static int resolve(domid_t id, struct domain **d)
{
	int rc = resolve_domain_arg(id, d);

	if (rc == 0 && (*d)->p2m == NULL) {
		release_domain_arg(*d);
		rc = -ENOSYS;
	}
	return rc;
}

static long add_to_physmap(unsigned long arg)
{
	struct xen_add_to_physmap a;
	struct domain *d;
	int rc;

	if (copy_from_guest(&a, arg, 1))
		return -EFAULT;
	rc = resolve(a.domid, &d);
	if (rc != 0)
		return rc;
	rc = add_one(d, a.space, a.idx, a.gpfn);
	release_domain_arg(d);
	return rc;
}

/* An error of one is for its own word; what the call itself returns is about the call. */
static int add_batched(struct domain *d, const struct xen_add_to_physmap_batch *b, uint64_t i)
{
	xen_ulong_t idx;
	xen_pfn_t gpfn;
	int rc;

	if (copy_from_guest(&idx, handle_at(b->idxs, i), 1) || copy_from_guest(&gpfn, handle_at(b->gpfns, i), 1))
		return -EFAULT;
	rc = add_one(d, b->space, idx, gpfn);
	return copy_to_guest(handle_at(b->errs, i), &rc, 1);
}

static long add_to_physmap_batch(uint64_t start, unsigned long arg)
{
	struct xen_add_to_physmap_batch b;
	bool preempted = false;
	struct domain *d;
	uint64_t i = start;
	int rc;

	if (copy_from_guest(&b, arg, 1))
		return -EFAULT;
	if (b.space == XENMAPSPACE_gmfn_foreign)
		return -EOPNOTSUPP;
	if (b.u.res0 != 0 || start > b.size)
		return -EINVAL;
	rc = resolve(b.domid, &d);
	if (rc != 0)
		return rc;
	while (rc == 0 && i < b.size && !preempted) {
		rc = add_batched(d, &b, i++);
		preempted = i < b.size && preempt_wanted();
	}
	release_domain_arg(d);
	if (rc == 0 && preempted)
		return hypercall_continuation(__HYPERVISOR_memory_op,
					      XENMEM_add_to_physmap_batch | i << MEMOP_EXTENT_SHIFT, arg, 0, 0, 0);
	return rc;
}

static long remove_from_physmap(unsigned long arg)
{
	struct xen_remove_from_physmap r;
	struct domain *d;
	int rc;

	if (copy_from_guest(&r, arg, 1))
		return -EFAULT;
	rc = resolve(r.domid, &d);
	if (rc != 0)
		return rc;
	rc = clear(d, r.gpfn);
	release_domain_arg(d);
	return rc;
}

long memory_physmap(unsigned int op, uint64_t start, unsigned long arg)
{
	if (op == XENMEM_add_to_physmap_batch)
		return add_to_physmap_batch(start, arg);
	if (start != 0)
		return -ENOSYS;
	return op == XENMEM_add_to_physmap ? add_to_physmap(arg) : remove_from_physmap(arg);
}
