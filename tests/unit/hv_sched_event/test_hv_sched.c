/* SPDX-License-Identifier: MIT */
/* Timers against a sorted list; the scheduler in simulated time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/hv_sched_event/shim.h"
#include "sched/private.h"
#include "x86/softirq.h"

#define NR 200
static struct timer timers[NR];
static s_time_t due[NR];
static unsigned int fired;

static void fire(void *data)
{
	unsigned int i = (unsigned int)(uintptr_t)data;

	ck_assert_int_ne(due[i], 0);
	ck_assert_int_le(due[i], test_now);
	due[i] = 0;
	fired++;
}

START_TEST(timer_heap)
{
	unsigned int i, round;

	test_machine(2);
	srand(3);
	memset(due, 0, sizeof(due));
	for (i = 0; i < NR; i++)
		timer_init(&timers[i], fire, (void *)(uintptr_t)i, i % 2);
	for (round = 0; round < 50000; round++) {
		i = (unsigned int)rand() % NR;
		switch (rand() % 5) {
		case 0:
			timer_stop(&timers[i]);
			due[i] = 0;
			break;
		case 1:
			timer_migrate(&timers[i], (unsigned int)rand() % 2);
			break;
		default:
			due[i] = test_now + rand() % 10000;
			timer_set(&timers[i], due[i]);
		}
		test_now += rand() % 100;
		if (round % 7)
			continue;
		for (test_cpu = 0; test_cpu < 2; test_cpu++) {
			softirq_raise(TIMER_SOFTIRQ);
			do_softirq();
		}
		test_cpu = 0;
		for (i = 0; i < NR; i++)
			ck_assert(due[i] == 0 || due[i] > test_now);
	}
	ck_assert_uint_gt(fired, 1000);
	for (i = 0; i < NR; i++)
		timer_kill(&timers[i]);
	i = fired;
	timer_set(&timers[0], 0);
	softirq_raise(TIMER_SOFTIRQ);
	do_softirq();
	ck_assert_uint_eq(i, fired);
}
END_TEST

/* Lets all CPUs run for ns, in steps: timers and softirqs come when they are due. */
static void run(s_time_t ns, unsigned int cpus)
{
	s_time_t end = test_now + ns;

	while (test_now < end) {
		test_now += MICROSECS(100);
		for (test_cpu = 0; test_cpu < cpus; test_cpu++) {
			softirq_raise(TIMER_SOFTIRQ);
			do_softirq();
			ck_assert_ptr_eq(current, run_queues[test_cpu].curr);
		}
		test_cpu = 0;
	}
}

static s_time_t time_of(struct domain *d)
{
	s_time_t sum = 0;
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i)
		sum += vcpu_run_time(v);
	return sum;
}

static struct domain *busy(domid_t id, unsigned int vcpus)
{
	struct domain *d = test_domain(id, vcpus, 10);
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i)
		vcpu_wake(v);
	return d;
}

START_TEST(weights)
{
	struct domain *a, *b;

	test_machine(1);
	a = busy(1, 1);
	b = busy(2, 1);
	ck_assert_int_eq(sched_set_params(b, 512, 0), 0);
	ck_assert_int_ne(sched_set_params(b, 0, 0), 0);
	run(MILLISECS(3000), 1);
	ck_assert_int_gt(time_of(b) * 100 / time_of(a), 190);
	ck_assert_int_lt(time_of(b) * 100 / time_of(a), 210);
	ck_assert_int_gt(time_of(a) + time_of(b), MILLISECS(2950));
}
END_TEST

START_TEST(two_cpus)
{
	struct domain *a, *b, *c;

	test_machine(2);
	a = busy(1, 1);
	b = busy(2, 1);
	c = busy(3, 1);
	run(MILLISECS(6000), 2);
	ck_assert_int_gt(time_of(a) + time_of(b) + time_of(c), MILLISECS(11900));
	ck_assert_int_gt(time_of(a), MILLISECS(2500));
	ck_assert_int_gt(time_of(b), MILLISECS(2500));
	ck_assert_int_gt(time_of(c), MILLISECS(2500));
}
END_TEST

START_TEST(caps)
{
	struct domain *a;
	s_time_t before;

	test_machine(2);
	a = busy(1, 2);
	sched_set_params(a, 256, 25);
	run(MILLISECS(3000), 2);
	ck_assert_int_gt(time_of(a), MILLISECS(3000) / 100 * 22);
	ck_assert_int_lt(time_of(a), MILLISECS(3000) / 100 * 28);
	sched_set_params(a, 256, 0);
	run(MILLISECS(100), 2);
	before = time_of(a);
	run(MILLISECS(1000), 2);
	ck_assert_int_gt(time_of(a) - before, MILLISECS(1950));
}
END_TEST

START_TEST(pinning)
{
	struct domain *a, *b;
	cpumask_t mask = 2;

	test_machine(2);
	a = busy(1, 1);
	b = busy(2, 1);
	current = host_domain->vcpu[0];
	ck_assert_int_eq(sched_set_affinity(a->vcpu[0], &mask, NULL), 0);
	ck_assert_int_eq(sched_set_affinity(b->vcpu[0], &mask, NULL), 0);
	mask = 4;
	ck_assert_int_ne(sched_set_affinity(b->vcpu[0], &mask, NULL), 0);
	current = run_queues[0].curr;
	run(MILLISECS(2000), 2);
	ck_assert_uint_eq(a->vcpu[0]->processor, 1);
	ck_assert_uint_eq(b->vcpu[0]->processor, 1);
	ck_assert_int_lt(time_of(a) + time_of(b), MILLISECS(2020));
	ck_assert_int_gt(time_of(a), MILLISECS(950));
	ck_assert_int_gt(time_of(b), MILLISECS(950));
}
END_TEST

/* One that sleeps a lot gets the CPU at once when it wakes, and no more than its share. */
START_TEST(sleeper)
{
	struct domain *hog, *a;
	struct vcpu *v;
	unsigned int i;

	test_machine(1);
	hog = busy(1, 1);
	a = busy(2, 1);
	v = a->vcpu[0];
	for (i = 0; i < 200; i++) {
		v->pause_flags |= VPF_blocked;
		vcpu_sleep_nosync(v);
		softirq_raise(SCHEDULE_SOFTIRQ);
		run(MILLISECS(10), 1);
		ck_assert_ptr_eq(current, hog->vcpu[0]);
		vcpu_unblock(v);
		run(MICROSECS(200), 1);
		ck_assert_ptr_eq(current, v);
	}
	/* No credit saved up: from now on it is one of two. */
	run(MILLISECS(40), 1);
	i = (unsigned int)(time_of(hog) / 1000000);
	run(MILLISECS(100), 1);
	ck_assert_int_gt(time_of(hog) / 1000000 - i, 40);
}
END_TEST

START_TEST(pausing)
{
	struct domain *a;
	s_time_t before;

	test_machine(1);
	a = busy(1, 1);
	run(MILLISECS(10), 1);
	domain_pause_nosync(a);
	vcpu_pause(a->vcpu[0]);
	run(MILLISECS(1), 1);
	ck_assert_ptr_eq(current, idle_vcpu[0]);
	before = time_of(a);
	domain_unpause(a);
	run(MILLISECS(10), 1);
	ck_assert_int_eq(time_of(a), before);
	vcpu_unpause(a->vcpu[0]);
	run(MILLISECS(10), 1);
	ck_assert_int_gt(time_of(a), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv_sched");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, timer_heap);
	tcase_add_test(c, weights);
	tcase_add_test(c, two_cpus);
	tcase_add_test(c, caps);
	tcase_add_test(c, pinning);
	tcase_add_test(c, sleeper);
	tcase_add_test(c, pausing);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
