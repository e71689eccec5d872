/* SPDX-License-Identifier: MIT */
/* The frame allocator: what is free, what of it is dirty, and what the host has of it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include "domain/domain.h"
#include "lib/errno.h"
#include "x86/printk.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "mm/page_host.h"
#include "mm/private.h"

uint8_t shim_ram[SHIM_FRAMES * PAGE_SIZE] __aligned(4096);
static struct page_info frames[SHIM_FRAMES];
struct page_info *const shim_frame_table = frames;
_Thread_local struct cpu_info shim_cpu;
uint64_t cpu_online_map = 3, max_page = SHIM_FRAMES;
struct mem_range free_ranges[MEMMAP_MAX];
unsigned int nr_free_ranges;

#define FIRST 37u /* not aligned */
#define FREE (SHIM_FRAMES - FIRST)

static uint32_t tlb_time = 5;
static unsigned int flushes;
/* What another CPU stores through an old TLB entry until it is flushed. */
static uint8_t *stale_store;
static bool busy;

bool mfn_valid(mfn_t m) { return m.m < SHIM_FRAMES; }
bool cmdline_flag(const char *name) { return false; }
uint32_t tlb_clock_now(void) { return tlb_time; }
cpumask_t tlb_flush_filter(cpumask_t mask, uint32_t stamp) { return stamp >= tlb_time ? mask : 0; }
void flush_tlb_mask(cpumask_t mask)
{
	flushes++;
	tlb_time++;
	if (stale_store)
		*stale_store = 0xee;
	stale_store = NULL;
}
unsigned long irq_save(void) { return 0; }
void irq_restore(unsigned long f) { }
s_time_t NOW(void)
{
	static s_time_t now;

	return now += 1000;
}
bool preempt_wanted(void) { return busy; }
void bug_at(const char *file, int line, const char *expr)
{
	fprintf(stderr, "BUG: %s:%d: %s\n", file, line, expr);
	abort();
}

static uint8_t *bytes(const struct page_info *pg) { return page_to_virt(pg); }

static bool is_zero(const struct page_info *pg, unsigned int order)
{
	const uint64_t *p = page_to_virt(pg);

	for (uint64_t i = 0; i < PAGE_SIZE << order >> 3; i++)
		if (p[i])
			return false;
	return true;
}

/* As a guest leaves it. */
static void free_used(struct page_info *pg, uint64_t n, bool code)
{
	memset(bytes(pg), 0x5a, n * PAGE_SIZE);
	for (uint64_t i = 0; i < n; i++) {
		pg[i].flags = code ? PGF_exec : 0;
		pg[i].owner = 7;
	}
	page_free_run(pg, n, code);
}

static struct page_info *use_and_free(unsigned int order, bool code)
{
	struct page_info *pg = page_alloc(order, 0);

	ck_assert_ptr_nonnull(pg);
	free_used(pg, 1ULL << order, code);
	return pg;
}

static void setup(void)
{
	free_ranges[0] = (struct mem_range){ FIRST << PAGE_SHIFT, (uint64_t)SHIM_FRAMES << PAGE_SHIFT };
	nr_free_ranges = 1;
	page_alloc_init();
	ck_assert_uint_eq(free_pages_total(), FREE);
	ck_assert_uint_eq(dirty_pages_total(), 0);
}

/* The host's part. */
static void punch(const struct node_pages *p, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		memset(shim_ram + (p[i].mfn << PAGE_SHIFT), 0, p[i].nr_pages << PAGE_SHIFT);
}

static uint64_t sum(const struct node_pages *p, unsigned int n)
{
	uint64_t pages = 0;

	for (unsigned int i = 0; i < n; i++)
		pages += p[i].nr_pages;
	return pages;
}

START_TEST(freed_pages_stay_dirty_and_are_zeroed_when_used)
{
	struct page_info *pg = use_and_free(3, false), *again;

	ck_assert_uint_eq(free_pages_total(), FREE);
	ck_assert_uint_eq(dirty_pages_total(), 8);
	ck_assert_uint_eq(bytes(pg)[5], 0x5a);
	/* What reads as zero already comes first ... */
	again = page_alloc(3, 0);
	ck_assert_ptr_ne(again, pg);
	ck_assert(is_zero(again, 3));
	/* ... and when there is no more of it, the dirty ones. */
	for (uint64_t i = 0; i < FREE - 8; i++) {
		again = page_alloc(0, 0);
		ck_assert_ptr_nonnull(again);
		ck_assert(is_zero(again, 0) && !again->u && !again->flags);
	}
	ck_assert_uint_eq(free_pages_total(), 0);
	ck_assert_uint_eq(dirty_pages_total(), 0);
	ck_assert_ptr_null(page_alloc(0, 0));
}
END_TEST

START_TEST(own_pages_are_zeroed_at_once)
{
	uint8_t *va = alloc_hv_page();

	/* No count that a get_page() of a former owner could add to. */
	ck_assert_uint_eq(mfn_to_page(virt_to_mfn(va))->count_info, PGC_hv);
	va[9] = 1;
	free_hv_page(va);
	ck_assert_uint_eq(va[9], 0);
	ck_assert_uint_eq(dirty_pages_total(), 0);
	ck_assert_uint_eq(free_pages_total(), FREE);
}
END_TEST

START_TEST(nothing_can_be_stored_after_the_zeroing)
{
	struct page_info *all = page_alloc(11, 0), *pg;
	unsigned int before;

	free_used(all, 2048, false);
	while ((pg = page_alloc(11, 0)) != all)
		ck_assert_ptr_nonnull(pg);
	free_used(all, 2048, false);
	stale_store = bytes(all) + 100;
	before = flushes;
	ck_assert_ptr_eq(page_alloc(11, 0), all);
	ck_assert_uint_eq(flushes, before + 1);
	ck_assert(is_zero(all, 11));
}
END_TEST

START_TEST(runs_of_any_shape_merge_again)
{
	struct page_info *pg = page_alloc(10, 0);

	free_used(pg + 1, 300, false);
	free_used(pg, 1, false);
	free_used(pg + 700, 324, false);
	free_used(pg + 301, 399, false);
	ck_assert_uint_eq(dirty_pages_total(), 1024);
	struct node_pages p[64];
	ck_assert_uint_eq(dirty_take(p, 64), 1);
	ck_assert_uint_eq(p[0].mfn, page_to_mfn(pg).m);
	ck_assert_uint_eq(p[0].nr_pages, 1024);
}
END_TEST

START_TEST(the_host_takes_and_gives_back)
{
	struct node_pages p[64];
	struct page_info *pg = use_and_free(11, false);
	unsigned int n, before;

	stale_store = bytes(pg) + 7;
	before = flushes;
	n = dirty_take(p, 64);
	ck_assert_uint_eq(flushes, before + 1); /* before it is told */
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(sum(p, n), 1024);     /* not all at once */
	ck_assert_uint_eq(free_pages_total(), FREE);
	ck_assert_uint_eq(dirty_pages_total(), 2048);
	punch(p, n);
	ck_assert_int_eq(dirty_done(p, n), 0);
	ck_assert_uint_eq(dirty_pages_total(), 1024);
	n = dirty_take(p, 64);
	ck_assert_uint_eq(sum(p, n), 1024);
	punch(p, n);
	ck_assert_int_eq(dirty_done(p, n), 0);
	ck_assert_uint_eq(dirty_take(p, 64), 0);
	ck_assert_uint_eq(dirty_pages_total(), 0);
	ck_assert_uint_eq(free_pages_total(), FREE);
	before = flushes;
	pg = page_alloc(11, 0);
	ck_assert(is_zero(pg, 11));
	ck_assert_uint_eq(flushes, before);
}
END_TEST

START_TEST(only_what_is_out_comes_back)
{
	struct node_pages p[8], bad[2];
	struct page_info *used = page_alloc(0, 0), *pg = use_and_free(4, false);
	uint64_t dirty;
	unsigned int n;

	bad[0] = (struct node_pages){ page_to_mfn(pg).m, 16 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL); /* dirty, but not taken */
	n = dirty_take(p, 8);
	ck_assert_uint_eq(n, 1);
	dirty = dirty_pages_total();
	bad[0] = (struct node_pages){ p[0].mfn, p[0].nr_pages / 2 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL);
	bad[0] = (struct node_pages){ p[0].mfn + 1, 1 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL);
	bad[0] = (struct node_pages){ SHIM_FRAMES, 1 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL);
	bad[0] = (struct node_pages){ ~0ULL, 1 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL);
	bad[0] = (struct node_pages){ page_to_mfn(used).m, 1 };
	ck_assert_int_eq(dirty_done(bad, 1), -EINVAL);
	ck_assert_uint_eq(dirty_pages_total(), dirty);
	bad[0] = p[0];
	bad[1] = p[0];
	ck_assert_int_eq(dirty_done(bad, 2), -EINVAL); /* once is enough */
	ck_assert_uint_eq(dirty_pages_total(), dirty - 16);
	ck_assert_uint_eq(free_pages_total(), FREE - 1);
}
END_TEST

START_TEST(what_is_out_is_not_allocated)
{
	struct node_pages p[64];
	struct page_info *pg = use_and_free(10, false);
	uint64_t got = 0;
	unsigned int n = dirty_take(p, 64);

	ck_assert_uint_eq(sum(p, n), 1024);
	while ((pg = page_alloc(0, 0)) != NULL) {
		got++;
		ck_assert(page_to_mfn(pg).m < p[0].mfn || page_to_mfn(pg).m >= p[0].mfn + 1024);
	}
	ck_assert_uint_eq(got, FREE - 1024);
	ck_assert_uint_eq(free_pages_total(), 1024);
	/* The host that had them is gone. */
	dirty_reset_host();
	ck_assert_int_eq(dirty_done(p, n), -EINVAL);
	ck_assert_uint_eq(dirty_pages_total(), 1024);
	pg = page_alloc(10, 0);
	ck_assert_ptr_nonnull(pg);
	ck_assert(is_zero(pg, 10));
}
END_TEST

START_TEST(code_is_zeroed_here_before_the_host_has_it)
{
	struct page_info *code = use_and_free(6, true), *data = use_and_free(6, false);
	struct node_pages p[64];
	uint64_t seen = 0;
	unsigned int n;

	ck_assert_uint_eq(dirty_pages_total(), 128);
	n = dirty_take(p, 64);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(p[0].mfn, page_to_mfn(data).m);
	ck_assert_uint_eq(bytes(code)[0], 0x5a);
	punch(p, n);
	ck_assert_int_eq(dirty_done(p, n), 0);
	/* Even when something else wants the CPU each call gets on. */
	busy = true;
	while ((n = dirty_take(p, 64)) != 0) {
		for (unsigned int i = 0; i < n; i++)
			for (uint64_t k = 0; k < p[i].nr_pages; k++)
				ck_assert(is_zero(&frames[p[i].mfn + k], 0));
		seen += sum(p, n);
		ck_assert_int_eq(dirty_done(p, n), 0);
		ck_assert_uint_eq(free_pages_total(), FREE);
	}
	busy = false;
	ck_assert_uint_eq(seen, 64);
	ck_assert_uint_eq(dirty_pages_total(), 0);
}
END_TEST

START_TEST(small_dirty_chunks_become_a_large_clean_one)
{
	struct page_info *pg;
	struct page_info *four;

	while ((pg = page_alloc(0, 0)) != NULL)
		;
	four = &frames[64];
	free_used(four, 1, false);
	free_used(four + 1, 1, true);
	heap_put(four + 2, 0);
	free_used(four + 3, 1, false);
	ck_assert_uint_eq(free_pages_total(), 4);
	ck_assert_ptr_null(page_alloc(3, 0));
	ck_assert_ptr_eq(page_alloc(2, 0), four);
	ck_assert(is_zero(four, 2));
	ck_assert_uint_eq(free_pages_total(), 0);
	ck_assert_uint_eq(dirty_pages_total(), 0);
}
END_TEST

/* What a guest can make others wait for is a megabyte or two at a time. */
START_TEST(gathering_is_done_in_pieces)
{
	const unsigned int order = 9;
	unsigned int m, pieces = 0;
	struct page_info *pg;

	while (page_alloc(0, 0) != NULL)
		;
	/* Every other one first: those in between make it whole. */
	for (m = 512; m < 2560; m += 2)
		free_used(&frames[m], 1, false);
	for (m = 513; m < 2560; m += 2)
		free_used(&frames[m], 1, true);
	ck_assert_uint_eq(dirty_pages_total(), 2048);
	while (!(pg = page_alloc(order, ALLOC_NO_GATHER))) {
		uint64_t dirty = dirty_pages_total();

		ck_assert(page_gather(order));
		ck_assert_uint_lt(dirty_pages_total(), dirty);
		ck_assert_uint_le(dirty - dirty_pages_total(), 511);
		pieces++;
	}
	ck_assert_uint_ge(pieces, 2);
	ck_assert(is_zero(pg, order));
	while (page_gather(order))
		;
	ck_assert_uint_eq(dirty_pages_total(), 0);
	ck_assert(!page_gather(order));
}
END_TEST

START_TEST(claims_count_dirty_memory)
{
	struct domain d = { 0 };

	use_and_free(10, false);
	ck_assert_int_eq(claim_pages(&d.claim, FREE), 0);
	ck_assert_int_eq(claim_pages(&d.claim, FREE + 1), -ENOMEM);
	ck_assert_int_eq(claim_pages(&d.claim, 0), 0);
}
END_TEST

START_TEST(a_claim_holds_against_all_others)
{
	struct domain a = { .domid = 1 }, b = { .domid = 2 };

	ck_assert_int_eq(claim_pages(&a.claim, FREE - 8), 0);
	ck_assert_int_eq(claim_pages(&b.claim, 9), -ENOMEM);
	ck_assert_uint_eq(b.claim.outstanding, 0);
	ck_assert_int_eq(claim_pages(&b.claim, 4), 0);
	ck_assert_uint_eq(claimed_pages_total(), FREE - 4);
	/* Neither another domain nor the hypervisor gets more than what nobody claimed. */
	ck_assert_ptr_null(page_alloc(3, 0));
	ck_assert_ptr_null(page_alloc_for(&b.claim, 4, 0));
	ck_assert_ptr_nonnull(page_alloc(2, 0));
	ck_assert_ptr_null(page_alloc(0, 0));
	ck_assert_ptr_null(alloc_hv_page());
	ck_assert_ptr_nonnull(page_alloc_for(&b.claim, 2, 0));
	ck_assert_uint_eq(b.claim.outstanding, 0);
	ck_assert_ptr_null(page_alloc_for(&b.claim, 0, 0));
	/* Its own uses it up, and cannot have more. */
	for (uint64_t i = FREE - 8; i > 0; i--) {
		ck_assert_uint_eq(a.claim.outstanding, i);
		ck_assert_ptr_nonnull(page_alloc_for(&a.claim, 0, 0));
	}
	ck_assert_uint_eq(claimed_pages_total(), 0);
	ck_assert_uint_eq(free_pages_total(), 0);
	ck_assert_ptr_null(page_alloc_for(&a.claim, 0, 0));
}
END_TEST

START_TEST(a_dropped_claim_is_free_again)
{
	struct domain a = { .domid = 1 }, b = { .domid = 2 };

	ck_assert_int_eq(claim_pages(&a.claim, FREE), 0);
	ck_assert_ptr_null(page_alloc(0, 0));
	/* Smaller, and what the death of a domain does. */
	ck_assert_int_eq(claim_pages(&a.claim, 16), 0);
	ck_assert_int_eq(claim_pages(&b.claim, FREE - 15), -ENOMEM);
	ck_assert_int_eq(claim_pages(&b.claim, FREE - 16), 0);
	ck_assert_int_eq(claim_pages(&a.claim, 0), 0);
	ck_assert_int_eq(claim_pages(&b.claim, 0), 0);
	ck_assert_uint_eq(claimed_pages_total(), 0);
	ck_assert_ptr_nonnull(page_alloc(3, 0));
	/* One larger than the claim that is left: the rest comes off what is free. */
	ck_assert_int_eq(claim_pages(&a.claim, 2), 0);
	ck_assert_ptr_nonnull(page_alloc_for(&a.claim, 3, 0));
	ck_assert_uint_eq(a.claim.outstanding, 0);
	ck_assert_uint_eq(claimed_pages_total(), 0);
}
END_TEST

/* A walk over all frames needs to look at those alone that somebody has had. */
START_TEST(what_was_never_used_is_passed_over)
{
	struct page_info *pg;
	uint64_t m;

	ck_assert_uint_eq(page_skip_virgin(FIRST), SHIM_FRAMES);
	ck_assert_uint_eq(page_skip_virgin(FIRST + 100), SHIM_FRAMES);
	ck_assert_uint_eq(page_skip_virgin(SHIM_FRAMES - 1), SHIM_FRAMES);
	ck_assert_uint_eq(page_skip_virgin(SHIM_FRAMES), SHIM_FRAMES);
	ck_assert_uint_eq(page_skip_virgin(FIRST - 1), FIRST - 1);
	/* Each that is handed out is there, and stays so when it is given back. */
	for (int i = 0; i < 20; i++) {
		pg = page_alloc(i % 4, 0);
		m = page_to_mfn(pg).m;
		for (uint64_t n = FIRST; n < m + (1u << i % 4); n++)
			ck_assert_uint_eq(page_skip_virgin(n), n);
		if (i % 3 == 0)
			free_used(pg, 1ull << i % 4, false);
		ck_assert_uint_eq(page_skip_virgin(m), m);
	}
	while ((pg = page_alloc(0, 0)))
		ck_assert_uint_eq(page_skip_virgin(page_to_mfn(pg).m), page_to_mfn(pg).m);
	ck_assert_uint_eq(page_skip_virgin(SHIM_FRAMES - 1), SHIM_FRAMES - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("page_alloc");
	TCase *t = tcase_create("page_alloc");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, freed_pages_stay_dirty_and_are_zeroed_when_used);
	tcase_add_test(t, own_pages_are_zeroed_at_once);
	tcase_add_test(t, nothing_can_be_stored_after_the_zeroing);
	tcase_add_test(t, runs_of_any_shape_merge_again);
	tcase_add_test(t, the_host_takes_and_gives_back);
	tcase_add_test(t, only_what_is_out_comes_back);
	tcase_add_test(t, what_is_out_is_not_allocated);
	tcase_add_test(t, code_is_zeroed_here_before_the_host_has_it);
	tcase_add_test(t, small_dirty_chunks_become_a_large_clean_one);
	tcase_add_test(t, gathering_is_done_in_pieces);
	tcase_add_test(t, claims_count_dirty_memory);
	tcase_add_test(t, a_claim_holds_against_all_others);
	tcase_add_test(t, a_dropped_claim_is_free_again);
	tcase_add_test(t, what_was_never_used_is_passed_over);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
