/* SPDX-License-Identifier: MIT */
/* Timers against a sorted list; the scheduler in simulated time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/hv_sched_event/shim.h"
#include "host/host.h"
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

/* Doorbells ring on CPU 0. While it does not get around to one, whoever else does serves it. */
START_TEST(doorbell_not_heard)
{
	const uint32_t host = 1u << HOST_SOFTIRQ, send = 1u << EVENT_SEND_SOFTIRQ;

	test_machine(3);
	host_doorbell(HOST_SOFTIRQ);
	ck_assert_uint_eq(softirq_pending[0], host);
	ck_assert_uint_eq(softirq_pending[1] | softirq_pending[2], 0);
	host_doorbell(EVENT_SEND_SOFTIRQ);
	ck_assert_uint_eq(softirq_pending[1] | softirq_pending[2], 0);
	softirq_raise(TIMER_SOFTIRQ);
	host_doorbell(HOST_SOFTIRQ);
	ck_assert_uint_eq(softirq_pending[1], host | send);
	ck_assert_uint_eq(softirq_pending[2], host | send);
	ck_assert_uint_eq(softirq_pending[3], 0);
	softirq_pending[0] = softirq_pending[1] = softirq_pending[2] = 0;
	host_doorbell(HOST_SOFTIRQ);
	ck_assert_uint_eq(softirq_pending[1] | softirq_pending[2], 0);
}
END_TEST

/* Work for a domain that sleeps is its own, not that of the one it interrupts. */
START_TEST(work_for_others)
{
	struct domain *a, *b;
	s_time_t start, before;

	test_machine(1);
	a = busy(1, 1);
	b = test_domain(2, 1, 10);
	run(MILLISECS(10), 1);
	before = time_of(a);
	start = test_now;
	test_now += MILLISECS(1);
	sched_charge_work(b->vcpu[0], start);
	ck_assert_int_eq(b->sched.work_ns, MILLISECS(1));
	ck_assert_int_eq(time_of(a), before);
	/* Its own is counted already. */
	start = test_now;
	test_now += MILLISECS(1);
	sched_charge_work(a->vcpu[0], start);
	ck_assert_int_eq(a->sched.work_ns, 0);
	ck_assert_int_eq(time_of(a), before + MILLISECS(1));
}
END_TEST

/* The guest's copy follows when its vCPU stops, not only when it starts. */
START_TEST(runstate_area)
{
	static struct vcpu_runstate_info area;
	struct domain *a;
	struct vcpu *v;

	test_machine(1);
	a = busy(1, 1);
	busy(2, 1);
	v = a->vcpu[0];
	v->vtime.runstate_area = (struct guest_area){ .va = { (uint8_t *)&area }, .first = sizeof(area) };
	for (unsigned int i = 0; i < 50; i++) {
		run(MILLISECS(1), 1);
		if (current == v || v->sched.runstate_ns[RUNSTATE_running] == 0)
			continue;
		ck_assert_int_eq(area.state, RUNSTATE_runnable);
		ck_assert_int_eq((s_time_t)area.time[RUNSTATE_running], v->sched.runstate_ns[RUNSTATE_running]);
	}
	while (current != v)
		run(MICROSECS(100), 1);
	v->pause_flags |= VPF_blocked;
	vcpu_sleep_nosync(v);
	run(MILLISECS(1), 1);
	ck_assert_int_eq(area.state, RUNSTATE_blocked);
	/* A sibling takes it down while it waits for the CPU. */
	vcpu_unblock(v);
	while (current != v)
		run(MICROSECS(100), 1);
	while (current == v)
		run(MICROSECS(100), 1);
	ck_assert_int_eq(area.state, RUNSTATE_runnable);
	v->pause_flags |= VPF_down;
	vcpu_sleep_nosync(v);
	ck_assert_int_eq(area.state, RUNSTATE_offline);
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
	tcase_add_test(c, doorbell_not_heard);
	tcase_add_test(c, work_for_others);
	tcase_add_test(c, runstate_area);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
