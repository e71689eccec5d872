/* SPDX-License-Identifier: MIT */
/*
 * The log of writes and the tables that it is kept with. CPUs are played by a walk
 * of what the roots really name, with a TLB; a reader follows the memory by rounds
 * of the log, and has to have all of it in the end.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include "domain/dirty_log.h"
#include "harness.h"
#include "pv/shadow_private.h"
#include "x86/traps.h"

#define RW (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define RO (PTE_P | PTE_U | PTE_A)
#define DATA 24u
#define CPUS 3u
#define VA(l2_slot, l1_slot) ((uint64_t)(l2_slot) << 21 | (uint64_t)(l1_slot) << 12)

static struct domain *d;
static struct page_info *l4, *l3, *l2, *l1[2], *data[DATA];
static uint64_t free_before;

/* --- a CPU's view --- */

static struct { uint64_t va; pte_t e; } tlb[CPUS][16];

static void tlb_emptied(unsigned int cpu)
{
	if (cpu < CPUS)
		memset(tlb[cpu], 0, sizeof(tlb[cpu]));
}

/* As the hardware: 0: no. Sets A and D in the tables that it walks. */
static pte_t hardware_walk(const struct vcpu *v, uint64_t va, bool write)
{
	pte_t *t = v->pv.kernel_mode && !v->pv.root_opened ? v->pv.root_kernel : v->pv.root_user, e = 0;
	bool may_write = true;
	int level;

	for (level = 4; level >= 1; level--) {
		pte_t *p = &t[pt_index(va, level)];

		e = __atomic_load_n(p, __ATOMIC_SEQ_CST);
		if (!(e & PTE_P))
			return 0;
		may_write = may_write && (e & PTE_W);
		if (write && !may_write)
			return 0;
		do {
			if (!(e & PTE_P) || (write && !(e & PTE_W)))
				return 0;
		} while (!cmpxchg_u64(p, &e, e | PTE_A | (write && level == 1 ? PTE_D : 0)));
		t = (pte_t *)(uintptr_t)page_to_virt(mfn_to_page(pte_mfn(e)));
	}
	return may_write ? e : e & ~PTE_W;
}

/* One instruction: no interrupt, so no flush, in the midst of it. false: it faults. */
static bool try_access(struct vcpu *v, uint64_t va, bool write, uint64_t val)
{
	unsigned int cpu = smp_cpu(), i = (unsigned int)(va >> 12 ^ va >> 21) % 16;
	unsigned long flags = irq_save();
	pte_t e = tlb[cpu][i].va == (va | 1) ? tlb[cpu][i].e : 0;

	if (!(e & PTE_P) || (write && !(e & PTE_W))) {
		e = hardware_walk(v, va, write);
		/* Writable only once it is dirty, as the hardware has it. */
		tlb[cpu][i].va = va | 1;
		tlb[cpu][i].e = write ? e : e & ~PTE_W;
	}
	if ((e & PTE_P) && write)
		__atomic_store_n(&page_words(mfn_to_page(pte_mfn(e)))[va >> 12 & 7], val, __ATOMIC_SEQ_CST);
	irq_restore(flags);
	return e & PTE_P;
}

/* false: the fault is the guest's. */
static bool cpu_access(struct vcpu *v, uint64_t va, bool write, uint64_t val)
{
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		struct cpu_user_regs regs = { .cs = FLAT_KERNEL_CS64 };
		uint32_t code = PFEC_user | (write ? PFEC_write : 0);

		if (try_access(v, va, write, val))
			return true;
		if (!pv_mmu_fault(&regs, va, code))
			return false;
	}
	ck_abort_msg("address %lx faults for ever", va);
	return false;
}

/* --- what must always hold --- */

static void check_entry(const struct shadow *s, const struct shadow_page *p, pte_t guest, pte_t e)
{
	const struct page_info *pg = mfn_to_page(pte_mfn(guest));

	if (!(e & PTE_P))
		return;
	ck_assert(guest & PTE_P);
	ck_assert(!((e ^ guest) & (PTE_U | PTE_NX)));
	if (p->level == 1) {
		ck_assert_uint_eq(pte_mfn(e).m, pte_mfn(guest).m);
		ck_assert(guest & PTE_A);
		if (e & PTE_W)
			ck_assert((guest & PTE_W) && (guest & PTE_D) && p->open && (pg->flags & PGF_written));
		return;
	}
	ck_assert(!((e ^ guest) & PTE_W));
	if (!s->failed || pte_mfn(e).m != pte_mfn(guest).m) {
		ck_assert_ptr_nonnull(shadow_find(s, pte_mfn(guest)));
		ck_assert_uint_eq(shadow_find(s, pte_mfn(guest))->frame, pte_mfn(e).m);
	}
}

static void check_shadows(void)
{
	const struct shadow *s = d->pv.shadow;

	for (uint32_t nr = 0; s && nr < s->nr; nr++) {
		const struct shadow_page *p = shadow_nr(s, nr);
		const struct page_info *pg = mfn_to_page(mfn(p->table));

		if (!p->table)
			continue;
		ck_assert((pg->type_info & PGT_validated) && (pg->type_info & PGT_watched));
		ck_assert_int_eq(type_level(pg->type_info), p->level);
		for (unsigned int i = 0; i < PT_ENTRIES; i++)
			check_entry(s, p, page_words((struct page_info *)pg)[i], shadow_entries(p)[i]);
	}
}

/* --- the machine --- */

static void setup(void)
{
	unsigned int i;

	harness_init();
	memset(tlb, 0, sizeof(tlb));
	shim_flushed = tlb_emptied;
	free_before = free_frames();
	d = new_domain(1, CPUS);
	run_as(d->vcpu[0], 0);
	l4 = new_page(d);
	l3 = new_page(d);
	l2 = new_page(d);
	l1[0] = new_page(d);
	l1[1] = new_page(d);
	for (i = 0; i < DATA; i++) {
		data[i] = new_page(d);
		m2p_set(page_to_mfn(data[i]), i);
	}
	page_words(l4)[0] = pte_for(l3, RW);
	page_words(l3)[0] = pte_for(l2, RW);
	page_words(l2)[0] = pte_for(l1[0], RW);
	page_words(l2)[1] = pte_for(l1[1], RW);
	for (i = 0; i < DATA; i++) {
		page_words(l1[0])[i] = pte_for(data[i], RW);
		page_words(l1[1])[i] = pte_for(data[i], RO);
	}
	ck_assert_int_eq(pin(l4, 4), 0);
	for (i = 0; i < CPUS; i++)
		ck_assert_int_eq(pv_set_base(d->vcpu[i], page_to_mfn(l4), false, false), 0);
}

static void log_on(void)
{
	ck_assert_int_eq(shadow_log.begin(d), 0);
	while (shadow_log.watch(d, true))
		;
	shadow_log.arm(d, true);
	shadow_log.control(d)->state = LOG_on;
}

static void log_off(void)
{
	if (!d->pv.shadow)
		return;
	dirty_log_off(d);
	shadow_log.arm(d, false);
	shadow_log.control(d)->cursor = 0;
	while (shadow_log.watch(d, false))
		;
	while (shadow_log.release(d))
		;
	shadow_log.end(d);
}

static void teardown(void)
{
	check_shadows();
	audit(d);
	log_off();
	audit(d);
	preempt_one_in = 2;
	destroy_domain(d, 0);
	dirty_log_free(d);
	preempt_one_in = 0;
	ck_assert_uint_eq(free_frames(), free_before);
}

static bool told[SHIM_FRAMES];

static void tell(struct page_info *pg, void *unused) { told[page_to_mfn(pg).m] = true; }

static void round_of_log(void)
{
	memset(told, 0, sizeof(told));
	for (uint64_t c = 0; c < d->dirty_log->nr_chunks; c++)
		dirty_log_each(d, c, true, tell, NULL);
	shadow_log.control(d)->cursor = 0;
	while (shadow_log.close(d, false, NULL))
		;
}

static bool was_told(const struct page_info *pg) { return told[page_to_mfn(pg).m]; }

/* --- tests --- */

START_TEST(a_write_is_told_once)
{
	log_on();
	round_of_log();
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), false, 0));
	round_of_log();
	ck_assert(!was_told(data[1]));
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), true, 1));
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), true, 2));
	round_of_log();
	ck_assert(was_told(data[1]) && !was_told(data[2]));
	round_of_log();
	ck_assert(!was_told(data[1]));
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), true, 3));
	round_of_log();
	ck_assert(was_told(data[1]));
}
END_TEST

/* The hypervisor's own access met an entry of before: another CPU has filled it in. That is no error, but nothing for ever either. */
START_TEST(another_cpu_was_first)
{
	extern s_time_t shim_now;
	struct vcpu *v = d->vcpu[0];
	unsigned int tries;

	log_on();
	ck_assert(cpu_access(v, VA(0, 1), true, 1));
	ck_assert(pv_fault_in(VA(0, 1), PFEC_present | PFEC_write));
	for (tries = 0; tries < 100 && pv_fault_in(VA(0, 1), PFEC_present | PFEC_write); tries++)
		shim_now += 1000;
	ck_assert_uint_lt(tries, 100);
	shim_now += 1000000000;
	ck_assert(pv_fault_in(VA(0, 1), PFEC_present | PFEC_write));
}
END_TEST

/* The guest's own entries are what it made them, with A and D as the CPU would set them. */
START_TEST(the_guest_sees_its_own)
{
	uint64_t e = pte_for(data[3], PTE_P | PTE_U | PTE_W);

	log_on();
	ck_assert_int_eq(set_entry(l1[0], 3, e), 0);
	ck_assert_uint_eq(page_words(l1[0])[3], e);
	round_of_log();
	ck_assert(cpu_access(d->vcpu[0], VA(0, 3), false, 0));
	ck_assert_uint_eq(page_words(l1[0])[3], e | PTE_A);
	round_of_log();
	ck_assert(was_told(l1[0]));
	ck_assert(cpu_access(d->vcpu[0], VA(0, 3), true, 9));
	ck_assert_uint_eq(page_words(l1[0])[3], e | PTE_A | PTE_D);
	round_of_log();
	ck_assert(was_told(l1[0]) && was_told(data[3]));
	ck_assert_uint_eq(page_words(l1[0])[3], e | PTE_A | PTE_D);
	ck_assert_uint_eq(page_words(l3)[0], pte_for(l2, RW));
}
END_TEST

START_TEST(read_only_stays_read_only)
{
	log_on();
	ck_assert(cpu_access(d->vcpu[0], VA(1, 4), false, 0));
	ck_assert(!cpu_access(d->vcpu[0], VA(1, 4), true, 1));
	round_of_log();
	ck_assert(!was_told(data[4]));
	ck_assert_int_eq(set_entry(l1[0], 4, pte_for(data[4], RO)), 0);
	flush_tlb_mask(cpu_online_map);
	ck_assert(!cpu_access(d->vcpu[0], VA(0, 4), true, 1));
}
END_TEST

/* Tables come, go, and are seen through others. */
START_TEST(tables_change)
{
	struct page_info *t = new_page(d);

	page_words(t)[7] = pte_for(data[7], RW);
	log_on();
	round_of_log();
	ck_assert_int_eq(set_entry(l2, 2, pte_for(t, RW)), 0);
	ck_assert(cpu_access(d->vcpu[0], VA(2, 7), true, 5));
	round_of_log();
	ck_assert(was_told(t) && was_told(l2) && was_told(data[7]));
	ck_assert_int_eq(set_entry(l2, 2, 0), 0);
	flush_tlb_mask(cpu_online_map);
	ck_assert(!cpu_access(d->vcpu[0], VA(2, 7), true, 6));
	round_of_log();
	/* It is no table any more: who copies it has to know. */
	ck_assert(was_told(t));
	check_shadows();
}
END_TEST

START_TEST(others_who_write)
{
	log_on();
	round_of_log();
	ck_assert_int_eq(call_mmuext(MMUEXT_CLEAR_PAGE, page_to_mfn(data[9]).m), 0);
	ck_assert_int_eq(call_mmu_update((page_to_mfn(data[10]).m << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE, 77), 0);
	ck_assert(!do_update_descriptor(page_to_mfn(data[11]).m << PAGE_SHIFT, 0));
	ck_assert_int_eq(set_entry(data[12], 5, 4711), 0);
	round_of_log();
	ck_assert(was_told(data[9]) && was_told(data[10]) && was_told(data[11]) && was_told(data[12]));
	ck_assert(!was_told(data[8]));
}
END_TEST

/* What validation makes of an entry stays, whether the rest is fit or not. */
START_TEST(a_table_that_is_none)
{
	struct page_info *t = new_page(d);

	page_words(t)[0] = pte_for(data[0], PTE_P);
	page_words(t)[1] = pte_for(data[1], PTE_P | PTE_W) | 1ULL << 51;
	log_on();
	round_of_log();
	ck_assert_int_lt(pin(t, 1), 0);
	ck_assert_uint_eq(page_words(t)[0], pte_for(data[0], PTE_P | PTE_U));
	round_of_log();
	ck_assert(was_told(t));
}
END_TEST

static void look_meanwhile(const char *what)
{
	if (strcmp(what, "page: counted as written, not yet the domain's"))
		return;
	shim_hook = NULL;
	round_of_log();
}

/* The reader comes by when the page has its mark, and cannot be referred to yet. */
START_TEST(a_page_comes_during_a_round)
{
	struct page_info *pg;

	log_on();
	round_of_log();
	shim_hook = look_meanwhile;
	pg = new_page(d);
	ck_assert_ptr_null(shim_hook);
	ck_assert(!was_told(pg));
	round_of_log();
	ck_assert(was_told(pg));
	ck_assert_int_eq(domain_page_steal(d, pg), 0);
	shim_hook = look_meanwhile;
	ck_assert_int_eq(domain_page_assign(d, pg), 0);
	ck_assert_ptr_null(shim_hook);
	round_of_log();
	ck_assert(was_told(pg));
	round_of_log();
	ck_assert(!was_told(pg));
}
END_TEST

/* Another domain's CPU saw the log, and marks the page that it had mapped when that log has ended. */
START_TEST(a_mark_for_the_log_before)
{
	struct dirty_log *seen;

	log_on();
	seen = d->dirty_log;
	log_off();
	dirty_log_mark(seen, data[1]);
	log_on();
	round_of_log();
	/* The read would open it for writing, too, if it counted as written. */
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), false, 0));
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), true, 1));
	round_of_log();
	ck_assert(was_told(data[1]));
}
END_TEST

/* No memory for shadows: all counts as written, and the guest goes on. */
START_TEST(without_memory)
{
	log_on();
	d->pv.shadow->max = 2;
	ck_assert(cpu_access(d->vcpu[0], VA(0, 1), true, 1));
	ck_assert(shadow_log.all_written(d));
	ck_assert(cpu_access(d->vcpu[0], VA(1, 1), false, 0));
	ck_assert_int_eq(set_entry(l2, 1, 0), 0);
	flush_tlb_mask(cpu_online_map);
	ck_assert(!cpu_access(d->vcpu[0], VA(1, 1), false, 0));
}
END_TEST

/* --- several CPUs --- */

static volatile bool stop;
static uint64_t copies[SHIM_FRAMES][8];

static void random_step(struct vcpu *v)
{
	unsigned int i = rnd() % DATA, k = rnd() % DATA;

	switch (rnd() % 12) {
	case 0:
		set_entry(l1[rnd() % 2], i, pte_for(data[k], rnd() % 2 ? RW : RO | PTE_W));
		break;
	case 1:
		set_entry(l1[rnd() % 2], i, rnd() % 2 ? pte_for(data[k], RO) : 0);
		break;
	case 2:
		if (rnd() % 8 == 0)
			set_entry(l2, 1, rnd() % 2 ? pte_for(l1[rnd() % 2], RW) : 0);
		break;
	case 3:
		call_mmuext(MMUEXT_COPY_PAGE, page_to_mfn(data[i]).m);
		break;
	case 4:
		flush_tlb_mask(d->dirty_cpus);
		break;
	default:
		cpu_access(v, VA(rnd() % 2, i), rnd() % 4 != 0, rnd());
	}
}

static void *guest_cpu(void *arg)
{
	struct vcpu *v = arg;

	run_as(v, v->vcpu_id);
	while (!stop)
		random_step(v);
	return NULL;
}

static void copy_told(void)
{
	for (unsigned int m = 0; m < SHIM_FRAMES; m++)
		for (unsigned int i = 0; told[m] && i < 8; i++)
			copies[m][i] = __atomic_load_n(&page_words(mfn_to_page(mfn(m)))[i], __ATOMIC_SEQ_CST);
}

static void follow(unsigned int rounds)
{
	pthread_t th[CPUS - 1];
	unsigned int i;

	log_on();
	memset(told, 1, sizeof(told));
	stop = false;
	copy_told();
	for (i = 0; i < CPUS - 1; i++)
		pthread_create(&th[i], NULL, guest_cpu, d->vcpu[i + 1]);
	for (i = 0; i < rounds; i++) {
		round_of_log();
		copy_told();
	}
	stop = true;
	for (i = 0; i < CPUS - 1; i++)
		pthread_join(th[i], NULL);
	round_of_log();
	copy_told();
	for (i = 0; i < DATA; i++)
		ck_assert_msg(!memcmp(copies[page_to_mfn(data[i]).m], page_words(data[i]), 64), "page %u was missed", i);
	ck_assert(!memcmp(copies[page_to_mfn(l1[0]).m], page_words(l1[0]), 64));
	check_shadows();
}

START_TEST(nothing_is_missed)
{
	for (unsigned int i = 0; i < 20; i++) {
		follow(100);
		audit(d);
		log_off();
	}
}
END_TEST

static void wait_a_little(const char *what)
{
	if (rnd() % 16 == 0)
		for (volatile unsigned int i = 0; i < 2000; i++)
			;
}

START_TEST(nothing_is_missed_with_delays)
{
	shim_hook = wait_a_little;
	for (unsigned int i = 0; i < 10; i++) {
		follow(60);
		log_off();
	}
	shim_hook = NULL;
}
END_TEST

/* Each fill, update and close in turn, one CPU, everything looked at each time. */
START_TEST(random_steps)
{
	log_on();
	for (unsigned int i = 0; i < 20000; i++) {
		random_step(d->vcpu[0]);
		if (rnd() % 64 == 0)
			round_of_log();
		if (rnd() % 8 == 0)
			check_shadows();
	}
}
END_TEST

Suite *suite_shadow(void)
{
	Suite *s = suite_create("log of writes");
	TCase *t = tcase_create("tables");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_write_is_told_once);
	tcase_add_test(t, another_cpu_was_first);
	tcase_add_test(t, the_guest_sees_its_own);
	tcase_add_test(t, read_only_stays_read_only);
	tcase_add_test(t, tables_change);
	tcase_add_test(t, others_who_write);
	tcase_add_test(t, a_table_that_is_none);
	tcase_add_test(t, a_page_comes_during_a_round);
	tcase_add_test(t, a_mark_for_the_log_before);
	tcase_add_test(t, without_memory);
	tcase_add_test(t, random_steps);
	tcase_add_test(t, nothing_is_missed);
	tcase_add_test(t, nothing_is_missed_with_delays);
	suite_add_tcase(s, t);
	return s;
}
