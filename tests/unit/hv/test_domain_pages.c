/* SPDX-License-Identifier: MIT */
/* A domain's pages: what another CPU may do the moment that page_lock is free. */
#include <check.h>
#include "harness.h"
#include "control/hypercall.h"
#include <xen/memory.h>

#define UNTOUCHED 0xabcdefUL

static struct domain *d, *dst;
static unsigned int unlocks;

static void setup(void)
{
	harness_init();
	d = new_domain(1, 1);
	dst = new_domain(2, 1);
	run_as(d->vcpu[0], 0);
	new_page(d);
	unlocks = 0;
}

static void teardown(void)
{
	shim_unlocked = NULL;
}

/* dst is killed and emptied right now; destroy_domain aborts when a page is left. */
static void kill_dst(spinlock_t *l)
{
	if (l != &dst->page_lock)
		return;
	shim_unlocked = NULL;
	destroy_domain(dst, 0);
}

START_TEST(assigned_while_the_domain_dies)
{
	struct page_info *pg = new_page(d);

	ck_assert_int_eq(domain_page_steal(d, pg), 0);
	shim_unlocked = kill_dst;
	(void)domain_page_assign(dst, pg);
	ck_assert_ptr_null(shim_unlocked);
	ck_assert_uint_eq(dst->tot_pages, 0);
	ck_assert_uint_eq(dst->page_list, 0);
	ck_assert_uint_eq(dst->refcnt, 1);
}
END_TEST

START_TEST(allocated_while_the_domain_dies)
{
	uint64_t free_then = free_frames();
	struct page_info *pg;
	int err = 0;

	/* Between the two holds of the lock: the frames are there and not listed. */
	pg = domain_page_prepare(dst, 3, 0, &err);
	ck_assert_ptr_nonnull(pg);
	dst->is_dying = DOMDYING_dying;
	ck_assert_int_eq(pv_relinquish_memory(dst), 0);
	ck_assert_int_eq(domain_page_publish(dst, pg, 3), -EINVAL);
	ck_assert_uint_eq(dst->tot_pages, 0);
	ck_assert_uint_eq(dst->page_list, 0);
	ck_assert_uint_eq(dst->refcnt, 1);
	ck_assert_uint_eq(free_frames(), free_then);
	ck_assert_ptr_null(domain_page_alloc(dst, 0, 0, &err));
	ck_assert_int_eq(err, -EINVAL);
}
END_TEST

/* Whatever is on d's list can be given back by another vCPU from now on: all entries must be right. */
static void entries_are_set(spinlock_t *l)
{
	if (l != &d->page_lock)
		return;
	unlocks++;
	for (uint32_t m = d->page_list; m; m = mfn_to_page(mfn(m))->next)
		ck_assert_uint_ne(m2p_get(mfn(m)), UNTOUCHED);
}

static void forget_all(void)
{
	for (uint64_t m = 0; m < max_page; m++)
		m2p_set(mfn(m), UNTOUCHED + (mfn_to_page(mfn(m))->owner != 0));
}

START_TEST(m2p_before_the_frames_are_known)
{
	xen_pfn_t list[1] = { 0x100 }, out[8];
	struct xen_memory_reservation r = { .nr_extents = 1, .extent_order = 3, .domid = DOMID_SELF };
	struct xen_memory_exchange x = { .in = { .nr_extents = 1, .extent_order = 3, .domid = DOMID_SELF },
					 .out = { .nr_extents = 8, .domid = DOMID_SELF } };

	forget_all();
	r.extent_start.p = list;
	shim_unlocked = entries_are_set;
	ck_assert_int_eq(do_memory_op(XENMEM_populate_physmap, (unsigned long)&r), 1);
	ck_assert_uint_gt(unlocks, 0);
	for (unsigned int i = 0; i < 8; i++) {
		ck_assert_uint_eq(m2p_get(mfn(list[0] + i)), 0x100 + i);
		out[i] = 0x200 + i;
	}
	forget_all();
	x.in.extent_start.p = list;
	x.out.extent_start.p = out;
	ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)&x), 0);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(m2p_get(mfn(out[i])), 0x200 + i);
}
END_TEST

/* A fault while the numbers are read: the old frames are still there, and what they are called. */
START_TEST(exchange_that_fails_takes_nothing)
{
	xen_pfn_t in[1];
	struct xen_memory_exchange x = { .in = { .nr_extents = 1, .domid = DOMID_SELF },
					 .out = { .nr_extents = 1, .domid = DOMID_SELF } };
	uint64_t tot, free_then;

	in[0] = page_to_mfn(new_page(d)).m;
	m2p_set(mfn(in[0]), 0x300);
	tot = d->tot_pages;
	free_then = free_frames();
	x.in.extent_start.p = in;
	ck_assert_int_eq(do_memory_op(XENMEM_exchange, (unsigned long)&x), -EFAULT);
	ck_assert_uint_eq(d->tot_pages, tot);
	ck_assert_uint_eq(free_frames(), free_then);
	ck_assert_uint_eq(mfn_to_page(mfn(in[0]))->owner, d->domid + 1);
	ck_assert_uint_eq(m2p_get(mfn(in[0])), 0x300);
	audit(d);
}
END_TEST

/* Memory that is free in pieces: another call for each piece of the work, when others want the CPU. */
START_TEST(gathering_can_be_preempted)
{
	xen_pfn_t list[2] = { 0x100, 0x200 };
	struct xen_memory_reservation r = { .nr_extents = 2, .extent_order = 3, .domid = DOMID_SELF };
	struct xen_memory_exchange x = { .in = { .nr_extents = 2, .extent_order = 3, .domid = DOMID_SELF },
					 .out = { .nr_extents = 2, .extent_order = 3, .domid = DOMID_SELF } };
	uint64_t tot;

	r.extent_start.p = list;
	x.in.extent_start.p = x.out.extent_start.p = list;
	preempt_one_in = 1;
	gathers = 5;
	ck_assert_int_eq(call_memory_op(XENMEM_populate_physmap, &r), 2);
	ck_assert_uint_eq(continuations, 6);
	tot = d->tot_pages;
	continuations = 0;
	gathers = 5;
	ck_assert_int_eq(call_memory_op(XENMEM_exchange, &x), 0);
	ck_assert_uint_eq(continuations, 6);
	ck_assert_uint_eq(x.nr_exchanged, 2);
	ck_assert_uint_eq(d->tot_pages, tot);
}
END_TEST

static void name_it(struct page_info *pg)
{
	m2p_set(page_to_mfn(pg), 0x400);
}

/* Also when the owner sets it after it gave the frame up, which somebody else still maps. */
START_TEST(m2p_goes_with_the_owner)
{
	struct page_info *pg = new_page(d), *held = new_page(dst);
	xen_pfn_t nr = page_to_mfn(pg).m;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	r.extent_start.p = &nr;
	ck_assert(get_page(pg, d));
	ck_assert_int_eq(do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r), 1);
	ck_assert_int_eq(call_mmu_update(nr << PAGE_SHIFT | MMU_MACHPHYS_UPDATE, 0x500), 0);
	put_page(pg);
	ck_assert_uint_eq(m2p_get(mfn(nr)), ~0UL);

	pg = new_page(dst);
	name_it(pg);
	name_it(held);
	ck_assert(get_page(held, dst));
	destroy_domain(dst, 1);
	ck_assert_uint_eq(m2p_get(page_to_mfn(pg)), ~0UL);
	put_page(held);
	ck_assert_uint_eq(m2p_get(page_to_mfn(held)), ~0UL);
}
END_TEST

Suite *suite_domain_pages(void);
Suite *suite_domain_pages(void)
{
	Suite *s = suite_create("pages of domains");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, assigned_while_the_domain_dies);
	tcase_add_test(t, allocated_while_the_domain_dies);
	tcase_add_test(t, m2p_before_the_frames_are_known);
	tcase_add_test(t, gathering_can_be_preempted);
	tcase_add_test(t, exchange_that_fails_takes_nothing);
	tcase_add_test(t, m2p_goes_with_the_owner);
	suite_add_tcase(s, t);
	return s;
}
