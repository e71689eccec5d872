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

/* Who was moved there may run from before the clock: somebody that wakes would not have the CPU at once. */
static bool makes_up(const struct run_queue *rq)
{
	return vt_diff(READ_ONCE(rq->clock), READ_ONCE(rq->running)) > WAKEUP_GRANULARITY;
}

static unsigned int load_of(unsigned int cpu)
{
	const struct run_queue *rq = &run_queues[cpu];

	return (idle_cpus >> cpu) & 1 ? READ_ONCE(rq->nr) : READ_ONCE(rq->nr) + 1 + makes_up(rq);
}

static unsigned int least_loaded(cpumask_t mask, unsigned int start)
{
	unsigned int best = next_cpu(mask, start), cpu;

	for (; mask; mask &= mask - 1) {
		cpu = (unsigned int)__builtin_ctzll(mask);
		if (load_of(cpu) < load_of(best))
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
	cpumask_t allowed = allowed_cpus(v), soft = preferred_cpus(v), idle = idle_cpus, m;
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
	if ((soft & here_bit) && load_of(here) <= 1)
		return here;
	return least_loaded(soft, here);
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
