/* SPDX-License-Identifier: MIT */
/*
 * The log of writes of a domain with nested tables. CPUs are played by a walk of these, with TLBs that remember what nobody
 * flushed; a reader follows the memory by rounds of the log, number by number, and has to have all of it in the end.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include "domain/dirty_log.h"
#include "domain/uaccess.h"
#include "harness.h"
#include "p2m/paging.h"
#include "p2m/private.h"
#include <xen/memory.h>

#define GFNS 1536u  /* the first 1024 in two large entries at first */
#define CPUS 3u
#define TLB 64u
#define WORDS 8u
#define NO_FRAME (~0ULL)

static struct domain *d, *other;
static struct { uint64_t gfn; pte_t e; } tlb[CPUS][TLB];
static bool told[GFNS], flush_broken;
static unsigned int far_told;
static uint64_t copies[GFNS][WORDS];

static void tlb_emptied(unsigned int cpu)
{
	if (cpu < CPUS && !flush_broken)
		memset(tlb[cpu], 0, sizeof(tlb[cpu]));
}

static void freed(uint64_t m, uint64_t n)
{
	for (unsigned int cpu = 0; cpu < CPUS && !flush_broken; cpu++)
		for (unsigned int i = 0; i < TLB; i++)
			ck_assert(!tlb[cpu][i].gfn || pte_mfn(tlb[cpu][i].e).m < m || pte_mfn(tlb[cpu][i].e).m >= m + n);
}

/* --- a CPU --- */

/* One instruction: no interrupt, so no flush, in the midst of it. false: it faults. */
static bool try_access(unsigned int cpu, uint64_t gfn, bool write, uint64_t val)
{
	unsigned int i = (unsigned int)gfn % TLB;
	unsigned long flags = irq_save();
	pte_t e = tlb[cpu][i].gfn == gfn + 1 ? tlb[cpu][i].e : 0;

	if (!e || (write && !(e & PTE_W))) {
		e = p2m_walk(d->p2m, gfn);
		tlb[cpu][i].gfn = e ? gfn + 1 : 0;
		tlb[cpu][i].e = e;
	}
	if (write && (e & PTE_W))
		__atomic_store_n((uint64_t *)mfn_to_virt(pte_mfn(e)) + val % WORDS, val, __ATOMIC_SEQ_CST);
	irq_restore(flags);
	return e && (!write || (e & PTE_W));
}

/* false: nothing to write to is there. */
static bool cpu_write(unsigned int cpu, uint64_t gfn, uint64_t val)
{
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		if (try_access(cpu, gfn, true, val))
			return true;
		switch (p2m_write_fault(d, gfn)) {
		case P2M_fault_guest:
			return false;
		case P2M_fault_stale:
			tlb[cpu][gfn % TLB].gfn = 0;
			break;
		case P2M_fault_opened:
			break;
		}
	}
	ck_abort_msg("gfn %lx faults for ever", gfn);
	return false;
}

/* --- the machine --- */

static void setup(void)
{
	harness_init();
	memset(tlb, 0, sizeof(tlb));
	flush_broken = false;
	d = new_domain(1, CPUS);
	other = new_domain(2, 1);
	d->shared_info = alloc_hv_page();
	share_hv_page_with_guest(d->shared_info, d, false);
	ck_assert_int_eq(p2m_create(d), 0);
	d->is_hvm = true;
	run_as(d->vcpu[0], 0);
	shim_flushed = tlb_emptied;
	shim_freed = freed;
	ck_assert_int_eq(p2m_populate(d, 0, 9, 0), 1);
	ck_assert_int_eq(p2m_populate(d, 512, 9, 0), 1);
	ck_assert_int_eq(p2m_populate(d, 1030, 1, 0), 1);
}

static void log_on(void)
{
	ck_assert_ptr_null(p2m_log.control(d));
	ck_assert_int_eq(p2m_log.begin(d), 0);
	while (p2m_log.watch(d, true))
		;
	p2m_log.arm(d, true);
	p2m_log.control(d)->state = LOG_on;
}

static void log_off(void)
{
	if (!p2m_log.control(d))
		return;
	dirty_log_off(d);
	p2m_log.arm(d, false);
	while (p2m_log.watch(d, false))
		;
	while (p2m_log.release(d))
		;
	p2m_log.end(d);
}

static void all_open(void)
{
	for (uint64_t g = 0; g < GFNS; g++) {
		pte_t e = p2m_walk(d->p2m, g);

		ck_assert(!e || ((e & PTE_W) && !(e & P2M_changed)));
		ck_assert(!e || !(mfn_to_page(pte_mfn(e))->flags & PGF_written));
	}
}

static void teardown(void)
{
	int rc;

	log_off();
	all_open();
	shim_freed = NULL;
	d->is_dying = DOMDYING_dying;
	preempt_one_in = 3;
	do
		rc = p2m_relinquish(d);
	while (rc == -ERESTART_HC);
	preempt_one_in = 0;
	ck_assert_uint_eq(d->p2m->nr_tables, 0);
	p2m_destroy(d);
	d->is_dying = DOMDYING_alive;
	unshare_hv_page(d->shared_info);
	destroy_domain(other, 0);
	destroy_domain(d, 0);
	dirty_log_free(d);
}

/* --- the reader --- */

static void tell_nr(uint64_t nr, void *arg)
{
	if (nr < GFNS)
		told[nr] = true;
	far_told += nr >= 1u << 20 && nr < 2u << 20;
}

static void tell(struct page_info *pg, void *arg) { tell_nr(m2p_get(page_to_mfn(pg)), arg); }
static const struct log_gone gone = { .tell = tell_nr };

static unsigned int round_of_log(bool look)
{
	unsigned int n = 0;

	memset(told, 0, sizeof(told));
	for (uint64_t c = 0; c < d->dirty_log->nr_chunks; c++)
		dirty_log_each(d, c, !look, tell, NULL);
	p2m_log.control(d)->cursor = 0;
	while (p2m_log.close(d, look, &gone))
		;
	for (unsigned int g = 0; g < GFNS; g++)
		n += told[g];
	return n;
}

static void copy_told(void)
{
	for (unsigned int g = 0; g < GFNS; g++) {
		mfn_t m = p2m_lookup(d, g, NULL);

		for (unsigned int i = 0; told[g] && i < WORDS; i++)
			copies[g][i] = m.m == INVALID_MFN.m ? NO_FRAME :
				       __atomic_load_n((uint64_t *)mfn_to_virt(m) + i, __ATOMIC_SEQ_CST);
	}
}

/* How many differ; what the hypervisor shares is not memory to be kept. */
static unsigned int compare(void)
{
	unsigned int missed = 0;

	for (unsigned int g = 0; g < GFNS; g++) {
		enum p2m_type type;
		mfn_t m = p2m_lookup(d, g, &type);

		if (type == P2M_hole)
			missed += copies[g][0] != NO_FRAME;
		else if (type == P2M_ram_rw)
			missed += memcmp(copies[g], mfn_to_virt(m), sizeof(copies[g])) != 0;
	}
	return missed;
}

static void copy_all(void)
{
	memset(told, 1, sizeof(told));
	copy_told();
}

/* --- tests --- */

START_TEST(a_write_is_told_once)
{
	log_on();
	ck_assert_uint_eq(round_of_log(false), 0);
	ck_assert(try_access(0, 7, false, 0));
	ck_assert_uint_eq(round_of_log(false), 0);
	ck_assert(cpu_write(0, 7, 1) && cpu_write(0, 7, 2) && cpu_write(1, 7, 3));
	ck_assert_uint_eq(round_of_log(true), 1);
	ck_assert_uint_eq(round_of_log(false), 1);
	ck_assert(told[7]);
	ck_assert_uint_eq(round_of_log(false), 0);
	ck_assert(cpu_write(1, 7, 4) && cpu_write(0, 1031, 5));
	ck_assert_uint_eq(round_of_log(false), 2);
	ck_assert(told[7] && told[1031]);
	/* The other large one is still in one piece. */
	ck_assert(*p2m_slot_large(d->p2m, 512, false) & PTE_PSE);
	ck_assert(!cpu_write(0, 1029, 1));
	ck_assert_uint_eq(p2m_log.control(d)->faults, 3);
}
END_TEST

START_TEST(another_cpu_was_first)
{
	log_on();
	ck_assert(cpu_write(0, 3, 1));
	ck_assert_int_eq(p2m_write_fault(d, 3), P2M_fault_stale);
	ck_assert_int_eq(p2m_write_fault(d, 4), P2M_fault_opened);
	ck_assert_int_eq(p2m_write_fault(d, 1200), P2M_fault_guest);
	ck_assert_int_eq(p2m_write_fault(d, P2M_MAX_GFN), P2M_fault_guest);
	ck_assert_int_eq(p2m_write_fault(d, ~0ULL), P2M_fault_guest);
	log_off();
	ck_assert_int_eq(p2m_write_fault(d, 3), P2M_fault_stale);
}
END_TEST

/* A TLB that remembers: why a round ends with a flush. */
START_TEST(without_the_flush)
{
	log_on();
	copy_all();
	ck_assert(cpu_write(0, 7, 1));
	flush_broken = true;
	round_of_log(false);
	copy_told();
	ck_assert_uint_eq(compare(), 0);
	ck_assert(cpu_write(0, 7, 2)); /* by what it knows */
	ck_assert_uint_eq(round_of_log(false), 0);
	copy_told();
	ck_assert_uint_eq(compare(), 1);
	flush_broken = false;
	round_of_log(false);
	ck_assert(cpu_write(0, 7, 3));
	ck_assert_uint_eq(round_of_log(false), 1);
	copy_told();
	ck_assert_uint_eq(compare(), 0);
}
END_TEST

/* No memory for a table: all of the large entry is told, and it is closed again. */
START_TEST(without_memory)
{
	log_on();
	d->p2m->nr_tables += 1000000;
	ck_assert(cpu_write(0, 600, 1) && cpu_write(0, 601, 1));
	ck_assert_uint_eq(p2m_log.control(d)->faults, 1);
	ck_assert_uint_eq(round_of_log(false), 512);
	ck_assert(told[512] && told[600] && told[1023] && !told[511]);
	ck_assert_uint_eq(round_of_log(false), 0);
	ck_assert(cpu_write(0, 602, 1));
	d->p2m->nr_tables -= 1000000;
	/* It is split when it is open. */
	ck_assert_int_eq(p2m_release_page(d, 700), 0);
	ck_assert_uint_eq(round_of_log(false), 512);
	ck_assert(cpu_write(0, 602, 1));
	ck_assert_uint_eq(round_of_log(false), 1);
}
END_TEST

static long add(unsigned int space, uint64_t idx, uint64_t gfn)
{
	struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn };

	return call_memory_op(XENMEM_add_to_physmap, &a);
}

START_TEST(numbers_that_change)
{
	log_on();
	ck_assert_int_eq(p2m_release_page(d, 9), 0);
	ck_assert_int_eq(p2m_populate(d, 1100, 0, 0), 1);
	ck_assert_uint_eq(round_of_log(true), 2);
	ck_assert_uint_eq(round_of_log(false), 2);
	ck_assert(told[9] && told[1100]);
	ck_assert_uint_eq(round_of_log(false), 0);
	/* A page moves; one is given up for what the hypervisor shares; that goes. */
	ck_assert_int_eq(add(XENMAPSPACE_gmfn, 1030, 1200), 0);
	ck_assert_int_eq(add(XENMAPSPACE_shared_info, 0, 20), 0);
	ck_assert_uint_eq(round_of_log(false), 3);
	ck_assert(told[1030] && told[1200] && told[20]);
	ck_assert(cpu_write(0, 20, 3));
	ck_assert_uint_eq(round_of_log(false), 0);
	ck_assert_int_eq(p2m_remove_page(d, 20, INVALID_MFN, P2M_TYPE(P2M_shared), NULL), 0);
	round_of_log(false);
	ck_assert(told[20] && !told[21]);
	/* Given up and got back: told once, though it is another page. */
	ck_assert_int_eq(p2m_release_page(d, 1031), 0);
	ck_assert_int_eq(p2m_populate(d, 1031, 0, 0), 1);
	ck_assert_uint_eq(round_of_log(false), 1);
	ck_assert(cpu_write(0, 1031, 3));
	ck_assert_uint_eq(round_of_log(false), 1);
	/* 512 at once, where no table was. */
	d->max_pages = 4096;
	round_of_log(false);
	for (uint64_t g = 512; g < 1024; g++)
		ck_assert_int_eq(p2m_release_page(d, g), 0);
	ck_assert_uint_eq(round_of_log(false), 512);
	ck_assert_int_eq(p2m_populate(d, 1u << 20, 9, 0), 1);
	ck_assert_int_eq(p2m_write_fault(d, 1u << 20), P2M_fault_stale);
	far_told = 0;
	round_of_log(true);
	ck_assert_uint_eq(far_told, 2 * 512); /* by the pages' names, and by the entry */
	round_of_log(false);
	ck_assert_int_eq(p2m_write_fault(d, 1u << 20), P2M_fault_opened);
	round_of_log(false);
	far_told = 0;
	ck_assert_int_eq(p2m_write_fault(d, (1u << 20) + 7), P2M_fault_opened);
	round_of_log(false);
	ck_assert_uint_eq(far_told, 1);
}
END_TEST

/* What others have granted is theirs to log. */
START_TEST(grants_of_others)
{
	struct page_info *pg = new_page(other);

	ck_assert_int_eq(p2m_add_page(d, 1300, pg, other, P2M_grant_rw), 0);
	ck_assert_int_eq(p2m_add_page(d, 1302, pg, other, P2M_grant_ro), 0);
	log_on();
	ck_assert_int_eq(p2m_add_page(d, 1301, pg, other, P2M_grant_rw), 0);
	round_of_log(false);
	ck_assert(cpu_write(0, 1300, 1) && cpu_write(0, 1301, 1) && !cpu_write(0, 1302, 1));
	ck_assert_uint_eq(round_of_log(false), 0);
	log_off();
	for (uint64_t g = 1300; g < 1303; g++)
		ck_assert_int_eq(p2m_remove_page(d, g, page_to_mfn(pg), P2M_TYPE(P2M_grant_rw) | P2M_TYPE(P2M_grant_ro), NULL), 0);
	ck_assert_uint_eq(pg->count_info & PGC_count_mask, 1);
	ck_assert_uint_eq(pg->type_info & PGT_count_mask, 0);
}
END_TEST

/* The hypervisor, and those to whom it was granted, do not ask the entry. */
START_TEST(others_who_write)
{
	struct page_info *pg;

	log_on();
	pg = p2m_get_page(d, 5, true);
	ck_assert_ptr_nonnull(pg);
	page_written_known(pg);
	put_page_and_type(pg);
	ck_assert_uint_eq(round_of_log(false), 1);
	ck_assert(told[5]);
}
END_TEST

static bool walks_meet;
static void write_before_the_flush(const char *what)
{
	if (strcmp(what, "p2m: closed, not flushed"))
		return;
	walks_meet = true;
	for (unsigned int i = 0; i < 40; i++)
		cpu_write(rnd() % CPUS, rnd() % GFNS, rnd());
}

static void change(uint64_t gfn)
{
	switch (rnd() % 6) {
	case 0:
		p2m_populate(d, gfn, rnd() % 3, 0);
		break;
	case 1:
		p2m_release_page(d, gfn);
		break;
	case 2:
		add(XENMAPSPACE_gmfn, gfn, rnd() % GFNS);
		break;
	case 3:
		if (rnd() % 16 == 0)
			p2m_populate(d, gfn & ~511ULL, 9, 0);
		break;
	case 4:
		add(XENMAPSPACE_shared_info, 0, gfn);
		break;
	default:
		p2m_remove_page(d, gfn, INVALID_MFN, P2M_TYPE(P2M_shared), NULL);
	}
}

static void random_step(unsigned int cpu)
{
	uint64_t gfn = rnd() % 4 ? rnd() % 64 * 17 : rnd() % GFNS;

	if (rnd() % 32 == 0)
		change(gfn);
	else if (rnd() % 4 == 0)
		try_access(cpu, gfn, false, 0);
	else
		cpu_write(cpu, gfn, rnd());
}

/* All in turn, with CPUs that write between the last look and the flush. */
START_TEST(random_steps)
{
	log_on();
	copy_all();
	shim_hook = write_before_the_flush;
	preempt_one_in = 4;
	for (unsigned int i = 0; i < 20000; i++) {
		random_step(rnd() % CPUS);
		if (rnd() % 64 == 0) {
			round_of_log(rnd() % 4 == 0);
			copy_told();
		}
	}
	shim_hook = NULL;
	preempt_one_in = 0;
	ck_assert(walks_meet);
	round_of_log(false);
	copy_told();
	ck_assert_uint_eq(compare(), 0);
}
END_TEST

/* --- several CPUs --- */

static volatile bool stop;

static void *guest_cpu(void *arg)
{
	struct vcpu *v = arg;

	run_as(v, v->vcpu_id);
	while (!stop)
		random_step(v->vcpu_id);
	return NULL;
}

static void follow(unsigned int rounds)
{
	pthread_t th[CPUS - 1];
	unsigned int i;

	stop = false;
	for (i = 0; i < CPUS - 1; i++)
		pthread_create(&th[i], NULL, guest_cpu, d->vcpu[i + 1]);
	log_on();
	copy_all();
	for (i = 0; i < rounds; i++) {
		round_of_log(false);
		copy_told();
	}
	stop = true;
	for (i = 0; i < CPUS - 1; i++)
		pthread_join(th[i], NULL);
	round_of_log(false);
	copy_told();
	ck_assert_uint_eq(compare(), 0);
	log_off();
	all_open();
}

START_TEST(nothing_is_missed)
{
	/* CPUs fill what they know while others free: which one was first is not to be seen from here. */
	shim_freed = NULL;
	for (unsigned int i = 0; i < 8; i++)
		follow(50);
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
	shim_freed = NULL;
	shim_hook = wait_a_little;
	for (unsigned int i = 0; i < 4; i++)
		follow(30);
	shim_hook = NULL;
}
END_TEST

/* A domain that ends in the middle of it, its log still on: teardown has the rest. */
START_TEST(the_end)
{
	log_on();
	ck_assert_int_eq(p2m_release_page(d, 9), 0);
	ck_assert(cpu_write(0, 10, 1));
	preempt_one_in = 2;
	d->is_dying = DOMDYING_dying;
	log_off();
	preempt_one_in = 0;
	d->is_dying = DOMDYING_alive;
}
END_TEST

Suite *suite_p2m_log(void);
Suite *suite_p2m_log(void)
{
	Suite *s = suite_create("log of writes, nested tables");
	TCase *t = tcase_create("p2m log");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_write_is_told_once);
	tcase_add_test(t, another_cpu_was_first);
	tcase_add_test(t, without_the_flush);
	tcase_add_test(t, without_memory);
	tcase_add_test(t, numbers_that_change);
	tcase_add_test(t, grants_of_others);
	tcase_add_test(t, others_who_write);
	tcase_add_test(t, random_steps);
	tcase_add_test(t, the_end);
	tcase_add_test(t, nothing_is_missed);
	tcase_add_test(t, nothing_is_missed_with_delays);
	suite_add_tcase(s, t);
	return s;
}
