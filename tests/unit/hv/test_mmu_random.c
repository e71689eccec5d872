/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest: random stores into random tables, pins, bases, ballooning, with
 * preemption at every turn, on one CPU with an audit in between, or on several at
 * once with an audit at the end. Whatever it does, the counts are right and all
 * memory comes back.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include "control/hypercall.h"
#include "harness.h"
#include <xen/memory.h>

#define PAGES 40u
#define ROUNDS 40000u

static struct domain *d, *other;
static struct page_info *pool[PAGES + 2];

/* A page fit for a level more often than not: 4..7 are L4s, 8..15 L3s, and so on. */
static struct page_info *pick(int level)
{
	static const struct { uint8_t first, nr; } at[5] = { { 28, 12 }, { 18, 10 }, { 12, 6 }, { 6, 6 }, { 0, 6 } };

	if (rnd() % 12 == 0)
		return pool[rnd() % (PAGES + 2)];
	return pool[at[level].first + rnd() % at[level].nr];
}

static unsigned int pick_slot(void)
{
	static const uint16_t slots[] = { 0, 1, 2, 3, 100, 255, 256, 261, 271, 272, 300, 511 };

	return slots[rnd() % ARRAY_SIZE(slots)];
}

static uint64_t pick_entry(int level)
{
	uint64_t flags = PTE_P | PTE_U;
	struct page_info *to = level == 4 && rnd() % 8 == 0 ? pick(4) : pick(level - 1);

	if (rnd() % 4 == 0)
		return rnd() % 2 ? 0 : (uint64_t)rnd() << 12 & ~PTE_P;
	if (rnd() % 3)
		flags |= PTE_W;
	if (rnd() % 40 == 0)
		flags |= 1ULL << (rnd() % 64);
	return pte_for(to, flags);
}

static void balloon(void)
{
	xen_pfn_t frame = page_to_mfn(pick((int)(rnd() % 5))).m;
	struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };

	r.extent_start.p = &frame;
	/* The pool keeps naming the frame, which another allocation may bring back. */
	do_memory_op(XENMEM_decrease_reservation, (unsigned long)&r);
	frame = 1;
	do_memory_op(XENMEM_increase_reservation, (unsigned long)&r);
}

static void open_root(void)
{
	unsigned long flags = irq_save();

	if (current->pv.fast_root && !current->pv.root_opened)
		root_open_kernel(current);
	irq_restore(flags);
}

/* To sleep and back. */
static void switch_out(void)
{
	struct vcpu *v = current, idle = { .domain = idle_domain };
	unsigned long flags = irq_save();

	pv_mmu_switch_from(v);
	pv_mmu_switch_to(&idle);
	__atomic_store_n(&v->is_running, false, __ATOMIC_RELEASE);
	__atomic_store_n(&v->is_running, true, __ATOMIC_SEQ_CST);
	pv_mmu_switch_to(v);
	irq_restore(flags);
}

static void one_action(void)
{
	int level = 1 + (int)(rnd() % 4);
	struct page_info *pg = pick(level);
	uint64_t frame = page_to_mfn(pg).m;

	switch (rnd() % 16) {
	case 0:
		pin(pg, level);
		break;
	case 1: case 2:
		unpin(pg);
		break;
	case 3:
		call_mmuext(MMUEXT_NEW_BASEPTR, page_to_mfn(pick(4)).m);
		break;
	case 4:
		call_mmuext(MMUEXT_NEW_USER_BASEPTR, rnd() % 4 ? page_to_mfn(pick(4)).m : 0);
		break;
	case 5:
		call_update_va((uint64_t)pick_slot() << 39 | (uint64_t)pick_slot() << 30 | pick_slot() << 21 |
			       pick_slot() << 12, pick_entry(1), rnd() % 3);
		break;
	case 6:
		call_mmuext(rnd() % 2 ? MMUEXT_CLEAR_PAGE : MMUEXT_TLB_FLUSH_ALL, frame);
		break;
	case 7:
		if (rnd() % 8 == 0)
			balloon();
		break;
	case 8:
		do_update_descriptor(frame << PAGE_SHIFT | 8 * (rnd() % 512), 0x00cf92000000ffffULL);
		break;
	case 9:
		open_root();
		if (rnd() % 4 == 0)
			switch_out();
		break;
	default:
		set_entry(pg, pick_slot(), pick_entry(level));
	}
}

static void start(unsigned int vcpus, unsigned int seed)
{
	harness_init();
	d = new_domain(1, vcpus);
	other = new_domain(2, 1);
	run_as(d->vcpu[0], 0);
	for (unsigned int i = 0; i < PAGES; i++)
		pool[i] = new_page(d);
	pool[PAGES] = new_page(other);
	pool[PAGES + 1] = mfn_to_page(virt_to_mfn(alloc_hv_page()));
	preempt_one_in = 3;
	for (unsigned int i = 0; i < seed; i++)
		rnd();
}

static void finish(void)
{
	audit(d);
	audit(other);
	destroy_domain(d, 0);
	destroy_domain(other, 0);
}

START_TEST(one_cpu)
{
	start(1, (unsigned int)_i);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		one_action();
		if (i % 16 == 0)
			audit(d);
	}
	finish();
}
END_TEST

static void *cpu_thread(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg;

	run_as(d->vcpu[cpu], cpu);
	for (unsigned int i = 0; i < cpu * 3; i++)
		rnd();
	for (unsigned int i = 0; i < ROUNDS * 4; i++)
		one_action();
	while (pv_finish_partial(current))
		;
	return NULL;
}

START_TEST(several_cpus)
{
	pthread_t t[4];
	uintptr_t i;

	start(4, (unsigned int)_i);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, cpu_thread, (void *)i), 0);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	finish();
}
END_TEST

Suite *suite_mmu_random(void);
Suite *suite_mmu_random(void)
{
	Suite *s = suite_create("random guests");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, one_cpu, 0, 8);
	tcase_add_loop_test(t, several_cpus, 0, 4);
	suite_add_tcase(s, t);
	return s;
}
