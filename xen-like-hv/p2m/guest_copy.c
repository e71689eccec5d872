/* SPDX-License-Identifier: MIT */
/*
 * Copies from and to the memory of the current vCPU, one of a PVH domain: by its
 * own page tables and its p2m, a page at a time under p2m->lock, which keeps
 * frames where they are. What the guest changes between two pages, it changed
 * for itself.
 */
#include "domain/dirty_log.h"
#include "lib/string.h"
#include "p2m/paging.h"
#include "p2m/private.h"

/* The bytes of [va, va + n) on its first page, for us to use; NULL: a fault. p2m->lock is held. */
static void *reach(struct domain *d, const struct guest_paging *g, uint64_t va, bool write, struct page_info **pg)
{
	uint64_t gpa;
	pte_t e;

	if (p2m_guest_walk(d, g, va, write, &gpa))
		return NULL;
	e = p2m_walk(d->p2m, gpa >> PAGE_SHIFT);
	if (!e || (write && !(e & P2M_WRITES)))
		return NULL;
	*pg = mfn_to_page(pte_mfn(e));
	return (char *)page_to_virt(*pg) + (gpa & ~PAGE_MASK);
}

static void copy_here(void *there, void *buf, unsigned long n, enum guest_copy op)
{
	if (op == GUEST_COPY_from)
		memcpy(buf, there, n);
	else if (op == GUEST_COPY_to)
		memcpy(there, buf, n);
	else
		memset(there, 0, n);
}

unsigned long p2m_guest_copy(uint64_t va, void *buf, unsigned long n, enum guest_copy op)
{
	struct domain *d = current->domain;
	struct p2m *p2m = d->p2m;
	struct guest_paging g;
	struct page_info *pg;
	unsigned long now;
	void *there;

	if (va + n < va)
		return n;
	hvm_guest_paging(current, &g);
	while (n) {
		now = min(n, PAGE_SIZE - (va & ~PAGE_MASK));
		spin_lock(&p2m->lock);
		there = reach(d, &g, va, op != GUEST_COPY_from, &pg);
		if (there) {
			copy_here(there, buf, now, op);
			if (op != GUEST_COPY_from)
				page_written_known(pg);
		}
		spin_unlock(&p2m->lock);
		if (!there)
			break;
		va += now;
		if (buf)
			buf = (char *)buf + now;
		n -= now;
	}
	return n;
}

int p2m_guest_cmpxchg(uint64_t va, uint64_t *old, uint64_t new)
{
	struct domain *d = current->domain;
	struct p2m *p2m = d->p2m;
	struct guest_paging g;
	struct page_info *pg;
	uint64_t *there;

	hvm_guest_paging(current, &g);
	spin_lock(&p2m->lock);
	there = reach(d, &g, va, true, &pg);
	if (there) {
		__atomic_compare_exchange_n(there, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		page_written_known(pg);
	}
	spin_unlock(&p2m->lock);
	return there ? 0 : -EFAULT;
}
