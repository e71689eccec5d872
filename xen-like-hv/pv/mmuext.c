/* SPDX-License-Identifier: MIT */
/* mmuext_op: pins, bases, flushes, the LDT. */
#include "domain/continuation.h"
#include "domain/dirty_log.h"
#include "domain/uaccess.h"
#include "pv/mmu_private.h"

static struct page_info *get_frame(struct domain *d, uint64_t nr)
{
	struct page_info *pg;

	if (!mfn_valid(mfn(nr)))
		return NULL;
	pg = mfn_to_page(mfn(nr));
	return get_page(pg, d) ? pg : NULL;
}

static int pin(struct domain *d, uint64_t nr, uint64_t type)
{
	struct page_info *pg = get_frame(d, nr);
	int rc;

	if (!pg)
		return -EINVAL;
	rc = get_page_type(pg, type, true);
	if (rc) {
		put_page(pg);
		return rc == -ERESTART_HC ? rc : -EINVAL;
	}
	if (__atomic_fetch_or(&pg->type_info, PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned) {
		/* The last count perhaps: the pin that holds another may be on its way out. */
		hv_delay_point("pin: is pinned already");
		put_page_and_type_deferred(current, pg);
		return -EINVAL;
	}
	/* A domain being torn down takes its pins away once. */
	if (unlikely(d->is_dying) && (__atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned))
		put_page_and_type_deferred(current, pg);
	return 0;
}

static int unpin(struct domain *d, uint64_t nr)
{
	struct page_info *pg = get_frame(d, nr);

	if (!pg)
		return -EINVAL;
	if (!(__atomic_fetch_and(&pg->type_info, ~PGT_pinned, __ATOMIC_SEQ_CST) & PGT_pinned)) {
		put_page(pg);
		return -EINVAL;
	}
	put_page(pg);
	put_page_and_type_deferred(current, pg);
	return 0;
}

static int clear_page(struct domain *d, uint64_t nr)
{
	struct page_info *pg = get_frame(d, nr);
	int rc;

	if (!pg)
		return -EINVAL;
	rc = get_page_type(pg, PGT_writable, false);
	if (!rc) {
		memset(page_to_virt(pg), 0, PAGE_SIZE);
		page_written(d, pg);
		put_page_type(pg, false);
	}
	put_page(pg);
	return rc;
}

static int copy_page(struct domain *d, uint64_t to, uint64_t from)
{
	struct page_info *src = get_frame(d, from), *dst = src ? get_frame(d, to) : NULL;
	int rc = -EINVAL;

	if (dst) {
		rc = get_page_type(dst, PGT_writable, false);
		if (!rc) {
			memcpy(page_to_virt(dst), page_to_virt(src), PAGE_SIZE);
			page_written(d, dst);
			put_page_type(dst, false);
		}
		put_page(dst);
	}
	if (src)
		put_page(src);
	return rc;
}

static int new_base(struct vcpu *v, uint64_t nr, bool user)
{
	int rc = pv_set_base(v, mfn(nr), user, true);

	/* Its pages were found by address in the old address space. */
	if (!rc && !user)
		pv_invalidate_ldt(v);
	return rc;
}

static int flush_many(struct domain *d, const struct mmuext_op *op)
{
	cpumask_t mask = d->dirty_cpus;
	int rc;

	if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI) {
		rc = vcpu_bitmap_to_cpus(d, handle_addr(op->arg2.vcpumask), &mask);
		if (rc)
			return rc;
	}
	if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_TLB_FLUSH_ALL)
		flush_tlb_mask(mask);
	else if (is_canonical(op->arg1.linear_addr))
		flush_tlb_va_mask(mask, op->arg1.linear_addr);
	return 0;
}

/* What needs an address space of the caller's own. */
static int local_op(struct vcpu *v, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
		return new_base(v, op->arg1.mfn, false);
	case MMUEXT_NEW_USER_BASEPTR:
		return new_base(v, op->arg1.mfn, true);
	case MMUEXT_TLB_FLUSH_LOCAL:
		flush_tlb_local();
		return 0;
	case MMUEXT_INVLPG_LOCAL:
		if (is_canonical(op->arg1.linear_addr))
			flush_tlb_va_local(op->arg1.linear_addr);
		return 0;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_ALL:
		return flush_many(v->domain, op);
	case MMUEXT_SET_LDT:
		return pv_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
	case MMUEXT_FLUSH_CACHE:
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		/* For those who drive devices: nobody does. */
		return -EACCES;
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER:
		return -EOPNOTSUPP;
	default:
		return -ENOSYS;
	}
}

static int ext_op(struct vcpu *v, struct domain *fd, const struct mmuext_op *op)
{
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return pin(fd, op->arg1.mfn, level_type((int)(op->cmd - MMUEXT_PIN_L1_TABLE) + 1));
	case MMUEXT_UNPIN_TABLE:
		return unpin(fd, op->arg1.mfn);
	case MMUEXT_CLEAR_PAGE:
		return clear_page(fd, op->arg1.mfn);
	case MMUEXT_COPY_PAGE:
		return copy_page(fd, op->arg1.mfn, op->arg2.src_mfn);
	default:
		if (fd != v->domain)
			return -EPERM;
		if (is_host_domain(v->domain))
			return -EINVAL;
		return local_op(v, op);
	}
}

static uint32_t ext_batch(struct vcpu *v, struct domain *fd, uint64_t uops, uint32_t count, int *rc)
{
	struct mmuext_op op;
	uint32_t i;

	*rc = 0;
	for (i = 0; i < count; i++) {
		if (i && unlikely(preempt_wanted())) {
			*rc = -ERESTART_HC;
			break;
		}
		*rc = copy_from_guest(&op, uops + (uint64_t)i * sizeof(op), 1);
		if (likely(!*rc))
			*rc = ext_op(v, fd, &op);
		if (unlikely(*rc))
			break;
		/* The operation is done, but what it dropped is not quite gone. */
		if (unlikely(v->partial_page)) {
			*rc = -ERESTART_HC;
			i++;
			break;
		}
	}
	return i;
}

long do_mmuext_op(unsigned long uops, unsigned long ucount, unsigned long pdone, unsigned long foreigndom)
{
	uint32_t count = (uint32_t)ucount & ~(uint32_t)MMU_UPDATE_PREEMPTED, before = 0, done = 0;
	struct vcpu *v = current;
	struct domain *fd;
	int rc;

	if (unlikely((ucount & MMU_UPDATE_PREEMPTED) && pdone) && copy_from_guest(&before, pdone, 1))
		return -EFAULT;
	rc = pv_finish_partial(v);
	if (likely(!rc)) {
		rc = foreigndom == (domid_t)foreigndom ? resolve_domain_arg((domid_t)foreigndom, &fd) : -EINVAL;
		if (rc)
			return rc;
		done = ext_batch(v, fd, uops, count, &rc);
		release_domain_arg(fd);
	}
	if (pdone) {
		uint32_t total = before + done;

		if (copy_to_guest(pdone, &total, 1) && !rc)
			rc = -EFAULT;
	}
	if (unlikely(rc == -ERESTART_HC))
		return hypercall_continuation(__HYPERVISOR_mmuext_op, uops + (uint64_t)done * sizeof(struct mmuext_op),
					      (count - done) | MMU_UPDATE_PREEMPTED, pdone, foreigndom, 0);
	return rc;
}
