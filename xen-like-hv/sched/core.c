/* SPDX-License-Identifier: MIT */
/* Run queues: what wakes, what runs next, and when to think again. */
#include "lib/errno.h"
#include "sched/private.h"
#include "x86/hooks.h"
#include "x86/printk.h"
#include "x86/softirq.h"

struct run_queue run_queues[NR_CPUS];
volatile cpumask_t idle_cpus;
volatile cpumask_t contended_cpus;

struct run_queue *vcpu_lock(struct vcpu *v, unsigned long *flags)
{
	for (;;) {
		unsigned int cpu = READ_ONCE(v->processor);
		struct run_queue *rq = &run_queues[cpu];

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(READ_ONCE(v->processor) == cpu))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

void vcpu_unlock(struct run_queue *rq, unsigned long flags)
{
	spin_unlock_irqrestore(&rq->lock, flags);
}

static void resched(const struct run_queue *rq)
{
	softirq_raise_cpu(cpu_of(rq), SCHEDULE_SOFTIRQ);
}

bool vcpu_runnable(const struct vcpu *v)
{
	return !v->pause_flags && !v->pause_count && !v->domain->pause_count;
}

int runstate_of(const struct vcpu *v)
{
	if (v->pause_flags & VPF_blocked)
		return RUNSTATE_blocked;
	return (v->pause_flags & ~VPF_parked) || v->pause_count || v->domain->pause_count ? RUNSTATE_offline
											    : RUNSTATE_runnable;
}

void rq_limit_slice(struct run_queue *rq, s_time_t when)
{
	if (rq->slice_end && rq->slice_end <= when)
		return;
	rq->slice_end = when;
	timer_set(&rq->slice, when);
}

/* --- wake and sleep --- */

static void maybe_preempt(struct run_queue *rq, struct vcpu *v, s_time_t now)
{
	/* No curr: the CPU is about to enter its idle loop for the first time. */
	if (!rq->curr || is_idle_vcpu(rq->curr)) {
		if (rq->host_running)
			rq_limit_slice(rq, rq->host_start + HOST_SLICE);
		else
			resched(rq);
		return;
	}
	if (fair_preempts(rq, v))
		resched(rq);
	else if (!rq->slice_end || rq->slice_end > now + SLICE_MAX)
		rq_limit_slice(rq, now + fair_slice(rq, rq->curr));
}

static bool never_runs(const struct vcpu *v)
{
	return is_idle_vcpu(v) || is_host_domain(v->domain);
}

void vcpu_wake(struct vcpu *v)
{
	struct run_queue *rq;
	unsigned long flags;
	s_time_t now;

	if (never_runs(v))
		return;
	rq = vcpu_lock(v, &flags);
	/* Still on its CPU, perhaps lazily: it must come back there. */
	if (vcpu_runnable(v) && !v->sched.on_queue && rq->curr != v && !v->is_running) {
		unsigned int cpu = pick_cpu(v);

		if (cpu != v->processor) {
			WRITE_ONCE(v->processor, cpu);
			vcpu_unlock(rq, flags);
			rq = vcpu_lock(v, &flags);
		}
	}
	now = NOW();
	if (rq->curr == v) {
		/* It goes on, or schedule() finds it runnable again. */
	} else if (!vcpu_runnable(v)) {
		runstate_change(v, runstate_of(v), now);
	} else if (!v->sched.on_queue) {
		/* The clock must not lag behind the one that runs, or v is placed in the past. */
		if (rq->curr)
			fair_charge(rq, rq->curr, now);
		fair_enqueue(rq, v, true, now);
		runstate_change(v, RUNSTATE_runnable, now);
		maybe_preempt(rq, v, now);
	}
	vcpu_unlock(rq, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
	struct run_queue *rq;
	unsigned long flags;

	if (never_runs(v))
		return;
	rq = vcpu_lock(v, &flags);
	if (!vcpu_runnable(v)) {
		if (v->sched.on_queue)
			fair_dequeue(rq, v, true);
		if (rq->curr == v)
			resched(rq);
		else
			runstate_change(v, runstate_of(v), NOW());
	}
	vcpu_unlock(rq, flags);
}

void vcpu_unblock(struct vcpu *v)
{
	if (__atomic_fetch_and(&v->pause_flags, ~VPF_blocked, __ATOMIC_SEQ_CST) & VPF_blocked)
		vcpu_wake(v);
}

void vcpu_kick(struct vcpu *v)
{
	if (__atomic_fetch_and(&v->pause_flags, ~VPF_blocked, __ATOMIC_SEQ_CST) & VPF_blocked)
		vcpu_wake(v);
	else if (v != current && READ_ONCE(v->is_running))
		softirq_raise_cpu(READ_ONCE(v->processor), KICK_SOFTIRQ);
}

void vcpu_yield(void)
{
	current->sched.yielded = true;
	softirq_raise(SCHEDULE_SOFTIRQ);
}

/* --- choosing --- */

/* May domain 0's pending hypercall have this CPU now? */
bool rq_host_allowed(struct run_queue *rq, s_time_t now)
{
	if (now - rq->host_window >= HOST_WINDOW) {
		rq->host_window = now;
		rq->host_used = 0;
	}
	return rq->host_used < HOST_SLICE || rq->nr == 0;
}

static void put_prev(struct run_queue *rq, struct vcpu *prev, s_time_t now)
{
	fair_charge(rq, prev, now);
	if (is_idle_vcpu(prev))
		return;
	if (vcpu_runnable(prev))
		fair_requeue(rq, prev);
	else
		fair_leave(rq, prev);
}

/* Over its cap: it waits for the time when the domain's debt is paid. */
static bool park(struct run_queue *rq, struct vcpu *v, s_time_t now)
{
	s_time_t until = has_cap(v->domain) ? cap_exhausted_until(v->domain, now) : 0;

	if (likely(!until))
		return false;
	fair_dequeue(rq, v, true);
	__atomic_fetch_or(&v->pause_flags, VPF_parked, __ATOMIC_SEQ_CST);
	if (v != rq->curr)
		runstate_change(v, runstate_of(v), now);
	timer_set(&v->sched.cap_timer, until);
	return true;
}

static void unpark(void *data)
{
	struct vcpu *v = data;

	if (__atomic_fetch_and(&v->pause_flags, ~VPF_parked, __ATOMIC_SEQ_CST) & VPF_parked)
		vcpu_wake(v);
}

static bool balance(struct run_queue *rq, unsigned int cpu, const struct vcpu *first, s_time_t now)
{
	rq->next_balance = now + BALANCE_PERIOD;
	rq->heaviest_elsewhere = balance_heaviest(cpu);
	return balance_pull(rq, cpu, first, now);
}

static struct vcpu *pick_next(struct run_queue *rq, unsigned int cpu, s_time_t now)
{
	struct vcpu *v;
	bool pulled;

	if (unlikely(rq->host_wanted)) {
		rq->host_wanted = host_request_free();
		if (rq->host_wanted && rq_host_allowed(rq, now))
			return this_cpu(idle_vcpu);
	}
	for (;;) {
		v = fair_pick(rq, now);
		/* A time of its own: somebody may always sleep, or always wait, when this CPU looks for itself. */
		if (rq->nr > 1 && now >= rq->next_call) {
			rq->next_call = now + BALANCE_PERIOD;
			balance_call(rq, v);
		}
		if (!v)
			pulled = balance_pull(rq, cpu, NULL, now);
		else if (now >= rq->next_balance && rq->mercy != now)
			pulled = balance(rq, cpu, v, now);
		else
			pulled = false;
		if (pulled)
			continue;
		if (!v)
			return this_cpu(idle_vcpu);
		if (!park(rq, v, now)) {
			fair_take(rq, v);
			return v;
		}
	}
}

/* When this CPU must come back here by itself. */
static void set_slice(struct run_queue *rq, struct vcpu *next, s_time_t now)
{
	cpumask_t bit = 1ULL << cpu_of(rq);
	s_time_t end = INT64_MAX;

	if (!(contended_cpus & bit) != !rq->nr)
		__atomic_fetch_xor(&contended_cpus, bit, __ATOMIC_SEQ_CST);
	if (!is_idle_vcpu(next)) {
		s_time_t left = has_cap(next->domain) ? cap_left(next->domain, now) : INT64_MAX;

		/* Elsewhere, too: it may be for this CPU to take one of those. */
		if (contended_cpus)
			end = now + fair_slice(rq, next);
		if (left != INT64_MAX)
			end = min(end, now + left);
		if (rq->host_wanted)
			end = min(end, rq->host_window + HOST_WINDOW);
	}
	if (end == INT64_MAX) {
		rq->slice_end = 0;
		timer_stop(&rq->slice);
	} else {
		rq->slice_end = end;
		timer_set(&rq->slice, end);
	}
}

static void account_switch(struct run_queue *rq, struct vcpu *prev, struct vcpu *next, s_time_t now)
{
	cpumask_t bit = 1ULL << cpu_of(rq);

	if (!is_idle_vcpu(prev)) {
		runstate_change(prev, runstate_of(prev), now);
		/* Here nobody can change it under the copy, nor run prev before is_running is clear. */
		vtime_update_runstate_area(prev);
	}
	next->sched.last_start = now;
	if (is_idle_vcpu(next)) {
		__atomic_fetch_or(&idle_cpus, bit, __ATOMIC_SEQ_CST);
		return;
	}
	if (is_idle_vcpu(prev))
		__atomic_fetch_and(&idle_cpus, ~bit, __ATOMIC_SEQ_CST);
	runstate_change(next, RUNSTATE_running, now);
	/* Under the lock: from here on whoever wants it stopped must wait for us. A full fence: who
	 * sends it an event looks at this afterwards, and it looks for events after this. */
	__atomic_store_n(&next->is_running, true, __ATOMIC_SEQ_CST);
}

void schedule(void)
{
	unsigned int cpu = smp_cpu();
	struct run_queue *rq = this_rq(cpu);
	unsigned long flags = spin_lock_irqsave(&rq->lock);
	s_time_t now = NOW();
	struct vcpu *prev = rq->curr, *next;
	bool flush = rq->flush_lazy;

	rq->flush_lazy = false;
	put_prev(rq, prev, now);
	next = pick_next(rq, cpu, now);
	rq->curr = next;
	set_slice(rq, next, now);
	if (next == prev) {
		if (flush)
			flush_lazy_here(rq);
		vcpu_unlock(rq, flags);
		return;
	}
	account_switch(rq, prev, next, now);
	spin_unlock(&rq->lock);
	context_switch(prev, next);
}

static void slice_over(void *data)
{
	softirq_raise(SCHEDULE_SOFTIRQ);
}

/* --- objects --- */

static void kick_softirq(void)
{
}

void sched_init(void)
{
	unsigned int cpu;

	timers_init();
	softirq_register(SCHEDULE_SOFTIRQ, schedule);
	softirq_register(HOST_SOFTIRQ, host_softirq);
	softirq_register(KICK_SOFTIRQ, kick_softirq);
	for (cpu = 0; cpu < NR_CPUS; cpu++) {
		spin_lock_init(&run_queues[cpu].lock);
		run_queues[cpu].cpu = cpu;
		timer_init(&run_queues[cpu].slice, slice_over, NULL, cpu);
	}
}

int sched_init_vcpu(struct vcpu *v)
{
	struct sched_unit *s = &v->sched;

	s->hard_affinity = s->soft_affinity = ~0ULL;
	s->runstate = RUNSTATE_offline;
	s->runstate_entry = NOW();
	timer_init(&s->cap_timer, unpark, v, 0);
	if (is_idle_vcpu(v))
		return 0;
	v->processor = pick_cpu(v);
	timer_migrate(&s->cap_timer, v->processor);
	return 0;
}

/* v is paused for good. */
void sched_destroy_vcpu(struct vcpu *v)
{
	if (!never_runs(v)) {
		__atomic_fetch_or(&v->pause_flags, VPF_down, __ATOMIC_SEQ_CST);
		vcpu_sleep_sync(v);
	}
	timer_kill(&v->sched.cap_timer);
}

s_time_t vcpu_run_time(struct vcpu *v)
{
	unsigned long flags;
	struct run_queue *rq = vcpu_lock(v, &flags);
	s_time_t ns = v->sched.run_ns;

	if (rq->curr == v)
		ns += NOW() - v->sched.last_start;
	vcpu_unlock(rq, flags);
	return ns;
}

void vcpu_runstate_get(struct vcpu *v, int *state, s_time_t *entry, s_time_t ns[4])
{
	unsigned long flags;
	struct run_queue *rq = vcpu_lock(v, &flags);
	const struct sched_unit *s = &v->sched;

	*state = s->runstate;
	*entry = s->runstate_entry;
	memcpy(ns, s->runstate_ns, sizeof(s->runstate_ns));
	ns[s->runstate] += NOW() - s->runstate_entry;
	vcpu_unlock(rq, flags);
}

void vcpu_runstate_publish(struct vcpu *v)
{
	unsigned long flags;
	struct run_queue *rq = vcpu_lock(v, &flags);

	vtime_update_runstate_area(v);
	vcpu_unlock(rq, flags);
}

void sched_charge_work(struct vcpu *v, s_time_t start)
{
	struct run_queue *rq = &this_cpu(run_queues);
	unsigned long flags = spin_lock_irqsave(&rq->lock);
	s_time_t now = NOW(), ns = now - start;

	/* Whoever runs pays for its own; and what happened before it came is not its to be spared. */
	if (rq->curr && rq->curr->domain != v->domain && rq->curr->sched.last_start <= start) {
		rq->curr->sched.last_start += ns;
		if (rq->host_running)
			rq->host_start += ns;
		fair_charge_work(rq, v, ns, now);
		/* A paused domain is said to use no time. */
		if (!v->domain->pause_count)
			__atomic_fetch_add(&v->domain->sched.work_ns, ns, __ATOMIC_RELAXED);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
}

int sched_set_params(struct domain *d, uint32_t weight, uint32_t cap_percent)
{
	if (weight == 0 || weight > WEIGHT_MAX || cap_percent > 100u * NR_CPUS)
		return -EINVAL;
	WRITE_ONCE(d->sched_weight, weight);
	WRITE_ONCE(d->sched_cap, cap_percent);
	return 0;
}
