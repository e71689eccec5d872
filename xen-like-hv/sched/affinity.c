/* SPDX-License-Identifier: MIT */
/* Where a vCPU may run (hard affinity), and should run (soft). */
#include "lib/errno.h"
#include "sched/private.h"

/* The first CPU of mask from `start` on, around. */
static unsigned int next_cpu(cpumask_t mask, unsigned int start)
{
	cpumask_t above = start < NR_CPUS ? mask & (~0ULL << start) : 0;

	return (unsigned int)__builtin_ctzll(above ? above : mask);
}

static vtime_t runs_at(unsigned int cpu)
{
	return rq_common(&run_queues[cpu], READ_ONCE(run_queues[cpu].running));
}

/*
 * CPUs where somebody runs who has had less than others, and should go on: who wakes had better interrupt somebody else.
 * One vCPU that can use no more than a CPU is such a one beside a domain of many that has the rest. None, where the
 * clocks are so far apart that they have drifted.
 */
static cpumask_t wronged_cpus(cpumask_t mask)
{
	unsigned int cpu = next_cpu(mask, 0);
	vtime_t first = runs_at(cpu), last = first;
	cpumask_t m, wronged = 0;

	for (m = mask; m; m &= m - 1) {
		cpu = (unsigned int)__builtin_ctzll(m);
		first = vt_max(first, runs_at(cpu));
		last = vt_min(last, runs_at(cpu));
	}
	if (vt_diff(first, last) > DRIFT_APART)
		return 0;
	for (m = mask; m; m &= m - 1) {
		cpu = (unsigned int)__builtin_ctzll(m);
		if (vt_diff(first, runs_at(cpu)) > WRONGED_LAG)
			wronged |= 1ULL << cpu;
	}
	return wronged;
}

/* Who was moved there may run from before the clock: somebody that wakes would not have the CPU at once. */
static bool makes_up(const struct run_queue *rq)
{
	return vt_diff(READ_ONCE(rq->clock), READ_ONCE(rq->running)) > WAKEUP_GRANULARITY;
}

static unsigned int load_of(unsigned int cpu, cpumask_t wronged)
{
	const struct run_queue *rq = &run_queues[cpu];

	if ((idle_cpus >> cpu) & 1)
		return READ_ONCE(rq->nr);
	return READ_ONCE(rq->nr) + 1 + ((wronged >> cpu) & 1 ? WRONGED_LOAD : makes_up(rq));
}

static unsigned int least_loaded(cpumask_t mask, unsigned int start, cpumask_t wronged)
{
	unsigned int best = next_cpu(mask, start), cpu;

	for (; mask; mask &= mask - 1) {
		cpu = (unsigned int)__builtin_ctzll(mask);
		if (load_of(cpu, wronged) < load_of(best, wronged))
			best = cpu;
	}
	return best;
}

cpumask_t allowed_cpus(const struct vcpu *v)
{
	cpumask_t mask = v->sched.hard_affinity & cpu_online_map;

	return mask ? mask : cpu_online_map;
}

cpumask_t preferred_cpus(const struct vcpu *v)
{
	cpumask_t mask = allowed_cpus(v) & v->sched.soft_affinity;

	return mask ? mask : allowed_cpus(v);
}

/* Looks at other run queues without their locks: a wrong guess costs a balancing. */
unsigned int pick_cpu(const struct vcpu *v)
{
	cpumask_t allowed = allowed_cpus(v), soft = preferred_cpus(v), idle = idle_cpus, wronged, m;
	unsigned int here = v->processor;
	cpumask_t here_bit = 1ULL << here;

	for (m = idle; m; m &= m - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctzll(m);

		/* Idle, but a hypercall of domain 0 or a vCPU that was put there has it. */
		if (READ_ONCE(run_queues[cpu].host_running) || READ_ONCE(run_queues[cpu].nr))
			idle &= ~(1ULL << cpu);
	}
	if (idle & soft & here_bit)
		return here;
	if (idle & soft)
		return next_cpu(idle & soft, here);
	if (idle & allowed & here_bit)
		return here;
	if (idle & allowed)
		return next_cpu(idle & allowed, here);
	wronged = wronged_cpus(soft);
	if ((soft & here_bit) && load_of(here, wronged) <= 1)
		return here;
	return least_loaded(soft, here, wronged);
}

/*
 * Only domain 0 comes here: v is stopped for the change, so that it never sits
 * on a CPU that it may no longer use.
 */
int sched_set_affinity(struct vcpu *v, const cpumask_t *hard, const cpumask_t *soft)
{
	struct run_queue *rq;
	unsigned long flags;

	if ((hard && !(*hard & cpu_online_map)) || (soft && !(*soft & cpu_online_map)))
		return -EINVAL;
	vcpu_pause(v);
	rq = vcpu_lock(v, &flags);
	if (hard)
		v->sched.hard_affinity = *hard;
	if (soft)
		v->sched.soft_affinity = *soft;
	if (!((allowed_cpus(v) >> v->processor) & 1))
		WRITE_ONCE(v->processor, next_cpu(allowed_cpus(v), v->processor));
	vcpu_unlock(rq, flags);
	vcpu_unpause(v);
	return 0;
}
