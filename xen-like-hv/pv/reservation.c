/* SPDX-License-Identifier: MIT */
/*
 * memory_op: how much memory a domain has, and which frames. PV guests know
 * their frames by machine number throughout; a domain with a p2m names gfns.
 */
#include "pv/reservation.h"
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"
#include "x86/hooks.h"
#include <xen/memory.h>

/* 2 MiB: so that one extent is no long time, and a guest cannot ask for all of a node in a piece. */
#define GUEST_MAX_ORDER 9u

unsigned int memory_max_order(void) { return is_host_domain(current->domain) ? MAX_ORDER : GUEST_MAX_ORDER; }

int memory_alloc_flags(unsigned int mem_flags, unsigned int *flags)
{
	unsigned int bits = XENMEMF_get_address_bits(mem_flags);

	*flags = 0;
	if (mem_flags & (XENMEMF_populate_on_demand | XENMEMF_vnode))
		return -EINVAL;
	if (bits == 0 || bits >= 64 || max_page <= (bits > PAGE_SHIFT ? 1ULL << (bits - PAGE_SHIFT) : 0))
		return 0;
	if (bits < 32)
		return -ENOMEM;
	*flags = ALLOC_BELOW_4G;
	return 0;
}

/* Reads the argument and finds the domain; release_domain_arg(*d) later. */
static int get_reservation(unsigned long arg, struct xen_memory_reservation *r, struct domain **d)
{
	if (copy_from_guest(r, arg, 1))
		return -EFAULT;
	if (r->nr_extents > ~0UL >> MEMOP_EXTENT_SHIFT)
		return -EINVAL;
	return resolve_domain_arg(r->domid, d);
}

static long finish(unsigned int op, uint64_t done, bool preempted, unsigned long arg)
{
	if (preempted)
		return hypercall_continuation(__HYPERVISOR_memory_op, op | done << MEMOP_EXTENT_SHIFT, arg, 0, 0, 0);
	return (long)done;
}

/* 1: done; 0: there is no chunk of that size; negative: no more, the count so far is the result. */
static int populate_one(struct domain *d, const struct xen_memory_reservation *r, uint64_t i, bool physmap,
			 unsigned int flags)
{
	bool list = handle_addr(r->extent_start) != 0;
	uint64_t j, n = 1ULL << r->extent_order;
	struct page_info *pg;
	xen_pfn_t gpfn = 0, frame;
	int err;

	if (physmap && copy_from_guest(&gpfn, handle_at(r->extent_start, i), 1))
		return -EFAULT;
	if (d->p2m)
		return physmap ? p2m_populate(d, gpfn, r->extent_order, flags) : -EINVAL;
	pg = domain_page_prepare(d, r->extent_order, flags | ALLOC_NO_GATHER, &err);
	if (!pg)
		return err == -ENOMEM ? 0 : err;
	frame = page_to_mfn(pg).m;
	/* Before the guest can give a frame back: then the entry may be another domain's. */
	for (j = 0; j < n; j++)
		m2p_set(mfn(frame + j), physmap ? gpfn + j : ~0ULL);
	if (domain_page_publish(d, pg, r->extent_order))
		return -EINVAL;
	return !list || !copy_to_guest(handle_at(r->extent_start, i), &frame, 1) ? 1 : -EFAULT;
}

long memory_populate(unsigned int op, uint64_t start, unsigned long arg)
{
	struct xen_memory_reservation r;
	bool preempted = false;
	unsigned int flags;
	struct domain *d;
	uint64_t i = start;
	int rc = get_reservation(arg, &r, &d);

	if (rc)
		return rc;
	if (memory_alloc_flags(r.mem_flags, &flags) == 0 && r.extent_order <= memory_max_order()) {
		while (i < r.nr_extents && !preempted) {
			rc = populate_one(d, &r, i, op == XENMEM_populate_physmap, flags);
			if (rc < 0 || (rc == 0 && !page_gather(r.extent_order)))
				break;
			i += (uint64_t)rc;
			preempted = i < r.nr_extents && preempt_wanted();
		}
	}
	release_domain_arg(d);
	return finish(op, i, preempted, arg);
}

int memory_release_page(struct domain *d, uint64_t nr)
{
	struct page_info *pg;
	bool was_owned;

	if (!mfn_valid(mfn(nr)))
		return -EINVAL;
	pg = mfn_to_page(mfn(nr));
	if (!get_page(pg, d))
		return -EINVAL;
	/* shared_info and grant frames are not the guest's to give. */
	was_owned = !(READ_ONCE(pg->count_info) & PGC_hv) &&
		    (__atomic_fetch_and(&pg->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST) & PGC_allocated);
	if (was_owned) {
		m2p_set(mfn(nr), ~0ULL);
		put_page(pg);
	}
	put_page(pg);
	return was_owned ? 0 : -EINVAL;
}

static bool decrease_one(struct domain *d, const struct xen_memory_reservation *r, uint64_t i)
{
	uint64_t j, n = 1ULL << r->extent_order;
	xen_pfn_t frame;

	if (copy_from_guest(&frame, handle_at(r->extent_start, i), 1))
		return false;
	for (j = 0; j < n; j++)
		if (memory_release_page(d, frame + j))
			return false;
	return true;
}

#define GFNS 32u

/* True: all of them. */
static bool decrease_run(struct domain *d, const uint64_t *gfns, uint64_t n, uint64_t *done)
{
	unsigned int got = 1;

	for (*done = 0; *done < n && got; *done += got)
		got = p2m_decrease(d, gfns + *done, (unsigned int)(n - *done));
	return *done == n;
}

/* Of a domain with a p2m: some extents at once, as each flush is dear. *done: extents. false: no more. */
static bool decrease_gfns(struct domain *d, const struct xen_memory_reservation *r, uint64_t i, uint64_t *done)
{
	uint64_t gfns[GFNS], n = 1ULL << r->extent_order, k, at;

	*done = 0;
	if (r->extent_order == 0) {
		n = min(r->nr_extents - i, (uint64_t)GFNS);
		return !copy_from_guest(gfns, handle_at(r->extent_start, i), n) && decrease_run(d, gfns, n, done);
	}
	if (copy_from_guest(gfns, handle_at(r->extent_start, i), 1))
		return false;
	for (at = gfns[0]; n; n -= k, at += k) {
		k = min(n, (uint64_t)GFNS);
		for (uint64_t j = 0; j < k; j++)
			gfns[j] = at + j;
		if (!decrease_run(d, gfns, k, done)) {
			*done = 0;
			return false;
		}
	}
	*done = 1;
	return true;
}

long memory_decrease(uint64_t start, unsigned long arg)
{
	struct xen_memory_reservation r;
	bool preempted = false, more;
	struct domain *d;
	uint64_t i = start, n;
	int rc = get_reservation(arg, &r, &d);

	if (rc)
		return rc;
	if (r.extent_order <= memory_max_order()) {
		for (more = true; more && i < r.nr_extents; i += n) {
			if (i != start && preempt_wanted()) {
				preempted = true;
				break;
			}
			if (d->p2m)
				more = decrease_gfns(d, &r, i, &n);
			else
				n = more = decrease_one(d, &r, i);
		}
	}
	release_domain_arg(d);
	return finish(XENMEM_decrease_reservation, i, preempted, arg);
}

long memory_claim(unsigned long arg)
{
	struct xen_memory_reservation r;
	struct domain *d;
	int rc;

	if (!is_host_domain(current->domain))
		return -EPERM;
	rc = get_reservation(arg, &r, &d);
	if (rc)
		return rc;
	if (handle_addr(r.extent_start) || r.extent_order || r.mem_flags)
		rc = -EINVAL;
	else if (r.nr_extents == 0)
		rc = claim_pages(&d->claim, 0);
	else if (r.nr_extents <= d->tot_pages || r.nr_extents > d->max_pages || d->claim.outstanding || d->is_dying)
		rc = -EINVAL;
	else
		rc = claim_pages(&d->claim, r.nr_extents - d->tot_pages);
	release_domain_arg(d);
	return rc;
}
