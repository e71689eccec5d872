/* SPDX-License-Identifier: MIT */
/*
 * Interleavings that a running system meets once in thousands of rounds, made to
 * happen: at the points that the code marks between two halves of a protocol, the
 * test does what another CPU would do there.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include "harness.h"

#define RW (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define SLOT 300u
#define OPENED (1UL << 62)

static struct domain *d, *other;
static struct vcpu *v, *v1;

static void setup(void)
{
	harness_init();
	d = new_domain(1, 2);
	other = new_domain(2, 1);
	v = d->vcpu[0];
	v1 = d->vcpu[1];
	run_as(v, 0);
}

static void teardown(void)
{
	shim_hook = NULL;
	shim_flushed = NULL;
	audit(d);
	audit(other);
	destroy_domain(other, 0);
	destroy_domain(d, 0);
}

static bool at(const char *what, const char *point) { return strcmp(what, point) == 0; }

/* --- the roots --- */

static struct page_info *kernel_l4, *user_l4, *kernel_l3, *user_l3;
static const char *copy_point;
static bool copy_at_point, update_done;

/* v1's CPU, between the load of an entry and its store, interrupts off: until the other CPU waits for it, or does not. */
static void hold_copy(const char *what)
{
	if (smp_cpu() != 1 || !at(what, copy_point))
		return;
	__atomic_store_n(&copy_at_point, true, __ATOMIC_SEQ_CST);
	while (!somebody_waits() && !__atomic_load_n(&update_done, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void *close_for_good(void *arg)
{
	unsigned long flags;

	run_as(v1, 1);
	root_open_kernel(v1);
	flags = irq_save();
	pv_mmu_switch_from(v1);
	__atomic_store_n(&v1->is_running, false, __ATOMIC_RELEASE);
	irq_restore(flags);
	return NULL;
}

static void *open_for_kernel(void *arg)
{
	unsigned long flags;

	run_as(v1, 1);
	flags = irq_save();
	root_open_kernel(v1);
	irq_restore(flags);
	return NULL;
}

static void new_roots(void)
{
	kernel_l4 = new_page(d);
	user_l4 = new_page(d);
	kernel_l3 = new_page(d);
	user_l3 = new_page(d);
	page_words(kernel_l4)[SLOT] = pte_for(kernel_l3, RW);
	page_words(user_l4)[SLOT] = pte_for(user_l3, RW);
	run_as(v1, 1);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(kernel_l4).m), 0);
	ck_assert_int_eq(call_mmuext(MMUEXT_NEW_USER_BASEPTR, page_to_mfn(user_l4).m), 0);
	ck_assert_uint_eq(v1->pv.fast_root, 1);
	run_as(v, 0);
}

/* While v1 copies the slot's old entry, this CPU takes it out of the L4. */
static void remove_during(void *(*copy)(void *), const char *point, bool user)
{
	pthread_t t;

	new_roots();
	/* v1 comes from sleep, or goes: what its CPU's TLB may hold says nothing about what the CPU does. */
	d->dirty_cpus = 1;
	copy_point = point;
	shim_hook = hold_copy;
	ck_assert_int_eq(pthread_create(&t, NULL, copy, NULL), 0);
	while (!__atomic_load_n(&copy_at_point, __ATOMIC_SEQ_CST))
		sched_yield();
	ck_assert_int_eq(set_entry(user ? user_l4 : kernel_l4, SLOT, 0), 0);
	__atomic_store_n(&update_done, true, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
}

START_TEST(entry_removed_while_its_root_is_closed)
{
	remove_during(close_for_good, "root: closing, entry loaded", true);
	ck_assert_uint_eq(v1->pv.root_opened, 0);
	ck_assert_uint_eq(v1->pv.root_user[SLOT], 0);
}
END_TEST

START_TEST(entry_removed_while_its_root_is_opened)
{
	remove_during(open_for_kernel, "root: opening, entry loaded", false);
	ck_assert_uint_eq(v1->pv.root_opened, 1);
	ck_assert_uint_eq(v1->pv.root_user[SLOT], OPENED);
	/* It closes, and is not opened again with this list. */
	pv_mmu_switch_from(v1);
	ck_assert_uint_eq(v1->pv.root_user[SLOT], pte_for(user_l3, RW));
	ck_assert_uint_eq(v1->pv.fast_root, 0);
}
END_TEST

START_TEST(roots_are_closed_while_a_vcpu_does_not_run)
{
	new_roots();
	root_open_kernel(v1);
	pv_mmu_switch_from(v1);
	ck_assert_uint_eq(v1->pv.root_opened, 0);
	v1->is_running = false;
	/* Nobody is waited for: its last CPU may be doing anything. */
	d->dirty_cpus = 3;
	run_as(v, 0);
	ck_assert_int_eq(set_entry(kernel_l4, SLOT, 0), 0);
	ck_assert_int_eq(set_entry(user_l4, SLOT, 0), 0);
	ck_assert_uint_eq(v1->pv.root_user[SLOT] | v1->pv.root_kernel[SLOT], 0);
}
END_TEST

/* --- stamps --- */

#define USES 20000u
static struct page_info *shared;
static bool cached[2]; /* a CPU's TLB has a writable entry for the page */
static unsigned int tables_made;
static bool users_stop;

static void tlb_emptied(unsigned int cpu)
{
	if (cpu < 2)
		__atomic_store_n(&cached[cpu], false, __ATOMIC_SEQ_CST);
}

static void dawdle(const char *what)
{
	if (rnd() % 64 == 0)
		for (unsigned int i = rnd() % 8; i; i--)
			sched_yield();
}

/* Maps it writable, stores there, takes the entry away without a flush; flushes for other reasons now and then. */
static void *writer(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;

	run_as(d->vcpu[cpu], cpu);
	for (unsigned int i = 0; i < USES; i++) {
		if (get_page_and_type(shared, d, PGT_writable) == 0) {
			__atomic_store_n(&cached[cpu], true, __ATOMIC_SEQ_CST);
			dawdle("");
			put_page_and_type(shared);
		}
		if (rnd() % 2)
			write_cr3(0);
	}
	return NULL;
}

static void *table_maker(void *arg)
{
	run_as(d->vcpu[2], 2);
	while (!__atomic_load_n(&users_stop, __ATOMIC_SEQ_CST)) {
		if (get_page_and_type(shared, d, PGT_l1))
			continue;
		ck_assert(!__atomic_load_n(&cached[0], __ATOMIC_SEQ_CST));
		ck_assert(!__atomic_load_n(&cached[1], __ATOMIC_SEQ_CST));
		tables_made++;
		put_page_and_type(shared);
	}
	return NULL;
}

START_TEST(no_writable_translation_of_a_table_is_left)
{
	pthread_t t[3];
	uintptr_t i;

	destroy_domain(d, 0);
	d = new_domain(3, 3);
	run_as(d->vcpu[0], 0);
	shared = new_page(d);
	shim_hook = dawdle;
	shim_flushed = tlb_emptied;
	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, writer, (void *)i), 0);
	ck_assert_int_eq(pthread_create(&t[2], NULL, table_maker, NULL), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	__atomic_store_n(&users_stop, true, __ATOMIC_SEQ_CST);
	pthread_join(t[2], NULL);
	ck_assert_uint_gt(tables_made, 0);
}
END_TEST

static bool looked_between, used_between;

/* Another CPU with a use of its own that comes and goes while the last one ends, if it can. */
static void use_between(const char *what)
{
	void (*hook)(const char *what) = shim_hook;

	if (looked_between || !at(what, "clock: read"))
		return;
	looked_between = true;
	shim_hook = NULL;
	run_as(v1, 1);
	write_cr3(0);
	/* It would wait for a page that is claimed. */
	used_between = shared->type_info & PGT_validated;
	if (used_between) {
		ck_assert_int_eq(get_page_type(shared, PGT_writable, false), 0);
		put_page_type(shared, false);
	}
	run_as(v, 0);
	shim_hook = hook;
}

START_TEST(no_use_is_later_than_the_last_stamp)
{
	unsigned int before;

	shared = new_page(d);
	ck_assert_int_eq(get_page_type(shared, PGT_writable, false), 0);
	shim_hook = use_between;
	put_page_type(shared, false);
	ck_assert(looked_between);
	shim_hook = NULL;
	/* The other CPU flushed after the stamp was taken, and not after its use, if it had one. */
	d->dirty_cpus = 2;
	before = flushes;
	ck_assert_int_eq(get_page_type(shared, PGT_l1, false), 0);
	ck_assert_uint_eq(flushes - before, used_between);
	put_page_type(shared, false);
}
END_TEST

static void later_stamp(const char *what)
{
	if (!at(what, "clock: read"))
		return;
	shim_hook = NULL;
	clock_set(20);
	ck_assert_int_eq(put_table_type(shared, false, 20), 0);
}

/* Two entries that named a table go at once. */
START_TEST(the_later_of_two_stamps_stays)
{
	shared = new_page(d);
	ck_assert_int_eq(get_page_type(shared, PGT_l1, false), 0);
	ck_assert_int_eq(get_page_type(shared, PGT_l1, false), 0);
	clock_set(10);
	shim_hook = later_stamp;
	ck_assert_int_eq(put_table_type(shared, false, 9), 0);
	ck_assert_ptr_null(shim_hook);
	ck_assert_uint_eq(shared->u, 20);
	clock_set(1000);
}
END_TEST

START_TEST(stamps_of_any_age)
{
	clock_set(0x190000000);
	ck_assert_uint_eq(tlb_later(1, 0x8ffffffe), 0x8ffffffe);
	ck_assert_uint_eq(tlb_later(0x8ffffffe, 1), 0x8ffffffe);
	/* From before the last wrap. */
	ck_assert_uint_eq(tlb_later(0xf0000000, 5), 5);
	ck_assert_uint_eq(tlb_later(5, 0xf0000000), 5);
	ck_assert_uint_eq(tlb_later(0, 0xf0000000), 0xf0000000);
	ck_assert_uint_eq(tlb_later(0x80000000, 0), 0x80000000);
}
END_TEST

/* --- references --- */

static struct page_info *victim;

/* The last owner gives the frame up, and the hypervisor's heap has it next. */
static void frame_to_heap(const char *what)
{
	if (!at(what, "page: owner seen"))
		return;
	shim_hook = NULL;
	__atomic_fetch_and(&victim->count_info, ~PGC_allocated, __ATOMIC_SEQ_CST);
	put_page(victim);
	ck_assert_ptr_eq(alloc_hv_page(), page_to_virt(victim));
}

START_TEST(no_reference_to_a_heap_page)
{
	uint64_t info;

	victim = new_page(d);
	shim_hook = frame_to_heap;
	ck_assert(!get_page(victim, d));
	ck_assert_ptr_null(shim_hook);
	info = victim->count_info;
	ck_assert_uint_eq(info, PGC_hv);
	free_hv_page(page_to_virt(victim));
}
END_TEST

static void frame_to_other(const char *what)
{
	if (!at(what, "page: owner seen"))
		return;
	shim_hook = NULL;
	ck_assert_int_eq(domain_page_steal(d, victim), 0);
	ck_assert_int_eq(domain_page_assign(other, victim), 0);
}

START_TEST(no_reference_to_another_domains_page)
{
	victim = new_page(d);
	shim_hook = frame_to_other;
	ck_assert(!get_page(victim, d));
	ck_assert_ptr_null(shim_hook);
	ck_assert_uint_eq(victim->count_info, PGC_allocated | 1);
}
END_TEST

/* The other domain is changing an entry of its table, and takes its time. */
START_TEST(nobody_waits_for_another_domains_table)
{
	struct page_info *foreign = new_page(other);

	ck_assert_int_eq(get_page_type(foreign, PGT_l1, false), 0);
	ck_assert(table_lock(foreign, other, PGT_l1));
	ck_assert(!table_lock(foreign, d, PGT_l1));
	ck_assert_int_eq(set_entry(foreign, 0, 0), -EINVAL);
	ck_assert_int_eq(pv_grant_map_pte(v, page_to_mfn(foreign).m << PAGE_SHIFT, true, page_to_mfn(new_page(d)), true, 0),
			 -EINVAL);
	table_unlock(foreign);
	put_page_type(foreign, false);
}
END_TEST

static void unpin_meanwhile(const char *what)
{
	if (!at(what, "pin: is pinned already"))
		return;
	shim_hook = NULL;
	run_as(v1, 1);
	ck_assert_int_eq(unpin(shared), 0);
	run_as(v, 0);
}

/* The second pin finds the page pinned; by the time it gives its count back, that is the last. */
START_TEST(a_failed_pin_can_be_preempted)
{
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L2_TABLE };

	shared = new_page(d);
	for (unsigned int i = 0; i < 40; i++)
		page_words(shared)[i] = pte_for(new_page(d), RW);
	ck_assert_int_eq(pin(shared, 2), 0);
	preempt_one_in = 1;
	shim_hook = unpin_meanwhile;
	op.arg1.mfn = page_to_mfn(shared).m;
	ck_assert_int_eq(do_mmuext_op((unsigned long)&op, 1, 0, DOMID_SELF), -EINVAL);
	ck_assert_ptr_null(shim_hook);
	ck_assert_ptr_eq(v->partial_page, shared);
	audit(d);
	while (pv_finish_partial(v))
		;
	ck_assert_uint_eq((uint32_t)shared->type_info, 0);
}
END_TEST

Suite *suite_races(void);
Suite *suite_races(void)
{
	Suite *s = suite_create("forced interleavings");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, entry_removed_while_its_root_is_closed);
	tcase_add_test(t, entry_removed_while_its_root_is_opened);
	tcase_add_test(t, roots_are_closed_while_a_vcpu_does_not_run);
	tcase_add_test(t, no_writable_translation_of_a_table_is_left);
	tcase_add_test(t, no_use_is_later_than_the_last_stamp);
	tcase_add_test(t, the_later_of_two_stamps_stays);
	tcase_add_test(t, stamps_of_any_age);
	tcase_add_test(t, no_reference_to_a_heap_page);
	tcase_add_test(t, no_reference_to_another_domains_page);
	tcase_add_test(t, nobody_waits_for_another_domains_table);
	tcase_add_test(t, a_failed_pin_can_be_preempted);
	suite_add_tcase(s, t);
	return s;
}
