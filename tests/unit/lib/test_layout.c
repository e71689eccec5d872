/* SPDX-License-Identifier: MIT */
/* The start-of-day layout and its page tables, walked as a CPU would. */
#include "build/build.h"
#include "build/pagetables.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>

static struct pvctl_error err;

static const struct layout_in linux_in = {
	.virt_base = 0xffffffff80000000, .kernel_start = 0xffffffff81000000, .kernel_end = 0xffffffff83e00000,
	.entry = 0xffffffff8304e1c0, .nr_pages = 32768, .ramdisk_unmapped = true, .has_p2m_base = true,
	.p2m_base = 0x8000000000,
};

/* Any mfn will do, as long as it tells its pfn. */
static uint64_t mfn_of(uint64_t pfn)
{
	return pfn * 3 + 1000;
}

struct walk { const struct layout *l; uint64_t *main, *p2m; };

static uint64_t *table_at(const struct walk *w, uint64_t mfn)
{
	uint64_t pfn = (mfn - 1000) / 3;
	uint64_t n = table_range_count(&w->l->main);

	ck_assert_uint_eq(mfn_of(pfn), mfn);
	if (pfn >= w->l->main.pfn && pfn < w->l->main.pfn + n)
		return w->main + (pfn - w->l->main.pfn) * TABLE_ENTRIES;
	ck_assert(w->l->p2m_apart && pfn >= w->l->p2m_tables.pfn);
	ck_assert_uint_lt(pfn, w->l->p2m_tables.pfn + table_range_count(&w->l->p2m_tables));
	return w->p2m + (pfn - w->l->p2m_tables.pfn) * TABLE_ENTRIES;
}

/* The leaf entry of va; 0: not mapped. */
static uint64_t walk(const struct walk *w, uint64_t va)
{
	uint64_t *t = w->main, e;
	int shift;

	for (shift = 39; ; shift -= 9) {
		e = t[(va >> shift) & 511];
		if (!(e & PTE_PRESENT) || shift == 12)
			return e;
		ck_assert(e & PTE_WRITABLE);
		t = table_at(w, (e & 0x000ffffffffff000) >> 12);
	}
}

static void check_tables(const struct layout *l)
{
	uint64_t n = table_range_count(&l->main), np = l->p2m_apart ? table_range_count(&l->p2m_tables) : 0;
	struct walk w = { l, calloc(n, 4096), calloc(np + 1, 4096) };
	uint64_t *p2m = malloc(l->nr_pages * 8), pfn, e;

	for (pfn = 0; pfn < l->nr_pages; pfn++)
		p2m[pfn] = mfn_of(pfn);
	pagetables_make(l, p2m, w.main, w.p2m);
	for (pfn = 0; pfn < l->region_pages; pfn++) {
		e = walk(&w, layout_va(l, pfn));
		ck_assert_uint_eq(e >> 12, mfn_of(pfn));
		/* Read-only is what a page table is, and nothing else. */
		ck_assert_int_eq(!(e & PTE_WRITABLE), pfn >= l->main.pfn && pfn < l->main.pfn + n);
	}
	ck_assert_uint_eq(walk(&w, l->virt_base - 4096), 0);
	for (pfn = 0; l->p2m_apart && pfn < l->p2m_pages; pfn += pfn + 50 < l->p2m_pages ? 50 : 1) {
		e = walk(&w, l->p2m_va + pfn * 4096);
		ck_assert_uint_eq(e >> 12, mfn_of(l->p2m_pfn + pfn));
		ck_assert(e & PTE_WRITABLE);
	}
	free(w.main);
	free(w.p2m);
	free(p2m);
}

static void check_rules(const struct layout *l)
{
	/* In the order of the public header, without overlap. */
	ck_assert_uint_lt(l->start_info_pfn, l->store_pfn);
	ck_assert_uint_lt(l->store_pfn, l->console_pfn);
	ck_assert_uint_eq(l->console_pfn + 1, l->main.pfn);
	ck_assert_uint_eq(l->main.pfn + table_range_count(&l->main), l->stack_pfn);
	ck_assert_uint_eq(l->virt_end & ((4ull << 20) - 1), 0);
	ck_assert_uint_ge(l->region_pages - l->stack_pfn - 1, 128);
	ck_assert_uint_lt(l->region_pages - l->stack_pfn - 1, 128 + 1024);
	ck_assert_uint_le(l->used_pages, l->nr_pages);
	if (l->p2m_apart)
		ck_assert_uint_ge(l->p2m_pfn, l->region_pages);
	else
		ck_assert_uint_lt(l->p2m_pfn + l->p2m_pages, l->start_info_pfn + 1);
}

START_TEST(test_linux)
{
	static const uint64_t mib[] = { 72, 128, 256, 1000, 4096, 16384, 65536 };
	struct layout_in in = linux_in;
	struct layout l;

	in.nr_pages = mib[_i] << 8;
	ck_assert_msg(layout_make(&in, &l, &err) == 0, "%s", err.msg);
	check_rules(&l);
	check_tables(&l);
	in.ramdisk_bytes = 3000001;
	ck_assert_int_eq(layout_make(&in, &l, &err), 0);
	ck_assert_uint_eq(l.ramdisk_va, 0);
	ck_assert_uint_eq(l.ramdisk_pfn + 733, l.used_pages);
	check_rules(&l);
}
END_TEST

START_TEST(test_old_style)
{
	struct layout_in in = linux_in;
	struct layout l;

	in.has_p2m_base = in.ramdisk_unmapped = false;
	in.ramdisk_bytes = 5000;
	in.nr_pages = _i ? 16u << 20 : 65536;
	ck_assert_int_eq(layout_make(&in, &l, &err), 0);
	ck_assert_uint_eq(l.ramdisk_va, 0xffffffff83e00000);
	ck_assert_uint_eq(l.p2m_va, l.ramdisk_va + 8192);
	check_rules(&l);
	check_tables(&l);
}
END_TEST

START_TEST(test_low)
{
	struct layout_in in = { .virt_base = 0, .kernel_start = 0x100000, .kernel_end = 0x180001, .entry = 0x100000,
	                        .nr_pages = 2048 };
	struct layout l;

	ck_assert_int_eq(layout_make(&in, &l, &err), 0);
	ck_assert_uint_eq(l.p2m_pfn, 0x181);
	check_rules(&l);
	check_tables(&l);
	/* A base that starts in the middle of a table's span. */
	in.virt_base = 0x7ffff123000;
	in.kernel_start = in.entry = in.virt_base;
	in.kernel_end = in.virt_base + 0x300000;
	in.nr_pages = 4096;
	ck_assert_int_eq(layout_make(&in, &l, &err), 0);
	check_tables(&l);
}
END_TEST

START_TEST(test_top)
{
	struct layout_in in = linux_in;
	struct layout l;

	/* The region may end at 2^64 exactly, and not beyond. */
	in.virt_base = 0xfffffffffe000000;
	in.kernel_start = in.entry = in.virt_base;
	in.kernel_end = 0xffffffffffc00000;
	ck_assert_int_eq(layout_make(&in, &l, &err), 0);
	ck_assert_uint_eq(l.virt_end, 0);
	check_tables(&l);
	in.kernel_end = 0xfffffffffff80000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
}
END_TEST

START_TEST(test_refused)
{
	struct layout_in in = linux_in;
	struct layout l;

	in.nr_pages = 64 << 8;
	ck_assert_int_eq(layout_make(&in, &l, &err), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(err.msg, "at least"));
	in = linux_in;
	in.entry = 0x1000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in = linux_in;
	in.kernel_end = in.kernel_start;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in = linux_in;
	in.virt_base = 0xffff800000000000; /* the hypervisor's */
	in.kernel_start = in.entry = in.virt_base;
	in.kernel_end = in.virt_base + 4096;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in.virt_base = 0xffff7ffffff00000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in = linux_in;
	in.p2m_base = 0xffff800000000000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in.p2m_base = 0x7ffffffff000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
	in.p2m_base = 0xffffffff00000000;
	ck_assert_int_eq(layout_make(&in, &l, &err), -ENOSYS);
	in = linux_in;
	in.ramdisk_bytes = 1ull << 62;
	ck_assert_int_eq(layout_make(&in, &l, &err), -ENOMEM);
	in.ramdisk_unmapped = false;
	ck_assert_int_lt(layout_make(&in, &l, &err), 0);
	in = linux_in;
	in.nr_pages = ~0ull;
	ck_assert_int_eq(layout_make(&in, &l, &err), -EINVAL);
}
END_TEST

START_TEST(test_start_info)
{
	struct layout_in lin = linux_in;
	struct build_in in = { .cmdline = "console=hvc0", .store_port = 1, .console_port = 2, .shared_info_mfn = 77 };
	struct dommem m = { .nr_pages = 32768 };
	struct start_info *si = calloc(1, 4096);
	char line[1100];
	struct layout l;
	uint64_t pfn;

	lin.ramdisk_bytes = 5000;
	ck_assert_int_eq(layout_make(&lin, &l, &err), 0);
	m.p2m = malloc(m.nr_pages * 8);
	for (pfn = 0; pfn < m.nr_pages; pfn++)
		m.p2m[pfn] = mfn_of(pfn);
	ck_assert_int_eq(start_info_make(&l, &m, &in, si, &err), 0);
	ck_assert_int_eq(memcmp(si->magic, "xen-3", 5), 0);
	ck_assert_uint_eq(si->flags, SIF_MOD_START_PFN | SIF_VIRT_P2M_4TOOLS);
	ck_assert_uint_eq(si->mod_start, l.ramdisk_pfn);
	ck_assert_uint_eq(si->mod_len, 5000);
	ck_assert_uint_eq(si->mfn_list, 0x8000000000);
	ck_assert_uint_eq(si->first_p2m_pfn, l.p2m_pfn);
	ck_assert_uint_eq(si->nr_p2m_frames, l.p2m_pages + 3);
	ck_assert_uint_eq(si->pt_base, l.virt_base + l.main.pfn * 4096);
	ck_assert_uint_eq(si->shared_info, 77 * 4096);
	ck_assert_uint_eq(si->store_mfn, mfn_of(l.store_pfn));
	memset(line, 'x', sizeof(line));
	line[1023] = '\0';
	in.cmdline = line;
	ck_assert_int_eq(start_info_make(&l, &m, &in, si, &err), 0);
	line[1023] = 'x';
	line[1024] = '\0';
	ck_assert_int_eq(start_info_make(&l, &m, &in, si, &err), -E2BIG);
	free(si);
	free(m.p2m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *t = tcase_create("layout");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, test_linux, 0, 7);
	tcase_add_loop_test(t, test_old_style, 0, 2);
	tcase_add_test(t, test_low);
	tcase_add_test(t, test_top);
	tcase_add_test(t, test_refused);
	tcase_add_test(t, test_start_info);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
