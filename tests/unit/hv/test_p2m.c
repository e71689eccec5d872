/* SPDX-License-Identifier: MIT */
/* Guest physical memory: entries against a model, with TLBs that remember what nobody flushed; walks of a guest's tables. */
#include <check.h>
#include "domain/uaccess.h"
#include "harness.h"
#include "p2m/frame.h"
#include "p2m/paging.h"

#define GFNS 2048u
#define CPUS 2u
#define TLB 64u

static struct domain *d, *other;
static struct guest_paging paging;
static struct { uint64_t gfn, mfn; } tlb[CPUS][TLB];
static struct { uint64_t mfn; enum p2m_type type; } model[GFNS];

void hvm_guest_paging(const struct vcpu *v, struct guest_paging *p) { *p = paging; }

static void flushed(unsigned int cpu)
{
	if (cpu < CPUS)
		memset(tlb[cpu], 0, sizeof(tlb[cpu]));
}

/* No CPU may know a frame that goes on to somebody else. */
static void freed(uint64_t m, uint64_t n)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < TLB; i++)
			ck_assert(!tlb[cpu][i].mfn || tlb[cpu][i].mfn < m || tlb[cpu][i].mfn >= m + n);
}

static void setup(void)
{
	harness_init();
	d = new_domain(1, CPUS);
	other = new_domain(2, 1);
	ck_assert_int_eq(p2m_create(d), 0);
	d->is_hvm = true;
	known_domain = other;
	run_as(d->vcpu[0], 0);
	memset(tlb, 0, sizeof(tlb));
	for (unsigned int g = 0; g < GFNS; g++)
		model[g].mfn = ~0ULL, model[g].type = P2M_hole;
	shim_flushed = flushed;
	shim_freed = freed;
}

static void teardown(void)
{
	int rc;

	shim_freed = NULL;
	d->is_dying = DOMDYING_dying;
	preempt_one_in = 3;
	do
		rc = p2m_relinquish(d);
	while (rc == -ERESTART_HC);
	preempt_one_in = 0;
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(d->p2m->nr_tables, 0);
	ck_assert_int_eq(p2m_add_page(d, 5, new_page(other), other, P2M_grant_rw), -ESRCH);
	p2m_destroy(d);
	d->is_dying = DOMDYING_alive; /* destroy_domain's to say */
	destroy_domain(other, 0);
	destroy_domain(d, 0);
}

/* A CPU walks. */
static void touch(unsigned int cpu, uint64_t gfn)
{
	mfn_t m = p2m_lookup(d, gfn, NULL);

	if (m.m == INVALID_MFN.m)
		return;
	tlb[cpu][gfn % TLB].gfn = gfn;
	tlb[cpu][gfn % TLB].mfn = m.m;
}

static void compare(void)
{
	enum p2m_type type;

	for (unsigned int g = 0; g < GFNS; g++) {
		mfn_t m = p2m_lookup(d, g, &type);

		ck_assert_uint_eq(m.m, model[g].mfn);
		ck_assert_uint_eq(type, model[g].type);
	}
}

static void model_set(uint64_t gfn, uint64_t n, enum p2m_type type)
{
	for (uint64_t i = 0; i < n; i++) {
		model[gfn + i].type = type;
		model[gfn + i].mfn = type == P2M_hole ? ~0ULL : p2m_lookup(d, gfn + i, NULL).m;
	}
}

static bool model_free(uint64_t gfn, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (model[gfn + i].type != P2M_hole)
			return false;
	return true;
}

static void op_populate(uint64_t gfn, unsigned int order)
{
	bool room = gfn + (1u << order) <= GFNS && model_free(gfn, 1u << order);
	uint64_t before = d->tot_pages;
	int rc;

	if (gfn + (1u << order) > GFNS)
		return;
	rc = p2m_populate(d, gfn, order, 0);
	if (rc == 1) {
		ck_assert(room);
		model_set(gfn, 1u << order, P2M_ram_rw);
	} else {
		ck_assert_uint_eq(d->tot_pages, before);
	}
}

static void op_decrease(uint64_t gfn)
{
	bool ram = model[gfn].type == P2M_ram_rw;

	ck_assert_int_eq(p2m_release_page(d, gfn), ram ? 0 : -EINVAL);
	if (ram)
		model_set(gfn, 1, P2M_hole);
}

static void op_grant(uint64_t gfn, struct page_info *pg, bool ro)
{
	enum p2m_type type = ro ? P2M_grant_ro : P2M_grant_rw;
	bool was_free = model_free(gfn, 1);
	mfn_t m = page_to_mfn(pg);

	if (was_free || (rnd() & 1)) {
		ck_assert_int_eq(p2m_add_page(d, gfn, pg, other, type), was_free ? 0 : -EEXIST);
		if (was_free)
			model_set(gfn, 1, type);
	} else {
		bool ok = model[gfn].type == type && model[gfn].mfn == m.m;

		ck_assert_int_eq(p2m_remove_page(d, gfn, m, P2M_TYPE(type), NULL), ok ? 0 : -ENOENT);
		if (ok)
			model_set(gfn, 1, P2M_hole);
	}
}

static void op_get(uint64_t gfn)
{
	bool write = rnd() & 1;
	struct page_info *pg = p2m_get_page(d, gfn, write);

	ck_assert_int_eq(pg != NULL, model[gfn].type == P2M_ram_rw);
	if (!pg)
		return;
	ck_assert_uint_eq(page_to_mfn(pg).m, model[gfn].mfn);
	if (write)
		put_page_and_type(pg);
	else
		put_page(pg);
}

static void count_one(mfn_t m, uint64_t gfn, enum p2m_type type, void *arg)
{
	uint8_t *seen = arg;

	seen[m.m]++;
}

/* An entry, a reference; and the owner's. */
static void check_counts(void)
{
	static uint8_t seen[SHIM_FRAMES];

	memset(seen, 0, sizeof(seen));
	ck_assert(p2m_each_frame(d, count_one, seen));
	for (uint64_t m = 0; m < SHIM_FRAMES; m++) {
		const struct page_info *pg = mfn_to_page(mfn(m));

		if (pg->owner == d->domid + 1 && !(pg->count_info & PGC_hv)) {
			ck_assert_uint_eq(pg->count_info & PGC_count_mask, seen[m] + 1u);
			ck_assert_uint_eq(pg->type_info & PGT_count_mask, seen[m]);
			ck_assert_uint_eq(seen[m], 1); /* one place for each of its own */
		}
	}
}

START_TEST(random_entries)
{
	struct page_info *granted[4];

	for (unsigned int i = 0; i < 4; i++)
		granted[i] = new_page(other);
	for (unsigned int i = 0; i < 1500; i++) {
		uint64_t gfn = rnd() % 4 ? rnd() % 600 : rnd() % GFNS;

		touch(rnd() % CPUS, rnd() % GFNS);
		touch(rnd() % CPUS, gfn);
		switch (rnd() % 8) {
		case 0:
			if (rnd() % 4 == 0)
				op_populate(gfn & ~511ULL, 9);
			break;
		case 1:
			op_populate(gfn, rnd() % 4);
			break;
		case 2:
		case 3:
			op_decrease(gfn);
			break;
		case 4:
			op_grant(gfn, granted[rnd() % 4], rnd() & 1);
			break;
		case 5:
			op_get(gfn);
			break;
		case 6:
			if (rnd() % 64 == 0) {
				for (uint64_t g = gfn & ~511ULL, end = g + 512; g < end; g++)
					if (model[g].type == P2M_ram_rw)
						op_decrease(g);
			}
			break;
		default:
			ck_assert_ptr_null(p2m_get_page(d, GFNS + rnd(), false));
		}
		if (i % 250 == 0) {
			compare();
			check_counts();
		}
	}
	compare();
	check_counts();
}
END_TEST

/* All tables that a guest may make us spend are few; it finds the end, and has its memory back. */
START_TEST(scattered)
{
	uint64_t n, before;

	d->max_pages = 600;
	for (n = 0; n < 600 && p2m_populate(d, n << 9, 0, 0) == 1; n++)
		;
	ck_assert_uint_gt(n, 200);
	ck_assert_uint_lt(n, 300);
	before = d->tot_pages;
	ck_assert_int_eq(p2m_populate(d, 599 << 9, 0, 0), -ENOMEM);
	ck_assert_uint_eq(d->tot_pages, before);
	ck_assert_int_eq(p2m_release_page(d, 0), 0);
	ck_assert_int_eq(p2m_populate(d, 1, 0, 0), 1);
	memset(model, 0, sizeof(model));
}
END_TEST

/* A grant of a page table is none to write through. */
START_TEST(types)
{
	struct page_info *pg = new_page(other);

	ck_assert_int_eq(get_page_and_type(pg, other, PGT_l1), 0);
	ck_assert_int_eq(p2m_add_page(d, 3, pg, other, P2M_grant_rw), -EINVAL);
	ck_assert_int_eq(p2m_add_page(d, 3, pg, d, P2M_ram_ro), -EINVAL);
	ck_assert_int_eq(p2m_add_page(d, 3, pg, other, P2M_grant_ro), 0);
	ck_assert_ptr_null(p2m_get_page(d, 3, false)); /* not its own */
	put_page_and_type(pg);
	ck_assert_int_eq(p2m_remove_page(d, 3, page_to_mfn(pg), P2M_TYPE(P2M_grant_rw), NULL), -ENOENT);
	ck_assert_int_eq(p2m_remove_page(d, 3, page_to_mfn(pg), P2M_TYPE(P2M_grant_ro), NULL), 0);
	ck_assert_uint_eq(pg->count_info & PGC_count_mask, 1);
	/* A page of its own that an entry can write to becomes no table. */
	ck_assert_int_eq(p2m_populate(d, 4, 0, 0), 1);
	pg = mfn_to_page(p2m_lookup(d, 4, NULL));
	ck_assert_int_eq(get_page_type(pg, PGT_l4, false), -EBUSY);
}
END_TEST

/* --- walks --- */

#define VA 0xffff888000203000UL
#define P (PTE_P)
#define W (PTE_W)
#define U (PTE_U)

static uint64_t *ram(uint64_t gfn) { return mfn_to_virt(p2m_lookup(d, gfn, NULL)); }
static void entry(uint64_t table, uint64_t va, int level, uint64_t val) { ram(table)[pt_index(va, level)] = val; }

/* Tables at 10 (L4) to 13 (L1); VA is gfn 20, the page after it gfn 21. */
static void tables(void)
{
	d->copies = COPIES_nested;
	for (uint64_t g = 10; g < 24; g++)
		ck_assert_int_eq(p2m_populate(d, g, 0, 0), 1);
	paging = (struct guest_paging){ .cr0 = 0x80010001, .cr3 = 10 << 12, .cr4 = 0x20, .efer = 0x500 };
	entry(10, VA, 4, 11 << 12 | P | W | U);
	entry(11, VA, 3, 12 << 12 | P | W | U);
	entry(12, VA, 2, 13 << 12 | P | W | U);
	entry(13, VA, 1, 20 << 12 | P | W);
	entry(13, VA + PAGE_SIZE, 1, 21 << 12 | P | W);
}

static unsigned long get(uint64_t va, void *buf, unsigned long n) { return p2m_guest_copy(va, buf, n, GUEST_COPY_from); }
static unsigned long put(uint64_t va, void *buf, unsigned long n) { return p2m_guest_copy(va, buf, n, GUEST_COPY_to); }

START_TEST(copies)
{
	char buf[64] = "across a page's end", back[64] = "";
	uint64_t old = 0;

	tables();
	ck_assert_uint_eq(put(VA + PAGE_SIZE - 5, buf, sizeof(buf)), 0);
	ck_assert_uint_eq(get(VA + PAGE_SIZE - 5, back, sizeof(back)), 0);
	ck_assert_str_eq(buf, back);
	ck_assert_int_eq(memcmp((char *)ram(20) + PAGE_SIZE - 5, buf, 5), 0);
	ck_assert_int_eq(memcmp(ram(21), buf + 5, 10), 0);
	ck_assert_uint_eq(ram(13)[pt_index(VA, 1)], 20 << 12 | P | W | PTE_A | PTE_D);
	ck_assert_uint_eq(ram(10)[pt_index(VA, 4)], 11 << 12 | P | W | U | PTE_A);
	/* The third page is not there: what was copied is told. */
	ck_assert_uint_eq(put(VA + 2 * PAGE_SIZE - 10, buf, 64), 54);
	ck_assert_uint_eq(get(VA + 2 * PAGE_SIZE, back, 1), 1);
	ck_assert_uint_eq(p2m_guest_copy(VA + PAGE_SIZE, NULL, PAGE_SIZE, GUEST_COPY_clear), 0);
	ck_assert_uint_eq(ram(21)[0], 0);
	ck_assert_int_eq(p2m_guest_cmpxchg(VA + PAGE_SIZE, &old, 77), 0);
	ck_assert_uint_eq(ram(21)[0], 77);
	ck_assert_int_eq(p2m_guest_cmpxchg(VA + PAGE_SIZE, &old, 78), 0);
	ck_assert_uint_eq(old, 77);
	ck_assert_uint_eq(get(~0UL - 7, back, 16), 16);
	ck_assert_uint_eq(get(0x0000800000000000UL, back, 1), 1);
	ck_assert_uint_eq(get(0xffff7fffffffffffUL, back, 1), 1);
}
END_TEST

START_TEST(rights)
{
	char c = 0;

	tables();
	entry(13, VA, 1, 20 << 12 | P); /* read-only */
	ck_assert_uint_eq(get(VA, &c, 1), 0);
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	ck_assert_uint_eq(ram(13)[pt_index(VA, 1)] & PTE_D, 0);
	paging.cr0 &= ~0x10000UL; /* WP */
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	paging.cr0 |= 0x10000UL;
	/* A user's page, with SMAP and without; one that is a user's only as far as the last level. */
	entry(13, VA, 1, 20 << 12 | P | W | U);
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	paging.cr4 |= 1 << 21;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	ck_assert_uint_eq(get(VA, &c, 1), 1);
	paging.rflags = 1 << 18;
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	paging.rflags = 0;
	entry(12, VA, 2, 13 << 12 | P | W);
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	/* Not writable further up. */
	entry(11, VA, 3, 12 << 12 | P | U);
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	ck_assert_uint_eq(get(VA, &c, 1), 0);
	/* The p2m has the last word. */
	entry(11, VA, 3, 12 << 12 | P | W | U);
	ck_assert_int_eq(p2m_release_page(d, 20), 0);
	ck_assert_uint_eq(get(VA, &c, 1), 1);
	ck_assert_int_eq(p2m_add_page(d, 20, new_page(other), other, P2M_grant_ro), 0);
	ck_assert_uint_eq(get(VA, &c, 1), 0);
	ck_assert_uint_eq(put(VA, &c, 1), 1);
}
END_TEST

START_TEST(shapes)
{
	uint64_t odd[] = { 0, 0xfff << 12 | P | W, ~0UL, ~0UL & ~PTE_PSE, 1UL << 51 | P | W, 1UL << 40 | P | W, 10 << 12 | P | W };
	char c = 0;

	tables();
	/* Anything at any level: a fault, or a page that is the guest's. */
	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
		for (int level = 4; level > 0; level--) {
			uint64_t table = 10 + (uint64_t)(4 - level), was = ram(table)[pt_index(VA, level)];

			entry(table, VA, level, odd[i]);
			if (put(VA, &c, 1) == 0)
				ck_assert_uint_eq(odd[i], 10 << 12 | P | W);
			entry(table, VA, level, was);
		}
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	/* A large page: 2 MiB at gfn 512, of which 4 KiB are there. */
	ck_assert_int_eq(p2m_populate(d, 515, 0, 0), 1);
	entry(12, VA, 2, 512 << 12 | P | W | PTE_PSE | 1 << 12); /* PAT */
	c = 9;
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	ck_assert_uint_eq(ram(515)[0] & 0xff, 9);
	ck_assert_uint_eq(put(VA + PAGE_SIZE, &c, 1), 1);
	/* 1 GiB at 0; as an L4 entry it is none. */
	entry(11, VA, 3, P | W | PTE_PSE);
	c = 8;
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	ck_assert_uint_eq(ram(515)[0] & 0xff, 8);
	entry(10, VA, 4, P | W | PTE_PSE);
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	/* The root in a hole, outside of everything, and other paging. */
	paging.cr3 = 100 << 12;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	paging.cr3 = ~0UL;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	paging.cr3 = 10 << 12;
	entry(10, VA, 4, 11 << 12 | P | W);
	ck_assert_uint_eq(put(VA, &c, 1), 0);
	paging.cr4 |= 1 << 12;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	paging.cr4 &= ~(1UL << 12);
	paging.efer = 0;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	paging.cr0 = 1;
	ck_assert_uint_eq(put(VA, &c, 1), 1);
	ck_assert_uint_eq(put(515 << 12, &c, 1), 0);
	ck_assert_uint_eq(put((1ULL << 32) - 1, &c, 2), 2);
}
END_TEST

START_TEST(areas)
{
	struct page_info *pg;

	tables();
	pg = p2m_get_page_at(VA);
	ck_assert_ptr_eq(pg, mfn_to_page(p2m_lookup(d, 20, NULL)));
	put_page_and_type(pg);
	ck_assert_ptr_null(p2m_get_page_at(VA + 2 * PAGE_SIZE));
	ck_assert_int_eq(guest_frame_get(d, 20, true, &pg), 0);
	put_page_and_type(pg);
	ck_assert_int_eq(guest_frame_get(d, 30, true, &pg), -EINVAL);
	ck_assert_int_eq(guest_frame_get(other, page_to_mfn(ram(20) ? mfn_to_page(p2m_lookup(d, 20, NULL)) : NULL).m, false, &pg), -EINVAL);
}
END_TEST

Suite *suite_p2m(void);
Suite *suite_p2m(void)
{
	Suite *s = suite_create("p2m");
	TCase *tc = tcase_create("p2m");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, random_entries);
	tcase_add_test(tc, scattered);
	tcase_add_test(tc, types);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, rights);
	tcase_add_test(tc, shapes);
	tcase_add_test(tc, areas);
	suite_add_tcase(s, tc);
	return s;
}
