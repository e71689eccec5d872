/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange: pages given for others, contiguous or low ones mostly. Done in
 * chunks of the larger of the two extent sizes; a chunk succeeds or fails whole.
 */
#include "domain/continuation.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"
#include "pv/reservation.h"
#include <xen/memory.h>

struct exchange {
	struct domain *d;
	struct xen_memory_exchange x;
	unsigned int order;      /* of a chunk */
	uint64_t in_per_chunk, out_per_chunk, chunks;
	unsigned int flags;
	uint32_t stolen;         /* frames taken, linked by page_info.next, 0 ends */
};

static void give_back(struct exchange *e)
{
	if (!e->stolen)
		return;
	/* The pages' types were forgotten with them. */
	flush_tlb_mask(e->d->dirty_cpus);
	while (e->stolen) {
		struct page_info *pg = mfn_to_page(mfn(e->stolen));

		e->stolen = pg->next;
		pg->next = 0;
		if (domain_page_assign(e->d, pg))
			stolen_page_free(pg);
	}
}

static void free_stolen(struct exchange *e)
{
	while (e->stolen) {
		struct page_info *pg = mfn_to_page(mfn(e->stolen));

		e->stolen = pg->next;
		pg->next = 0;
		stolen_page_free(pg);
	}
}

static int steal_one(struct exchange *e, uint64_t nr)
{
	struct page_info *pg;
	int rc;

	if (!mfn_valid(mfn(nr)))
		return -EINVAL;
	pg = mfn_to_page(mfn(nr));
	if (READ_ONCE(pg->count_info) & PGC_hv)
		return -EINVAL;
	rc = domain_page_steal_noflush(e->d, pg);
	if (rc)
		return rc;
	pg->next = e->stolen;
	e->stolen = (uint32_t)nr;
	return 0;
}

static int steal_chunk(struct exchange *e, uint64_t chunk)
{
	uint64_t i, j;
	xen_pfn_t frame;
	int rc = 0;

	for (i = 0; !rc && i < e->in_per_chunk; i++) {
		rc = copy_from_guest(&frame, handle_at(e->x.in.extent_start, chunk * e->in_per_chunk + i), 1);
		for (j = 0; !rc && j < 1ULL << e->x.in.extent_order; j++)
			rc = steal_one(e, frame + j);
	}
	return rc;
}

/* While nobody can refer to the new frames: a vCPU of the domain could give them back at once. */
static int set_m2p(struct exchange *e, uint64_t chunk, xen_pfn_t first)
{
	uint64_t i, j, n = 1ULL << e->x.out.extent_order;

	for (i = 0; i < e->out_per_chunk; i++) {
		xen_pfn_t gpfn;

		if (copy_from_guest(&gpfn, handle_at(e->x.out.extent_start, chunk * e->out_per_chunk + i), 1))
			return -EFAULT;
		for (j = 0; j < n; j++)
			m2p_set(mfn(first + i * n + j), gpfn + j);
	}
	return 0;
}

/* The new frames are the domain's already: a fault while telling their numbers loses nothing but those. */
static int tell_frames(struct exchange *e, uint64_t chunk, xen_pfn_t first)
{
	uint64_t i;

	for (i = 0; i < e->out_per_chunk; i++) {
		xen_pfn_t frame = first + (i << e->x.out.extent_order);

		if (copy_to_guest(handle_at(e->x.out.extent_start, chunk * e->out_per_chunk + i), &frame, 1))
			return -EFAULT;
	}
	return 0;
}

static int exchange_chunk(struct exchange *e, uint64_t chunk)
{
	struct page_info *pg = NULL;
	int rc = steal_chunk(e, chunk);

	if (!rc)
		pg = domain_page_prepare(e->d, e->order, e->flags | ALLOC_NO_GATHER, &rc);
	if (pg) {
		rc = set_m2p(e, chunk, page_to_mfn(pg).m);
		if (rc)
			domain_page_abandon(e->d, pg, e->order);
		else
			rc = domain_page_publish(e->d, pg, e->order);
	}
	if (rc) {
		give_back(e);
		return rc;
	}
	free_stolen(e);
	return tell_frames(e, chunk, page_to_mfn(pg).m);
}

static int check_exchange(struct exchange *e)
{
	const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;
	unsigned int most = memory_max_order();

	if (in->domid != out->domid || in->extent_order > most || out->extent_order > most)
		return -EINVAL;
	if (in->nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + MAX_ORDER) ||
	    out->nr_extents > ~0UL >> (MEMOP_EXTENT_SHIFT + MAX_ORDER) ||
	    in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
		return -EINVAL;
	e->order = max(in->extent_order, out->extent_order);
	e->in_per_chunk = 1ULL << (e->order - in->extent_order);
	e->out_per_chunk = 1ULL << (e->order - out->extent_order);
	if (in->nr_extents % e->in_per_chunk || out->nr_extents % e->out_per_chunk)
		return -EINVAL;
	e->chunks = in->nr_extents / e->in_per_chunk;
	return memory_alloc_flags(out->mem_flags, &e->flags);
}

long memory_exchange(uint64_t start, unsigned long arg)
{
	struct exchange e = { .stolen = 0 };
	uint64_t chunk = start, count_at = arg + offsetof(struct xen_memory_exchange, nr_exchanged);
	int rc;

	if (copy_from_guest(&e.x, arg, 1))
		return -EFAULT;
	rc = check_exchange(&e);
	if (!rc && start == 0 && e.x.nr_exchanged)
		rc = -EINVAL;
	if (!rc)
		rc = resolve_domain_arg(e.x.in.domid, &e.d);
	if (rc)
		return rc;
	if (e.d->p2m) {
		/* One frame for another is nothing to who sees none. */
		release_domain_arg(e.d);
		return -EOPNOTSUPP;
	}
	while (!rc && chunk < e.chunks) {
		rc = exchange_chunk(&e, chunk);
		if (rc == -ENOMEM && page_gather(e.order))
			rc = 0;
		else if (!rc)
			chunk++;
		if (!rc && chunk < e.chunks && preempt_wanted())
			rc = -ERESTART_HC;
	}
	release_domain_arg(e.d);
	e.x.nr_exchanged = chunk * e.in_per_chunk;
	if (copy_to_guest(count_at, &e.x.nr_exchanged, 1))
		return -EFAULT;
	if (rc == -ERESTART_HC)
		return hypercall_continuation(__HYPERVISOR_memory_op, XENMEM_exchange | chunk << MEMOP_EXTENT_SHIFT, arg,
					      0, 0, 0);
	return rc;
}
