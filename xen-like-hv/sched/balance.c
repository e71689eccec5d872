/* SPDX-License-Identifier: MIT */
/*
 * vCPUs move so that the clocks of all CPUs go on alike: a CPU that is ahead
 * takes a vCPU that waits where the clock is behind. Three that spin on two
 * CPUs are handed around and have two thirds each.
 *
 * Where vCPUs are bound to their CPUs, clocks drift apart without bound, and
 * mean nothing to a vCPU that comes later: when one is moved over a larger
 * distance than anybody may keep, the distance itself is taken away (ahead).
 */
#include "sched/private.h"
#include "x86/softirq.h"

/* One that waits in `from`, may go to cpu and is before `limit` (NULL: any): of the next LOOK_MAX, and if there is one, one that prefers cpu. */
static struct vcpu *candidate(struct run_queue *from, unsigned int cpu, const vtime_t *limit)
{
	struct vcpu *v = from->ring, *best = NULL;
	unsigned int n = min(from->nr, LOOK_MAX);
	bool soft, best_soft = false;

	for (; n; n--, v = v->sched.next) {
		s_time_t lag = limit ? vt_diff(*limit, rq_common(from, share_of(from, v)->vtime)) : INT64_MAX;

		/* Not while its registers are still in the other CPU. */
		if (READ_ONCE(v->is_running) || !((allowed_cpus(v) >> cpu) & 1) ||
		    !fair_worth(from, v, lag, PULL_LAG))
			continue;
		soft = (preferred_cpus(v) >> cpu) & 1;
		if (!best || soft > best_soft || (soft == best_soft && fair_before(from, v, best))) {
			best = v;
			best_soft = soft;
		}
	}
	from->ring = v;
	return best;
}

/* If who runs there is not behind, who waits there will run in a moment. */
static vtime_t furthest_of(const struct run_queue *rq)
{
	vtime_t least = READ_ONCE(rq->least), running = READ_ONCE(rq->running);

	return vt_max(least, running) - READ_ONCE(rq->ahead);
}

/* Looks at the queues without their locks: a wrong guess costs a balancing. */
static struct run_queue *furthest_behind(cpumask_t cpus, const vtime_t *limit)
{
	struct run_queue *best = NULL;
	vtime_t bound = limit ? *limit : 0;

	/* The mask may be late; an idle CPU looks at all. */
	if (limit)
		cpus &= contended_cpus;
	for (; cpus; cpus &= cpus - 1) {
		struct run_queue *rq = &run_queues[__builtin_ctzll(cpus)];
		vtime_t least = furthest_of(rq);

		if (READ_ONCE(rq->nr) && ((!limit && !best) || vt_diff(least, bound) < 0)) {
			best = rq;
			bound = least;
		}
	}
	return best;
}

/* By how much the clocks have drifted apart: more than running for a short while, of v or first, explains. */
static s_time_t drift(const struct run_queue *rq, const struct vcpu *v, const struct vcpu *first)
{
	s_time_t gap = first ? vt_diff(rq_common(rq, share_of(rq, first)->vtime), v->sched.vtime) : 0;

	return fair_worth(rq, v, gap, DRIFT) && fair_worth(rq, first, gap, DRIFT) ? gap : 0;
}

static void move(struct run_queue *from, struct run_queue *rq, struct vcpu *v, const struct vcpu *first, s_time_t now)
{
	fair_dequeue(from, v, false);
	/* rq's own CPU alone writes it, under its lock; others read it as a hint. */
	WRITE_ONCE(rq->ahead, rq->ahead + drift(rq, v, first));
	WRITE_ONCE(v->processor, cpu_of(rq));
	fair_enqueue(rq, v, false, now);
}

/*
 * rq, the queue of cpu, is locked; the other one is only tried, as it may be
 * doing the same towards us. `first` is who would run here otherwise, or NULL.
 */
bool balance_pull(struct run_queue *rq, unsigned int cpu, const struct vcpu *first, s_time_t now)
{
	vtime_t bound = first ? rq_common(rq, share_of(rq, first)->vtime) : 0;
	const vtime_t *limit = first ? &bound : NULL;
	cpumask_t others = cpu_online_map & ~(1ULL << cpu);
	struct run_queue *from;
	struct vcpu *v;

	while ((from = furthest_behind(others, limit)) != NULL) {
		others &= ~(1ULL << cpu_of(from));
		if (!spin_trylock(&from->lock))
			continue;
		v = candidate(from, cpu, limit);
		if (v)
			move(from, rq, v, first, now);
		spin_unlock(&from->lock);
		if (v)
			return true;
	}
	return false;
}

/*
 * CPUs that had better look here now. One whose only vCPU runs has no slice,
 * and would not; one that is ahead may look at moments only when nobody waits.
 */
void balance_call(const struct run_queue *rq, const struct vcpu *v)
{
	cpumask_t m = rq->spill & cpu_online_map & ~idle_cpus & ~(1ULL << cpu_of(rq));
	vtime_t least = rq_common(rq, rq->least);

	for (; m; m &= m - 1) {
		struct run_queue *other = &run_queues[__builtin_ctzll(m)];
		s_time_t lag = vt_diff(READ_ONCE(other->running) - READ_ONCE(other->ahead), least);

		if (READ_ONCE(other->slice_end) && !fair_worth(rq, v, lag, PULL_LAG))
			continue;
		WRITE_ONCE(other->next_balance, 0);
		softirq_raise_cpu(cpu_of(other), SCHEDULE_SOFTIRQ);
	}
}

uint32_t balance_heaviest(unsigned int cpu)
{
	cpumask_t m = contended_cpus & ~(1ULL << cpu);
	uint32_t weight = 0;

	for (; m; m &= m - 1)
		weight = max(weight, READ_ONCE(run_queues[__builtin_ctzll(m)].heaviest));
	return weight;
}

/* Without their locks: it is where somebody starts who slept. */
vtime_t balance_least(const struct run_queue *rq, const struct vcpu *v, vtime_t vtime)
{
	cpumask_t m = contended_cpus & ~(1ULL << cpu_of(rq)) & allowed_cpus(v);

	for (; m; m &= m - 1)
		vtime = vt_min(vtime, furthest_of(&run_queues[__builtin_ctzll(m)]) + rq->ahead);
	return vtime;
}
