/* SPDX-License-Identifier: MIT */
/*
 * Who gets how much, and who waits how long: the scheduler on several CPUs in
 * simulated time, beside the shares that water filling gives.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/hv_sched_event/shim.h"
#include "sched/private.h"
#include "x86/softirq.h"

#define STEP MICROSECS(100)
#define SECONDS(s) MILLISECS(1000 * (s))
#define LONGEST_WAIT MILLISECS(100)
#define MAX_DOMS 300
#define MAX_ACTORS 300
#define MANY 40

/* What a vCPU does: it runs for `on`, then rings `next` or not, then sleeps for `off` or until rung. */
struct actor {
	struct vcpu *v;
	s_time_t on, off, left, wake_at;
	struct actor *next;
};

struct dom {
	struct domain *d;
	s_time_t start;                  /* CPU time when it began to count */
	s_time_t waits_since, worst_wait; /* none of its vCPUs runs, and one would */
};

static struct actor actors[MAX_ACTORS];
static struct dom doms[MAX_DOMS];
static unsigned int nr_actors, nr_doms, nr_cpus;
static s_time_t frozen_until[NR_CPUS]; /* the host runs something else there */

/* How many vCPUs are looked at as candidates for another CPU, in the longest step of a CPU. */
static unsigned int looks, most_looks;
cpumask_t __real_allowed_cpus(const struct vcpu *v);
cpumask_t __wrap_allowed_cpus(const struct vcpu *v);
cpumask_t __wrap_allowed_cpus(const struct vcpu *v)
{
	looks++;
	return __real_allowed_cpus(v);
}

static void machine(unsigned int cpus)
{
	memset(actors, 0, sizeof(actors));
	memset(doms, 0, sizeof(doms));
	memset(frozen_until, 0, sizeof(frozen_until));
	nr_actors = nr_doms = 0;
	nr_cpus = cpus;
	test_machine(cpus);
}

static struct dom *add(unsigned int vcpus, uint32_t weight, s_time_t on, s_time_t off)
{
	struct dom *dom = &doms[nr_doms];
	unsigned int i;

	dom->d = test_domain((domid_t)(8 + nr_doms++), vcpus, 10);
	ck_assert_int_eq(sched_set_params(dom->d, weight, 0), 0);
	for (i = 0; i < vcpus; i++) {
		struct actor *a = &actors[nr_actors++];

		ck_assert_uint_le(nr_actors, MAX_ACTORS);
		*a = (struct actor){ .v = dom->d->vcpu[i], .on = on, .off = off, .left = on };
		vcpu_wake(a->v);
	}
	return dom;
}

static struct dom *spinner(unsigned int vcpus, uint32_t weight)
{
	return add(vcpus, weight, 0, 0);
}

/* A ring of vCPUs: each runs for burst, wakes the next and sleeps. */
static struct dom *relay(unsigned int vcpus, uint32_t weight, s_time_t burst)
{
	struct actor *first = &actors[nr_actors];
	struct dom *dom = add(vcpus, weight, burst, 0);
	unsigned int i;

	for (i = 0; i < vcpus; i++) {
		first[i].next = &first[(i + 1) % vcpus];
		if (i == 0)
			continue;
		first[i].v->pause_flags |= VPF_blocked;
		vcpu_sleep_nosync(first[i].v);
	}
	return dom;
}

static void pin(struct dom *dom, unsigned int vcpu, cpumask_t mask)
{
	struct vcpu *was = current;

	current = host_domain->vcpu[0];
	ck_assert_int_eq(sched_set_affinity(dom->d->vcpu[vcpu], &mask, NULL), 0);
	current = was;
}

static struct actor *actor_of(const struct vcpu *v)
{
	unsigned int i;

	for (i = 0; i < nr_actors; i++)
		if (actors[i].v == v)
			return &actors[i];
	return NULL;
}

static void sleep_now(struct actor *a)
{
	a->left = a->on;
	if (a->next)
		vcpu_unblock(a->next->v);
	else
		a->wake_at = test_now + a->off;
	__atomic_fetch_or(&a->v->pause_flags, VPF_blocked, __ATOMIC_SEQ_CST);
	vcpu_sleep_nosync(a->v);
}

/* A step has passed here: first what the one that ran did in it. */
static void step_cpu(void)
{
	struct actor *a = actor_of(current);

	looks = 0;
	if (a && a->on) {
		a->left -= STEP;
		if (a->left <= 0)
			sleep_now(a);
	}
	softirq_raise(TIMER_SOFTIRQ);
	do_softirq();
	most_looks = max(most_looks, looks);
}

static void watch(struct dom *dom)
{
	bool runs = false, wants = false;
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(dom->d, v, i) {
		runs |= run_queues[v->processor].curr == v;
		wants |= v->sched.on_queue;
	}
	if (runs || !wants)
		dom->waits_since = test_now;
	dom->worst_wait = max(dom->worst_wait, test_now - dom->waits_since);
}

static void run(s_time_t ns)
{
	s_time_t end = test_now + ns;
	unsigned int i, cpu;

	while (test_now < end) {
		test_now += STEP;
		for (i = 0; i < nr_actors; i++)
			if (actors[i].wake_at && actors[i].wake_at <= test_now) {
				actors[i].wake_at = 0;
				vcpu_unblock(actors[i].v);
			}
		for (cpu = 0; cpu < nr_cpus; cpu++) {
			test_cpu = cpu;
			if (frozen_until[cpu] <= test_now)
				step_cpu();
		}
		test_cpu = 0;
		for (i = 0; i < nr_doms; i++)
			watch(&doms[i]);
	}
}

static s_time_t time_of(const struct dom *dom)
{
	s_time_t sum = 0;
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(dom->d, v, i)
		sum += vcpu_run_time(v);
	return sum - dom->start;
}

static void start_counting(void)
{
	unsigned int i;

	for (i = 0; i < nr_doms; i++) {
		doms[i].start = 0;
		doms[i].start = time_of(&doms[i]);
		doms[i].worst_wait = 0;
	}
}

/* The first half second is for finding the balance. */
static void settle_and_run(s_time_t ns)
{
	run(MILLISECS(500));
	start_counting();
	run(ns);
}

/* Thousandths of a CPU. */
static int share(const struct dom *dom, s_time_t ns)
{
	return (int)(time_of(dom) * 1000 / ns);
}

static void expect_share(const struct dom *dom, s_time_t ns, int ideal)
{
	int got = share(dom, ns), slack = max(ideal / 20, 3);

	ck_assert_msg(got >= ideal - slack && got <= ideal + slack, "domain %u: %d thousandths of a CPU, not %d",
		      (unsigned int)(dom - doms), got, ideal);
}

static void expect_waits(void)
{
	unsigned int i;

	for (i = 0; i < nr_doms; i++)
		ck_assert_msg(doms[i].worst_wait <= LONGEST_WAIT, "domain %u waited for %d us", i,
			      (int)(doms[i].worst_wait / 1000));
}

START_TEST(three_on_two)
{
	unsigned int i;

	machine(2);
	for (i = 0; i < 3; i++)
		spinner(1, 256);
	settle_and_run(SECONDS(10));
	for (i = 0; i < 3; i++)
		expect_share(&doms[i], SECONDS(10), 667);
	expect_waits();
}
END_TEST

START_TEST(weights_on_two)
{
	struct dom *a, *b;

	machine(2);
	a = spinner(2, 256);
	b = spinner(2, 512);
	settle_and_run(SECONDS(10));
	expect_share(a, SECONDS(10), 667);
	expect_share(b, SECONDS(10), 1333);
	expect_waits();
}
END_TEST

/* The half-idle one takes less than it might; what it leaves is shared. */
START_TEST(mixed)
{
	struct dom *one, *half, *many;

	machine(2);
	one = spinner(1, 256);
	half = add(1, 256, MILLISECS(1), MILLISECS(1));
	many = spinner(8, 256);
	settle_and_run(SECONDS(10));
	ck_assert_int_ge(share(half, SECONDS(10)), 425); /* sleeps that are late are not made up for */
	expect_share(one, SECONDS(10), (2000 - share(half, SECONDS(10))) / 2);
	expect_share(many, SECONDS(10), (2000 - share(half, SECONDS(10))) / 2);
	ck_assert_int_ge(share(one, SECONDS(10)) + share(half, SECONDS(10)) + share(many, SECONDS(10)), 1990);
	expect_waits();
}
END_TEST

START_TEST(one_beside_many)
{
	struct dom *one, *many;

	machine(1);
	one = spinner(1, 256);
	many = spinner(32, 256);
	settle_and_run(SECONDS(10));
	expect_share(one, SECONDS(10), 500);
	expect_share(many, SECONDS(10), 500);
	expect_waits();
}
END_TEST

/* One CPU is all that one vCPU can use, whatever its weight. */
START_TEST(more_weight_than_vcpus)
{
	struct dom *heavy, *a, *b;

	machine(2);
	heavy = spinner(1, 25600);
	a = spinner(1, 256);
	b = spinner(3, 512);
	settle_and_run(SECONDS(10));
	expect_share(heavy, SECONDS(10), 1000);
	expect_share(a, SECONDS(10), 333);
	expect_share(b, SECONDS(10), 667);
	expect_waits();
}
END_TEST

static const struct { unsigned int vcpus; uint32_t weight; int victim; } rings[] = {
	{ 3, 256, 500 }, { 3, 2560, 909 }, { 32, 256, 500 }, { 2, 85, 249 },
};

START_TEST(ring)
{
	struct dom *victim;

	machine(1);
	victim = spinner(1, rings[_i].weight);
	relay(rings[_i].vcpus, 256, MICROSECS(300));
	settle_and_run(SECONDS(10));
	expect_share(victim, SECONDS(10), rings[_i].victim);
	expect_waits();
}
END_TEST

START_TEST(rings_on_two)
{
	struct dom *a, *b;

	machine(2);
	a = spinner(1, 256);
	b = spinner(1, 256);
	relay(6, 256, MICROSECS(300));
	settle_and_run(SECONDS(10));
	ck_assert_int_ge(share(a, SECONDS(10)), 633);
	ck_assert_int_ge(share(b, SECONDS(10)), 633);
	expect_waits();
}
END_TEST

/* Each nap lets others' clock go on; 31 that sleep earn no more than one. */
START_TEST(nappers)
{
	struct dom *victim;

	machine(1);
	victim = spinner(1, 256);
	add(31, 256, MICROSECS(500), MILLISECS(5));
	settle_and_run(SECONDS(10));
	expect_share(victim, SECONDS(10), 500);
	expect_waits();
}
END_TEST

static const struct { unsigned int cpus, spinners, nappers; int ideal; } apart[] = { { 8, 32, 8, 242 }, { 8, 8, 16, 889 } };

/* vCPUs that sleep in turns, each on a CPU of its own, are one domain all the same. */
START_TEST(nappers_apart)
{
	struct dom *many;
	unsigned int i;

	machine(apart[_i].cpus);
	for (i = 0; i < apart[_i].spinners; i++)
		spinner(1, 256);
	many = add(apart[_i].nappers, 256, MICROSECS(500), MILLISECS(5));
	settle_and_run(SECONDS(10));
	ck_assert_msg(share(many, SECONDS(10)) <= apart[_i].ideal * 105 / 100, "%d thousandths of a CPU, not %d",
		      share(many, SECONDS(10)), apart[_i].ideal);
	expect_waits();
}
END_TEST

/*
 * Whatever its period, and however many CPUs: beside a domain of many vCPUs, whose part each CPU's clock hurries on with
 * when one is alone there, and which brings claims from there when it is moved. Nor does its period, when it
 * is that of balancing, leave the one that shares its CPU there for ever.
 */
START_TEST(half_idle)
{
	unsigned int cpus = 2 + (unsigned int)_i % 3;
	s_time_t half_period = MICROSECS(100 + 100 * (_i / 3));
	struct dom *one, *half;
	int got;

	machine(cpus);
	one = spinner(1, 256);
	half = add(1, 256, half_period, half_period);
	spinner(8, 256);
	settle_and_run(SECONDS(5));
	got = share(half, SECONDS(5));
	ck_assert_msg(got >= (cpus == 2 ? 425 : 470), "a period of %d us on %u CPUs: %d thousandths of a CPU, not 500",
		      (int)(2 * half_period / 1000), cpus, got);
	expect_share(one, SECONDS(5), cpus == 2 ? (2000 - got) / 2 : 1000);
}
END_TEST

/* A mostly idle guest has the CPU as soon as it wakes. */
START_TEST(latency)
{
	struct dom *idler;
	s_time_t worst = 0;
	unsigned int i;

	machine(2);
	for (i = 0; i < 3; i++)
		spinner(2, 256);
	idler = add(1, 256, MICROSECS(200), MILLISECS(7));
	run(MILLISECS(500));
	for (i = 0; i < 500; i++) {
		start_counting();
		run(MILLISECS(10));
		worst = max(worst, idler->worst_wait);
	}
	ck_assert_int_le(worst, MICROSECS(300));
}
END_TEST

START_TEST(pinned_beside_floating)
{
	struct dom *p0, *p1, *a, *b;

	machine(3);
	p0 = spinner(1, 256);
	p1 = spinner(1, 256);
	pin(p0, 0, 1);
	pin(p1, 0, 1);
	/* CPU 0's clock falls behind the others' without bound. */
	run(SECONDS(20));
	a = spinner(1, 256);
	b = spinner(3, 512);
	settle_and_run(SECONDS(10));
	expect_share(p0, SECONDS(10), 500);
	expect_share(p1, SECONDS(10), 500);
	expect_share(a, SECONDS(10), 667);
	expect_share(b, SECONDS(10), 1333);
	expect_waits();
}
END_TEST

/* A domain with a vCPU on each of two CPUs that are not equally busy. */
START_TEST(pinned_apart)
{
	struct dom *a;
	unsigned int i;

	machine(2);
	a = spinner(2, 256);
	pin(a, 0, 1);
	pin(a, 1, 2);
	pin(spinner(1, 256), 0, 1);
	for (i = 0; i < 2; i++)
		pin(spinner(1, 256), 0, 2);
	settle_and_run(SECONDS(10));
	/* Half of its weight is on either CPU: 1/3 and 1/5. */
	expect_share(a, SECONDS(10), 533);
	expect_share(&doms[1], SECONDS(10), 667);
	expect_share(&doms[2], SECONDS(10), 400);
	expect_share(&doms[3], SECONDS(10), 400);
	expect_waits();
}
END_TEST

START_TEST(capped)
{
	struct dom *a, *b, *c;

	machine(2);
	a = spinner(2, 256);
	b = spinner(2, 256);
	c = spinner(1, 256);
	ck_assert_int_eq(sched_set_params(a->d, 256, 40), 0);
	settle_and_run(SECONDS(10));
	expect_share(a, SECONDS(10), 400);
	expect_share(b, SECONDS(10), 800);
	expect_share(c, SECONDS(10), 800);
}
END_TEST

/* The host takes a CPU away for a while: who had it then does not pay for all of that. */
START_TEST(stolen)
{
	struct dom *a, *b;
	unsigned int i;

	machine(1);
	a = spinner(1, 256);
	b = spinner(1, 256);
	run(MILLISECS(500));
	start_counting();
	for (i = 0; i < 10; i++) {
		frozen_until[0] = test_now + MILLISECS(500);
		run(MILLISECS(500));
		start_counting();
		run(MILLISECS(500));
		expect_waits();
		ck_assert_int_ge(share(a, MILLISECS(500)), 440);
		ck_assert_int_ge(share(b, MILLISECS(500)), 440);
	}
}
END_TEST

/* A weight of next to nothing is not nothing. */
START_TEST(feather)
{
	unsigned int i;

	machine(1);
	spinner(1, 65535);
	for (i = 0; i < 3; i++)
		spinner(1, 1);
	settle_and_run(SECONDS(10));
	expect_waits();
	ck_assert_int_ge(share(&doms[0], SECONDS(10)), 950);
}
END_TEST

/* All virtual times as if that much of it had passed. */
static void age(uint64_t by)
{
	unsigned int cpu, i, k;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		run_queues[cpu].clock += by;
		run_queues[cpu].least += by;
		run_queues[cpu].running += by;
		for (i = 0; i < nr_doms; i++)
			doms[i].d->sched_share[cpu].vtime += by;
	}
	for (k = 0; k < nr_actors; k++)
		actors[k].v->sched.vtime += by;
}

/* A small part of the least weight gets through half of the range of virtual time in 13 days. */
START_TEST(after_weeks)
{
	struct dom *many, *half;

	machine(2);
	many = spinner(32, 1);
	run(MILLISECS(500));
	age((_i ? UINT64_MAX : INT64_MAX) - SECONDS(1000));
	run(SECONDS(4));
	spinner(1, 256);
	half = add(1, 256, MILLISECS(1), MILLISECS(1));
	spinner(2, 512);
	settle_and_run(SECONDS(10));
	/* The light one has a turn of a millisecond now and then on either CPU (STARVED). */
	ck_assert_int_le(share(many, SECONDS(10)), 45);
	ck_assert_int_ge(share(half, SECONDS(10)), 400);
	expect_share(&doms[1], SECONDS(10), (2000 - share(many, SECONDS(10)) - share(half, SECONDS(10))) / 3);
	expect_waits();
}
END_TEST

START_TEST(many_domains)
{
	unsigned int i;

	machine(1);
	for (i = 0; i < MANY; i++)
		spinner(1, 256);
	settle_and_run(SECONDS(10));
	for (i = 0; i < MANY; i++)
		expect_share(&doms[i], SECONDS(10), 1000 / MANY);
	expect_waits();
}
END_TEST

/* With hundreds, choosing takes no longer than with a few dozens, and they share the CPUs all the same. */
START_TEST(hundreds_of_domains)
{
	unsigned int i;

	machine(2);
	/* Its CPU is the slower one, and the other takes from there. */
	spinner(1, 25600);
	for (i = 1; i < MAX_DOMS; i++)
		spinner(1, i % 3 ? 256 : 512);
	most_looks = 0;
	settle_and_run(SECONDS(20));
	expect_share(&doms[0], SECONDS(20), 402);
	for (i = 1; i < MAX_DOMS; i++)
		ck_assert_msg(abs(share(&doms[i], SECONDS(20)) - (i % 3 ? 4 : 8)) <= 2, "domain %u: %d", i,
			      share(&doms[i], SECONDS(20)));
	ck_assert_uint_gt(most_looks, 0);
	ck_assert_uint_le(most_looks, 2 * LOOK_MAX);
}
END_TEST

/* What a domain gets at that level: a vCPU uses one CPU at most. */
static double filled(double level, uint32_t weight, unsigned int vcpus)
{
	double most = min(vcpus, nr_cpus);

	return min(level * weight, most);
}

/* The level to which all are filled: thousandths of a CPU for a weight of 1, by halving. */
static double water_level(const unsigned int *vcpus, const uint32_t *weight, unsigned int n)
{
	double low = 0, high = 64;
	unsigned int round, i;

	for (round = 0; round < 60; round++) {
		double level = (low + high) / 2, sum = 0;

		for (i = 0; i < n; i++)
			sum += filled(level, weight[i], vcpus[i]);
		if (sum < nr_cpus)
			low = level;
		else
			high = level;
	}
	return low;
}

START_TEST(random_shares)
{
	static const uint32_t some[] = { 64, 128, 256, 256, 512, 1024 };
	unsigned int vcpus[MANY], i, n, all = 0;
	uint32_t weight[MANY];
	double level;

	srand(100 + (unsigned int)_i);
	machine(1 + (unsigned int)rand() % 6);
	n = 2 + (unsigned int)rand() % 7;
	for (i = 0; i < n || all < nr_cpus; i++) {
		vcpus[i] = 1 + (unsigned int)rand() % 5;
		weight[i] = some[rand() % 6];
		all += vcpus[i];
		spinner(vcpus[i], weight[i]);
	}
	n = i;
	level = water_level(vcpus, weight, n);
	settle_and_run(SECONDS(10));
	for (i = 0; i < n; i++)
		expect_share(&doms[i], SECONDS(10), (int)(1000 * filled(level, weight[i], vcpus[i])));
	expect_waits();
}
END_TEST

/* Whoever sleeps, runs or hands over: no CPU is idle while somebody waits, and no domain waits long. */
START_TEST(random_mix)
{
	unsigned int i, n, spinning = 0;
	s_time_t sum = 0;

	srand(500 + (unsigned int)_i);
	machine(1 + (unsigned int)rand() % 4);
	n = 3 + (unsigned int)rand() % 6;
	for (i = 0; i < n; i++) {
		unsigned int vcpus = 1 + (unsigned int)rand() % 4;
		uint32_t weight = 64u << rand() % 5;

		switch (rand() % 4) {
		case 0:
			add(vcpus, weight, STEP * (1 + rand() % 30), STEP * (1 + rand() % 100));
			break;
		case 1:
			relay(vcpus + 1, weight, STEP * (1 + rand() % 20));
			break;
		default:
			spinner(vcpus, weight);
			spinning += vcpus;
		}
		if (rand() % 5 == 0)
			pin(&doms[i], 0, 1ULL << (unsigned int)rand() % nr_cpus);
	}
	spinner(nr_cpus, 256);
	settle_and_run(SECONDS(5));
	for (i = 0; i < nr_doms; i++)
		sum += time_of(&doms[i]);
	ck_assert_int_ge(sum, SECONDS(5) * nr_cpus / 1000 * 998);
	expect_waits();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv_shares");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_test(c, three_on_two);
	tcase_add_test(c, weights_on_two);
	tcase_add_test(c, mixed);
	tcase_add_test(c, one_beside_many);
	tcase_add_test(c, more_weight_than_vcpus);
	tcase_add_loop_test(c, ring, 0, 4);
	tcase_add_test(c, rings_on_two);
	tcase_add_test(c, nappers);
	tcase_add_loop_test(c, nappers_apart, 0, 2);
	tcase_add_loop_test(c, half_idle, 0, 3 * 31);
	tcase_add_test(c, latency);
	tcase_add_test(c, pinned_beside_floating);
	tcase_add_test(c, pinned_apart);
	tcase_add_test(c, capped);
	tcase_add_test(c, stolen);
	tcase_add_test(c, feather);
	tcase_add_loop_test(c, after_weeks, 0, 2);
	tcase_add_test(c, many_domains);
	tcase_add_test(c, hundreds_of_domains);
	tcase_add_loop_test(c, random_shares, 0, 40);
	tcase_add_loop_test(c, random_mix, 0, 40);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
