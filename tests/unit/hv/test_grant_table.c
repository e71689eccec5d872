/* SPDX-License-Identifier: MIT */
/* The table of a granting domain: its frames, as its guest and domain 0 are told them. */
#include <check.h>
#include "grant/private.h"
#include "harness.h"
#include <xen/memory.h>

#define MAX_FRAMES 32u
#define STATUS_FRAMES 4u /* of so many */

static struct domain *d;

/* Single operations have tests of their own, in guests. */
#define NOT_HERE(name) int name(uint64_t arg) { return -ENOSYS; }
NOT_HERE(gnttab_map_one)
NOT_HERE(gnttab_unmap_one)
NOT_HERE(gnttab_unmap_and_replace_one)
NOT_HERE(gnttab_copy_one)
NOT_HERE(gnttab_transfer_one)
NOT_HERE(gnttab_swap_one)
NOT_HERE(gnttab_cache_flush_one)
NOT_HERE(gnttab_setup_table)
NOT_HERE(gnttab_query_size)
NOT_HERE(gnttab_set_version)
NOT_HERE(gnttab_get_version)
NOT_HERE(gnttab_get_status_frames)
NOT_HERE(gnttab_dump_table)

static void setup(void)
{
	harness_init();
	d = new_domain(1, 1);
	ck_assert_int_eq(grant_init(d, MAX_FRAMES, 1, 2), 0);
	known_domain = d;
	run_as(host_domain->vcpu[0], 0);
}

static void teardown(void)
{
	known_domain = NULL;
	grant_close(d);
	grant_destroy(d);
	destroy_domain(d, 0);
}

static long acquire(bool status, uint64_t first, uint32_t n, xen_pfn_t *list)
{
	struct xen_mem_acquire_resource r = {
		.domid = d->domid, .type = XENMEM_resource_grant_table, .frame = first, .nr_frames = n,
		.id = status ? XENMEM_resource_grant_table_id_status : XENMEM_resource_grant_table_id_shared,
	};

	set_xen_guest_handle(r.frame_list, list);
	return memory_acquire_resource((unsigned long)&r);
}

/* A frame of status words goes with eight of entries: the table grows by those. */
START_TEST(any_status_frame_first)
{
	xen_pfn_t list[STATUS_FRAMES] = { 0 };
	unsigned int i;

	ck_assert_int_eq(grant_set_version(d, 2), 0);
	ck_assert_int_eq(acquire(true, _i, 1, list), 0);
	ck_assert(mfn_valid(mfn(list[0])) && page_owner(mfn_to_page(mfn(list[0]))) == d);
	ck_assert_int_eq(acquire(true, 0, STATUS_FRAMES, list), 0);
	for (i = 0; i < STATUS_FRAMES; i++)
		ck_assert(mfn_valid(mfn(list[i])) && page_owner(mfn_to_page(mfn(list[i]))) == d);
	ck_assert_int_eq(acquire(true, STATUS_FRAMES, 1, list), -EINVAL);
}
END_TEST

/* The domain dies meanwhile. Who asks keeps nothing of it. */
START_TEST(a_closed_table_has_no_frames)
{
	xen_pfn_t frame;

	ck_assert_int_eq(acquire(false, 0, 1, &frame), 0);
	grant_close(d);
	ck_assert_int_eq(acquire(false, 0, 1, &frame), -ESRCH);
	ck_assert_int_eq(acquire(true, 0, 1, &frame), -EINVAL);
	ck_assert_uint_eq(d->refcnt, 1);
}
END_TEST

Suite *suite_grant_table(void);
Suite *suite_grant_table(void)
{
	Suite *s = suite_create("grant tables");
	TCase *t = tcase_create("frames");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, any_status_frame_first, 0, STATUS_FRAMES);
	tcase_add_test(t, a_closed_table_has_no_frames);
	suite_add_tcase(s, t);
	return s;
}
