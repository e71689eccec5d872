/* SPDX-License-Identifier: MIT */
/*
 * What a CPU does without a vCPU: domain 0's hypercalls from the mailbox, a
 * short look-out for more of them, then HLT.
 */
#include "host/host.h"
#include "sched/private.h"
#include "x86/hooks.h"
#include "x86/printk.h"
#include "x86/softirq.h"

#define SPIN_NS MICROSECS(8)
#define SPIN_LONG_NS MICROSECS(60)
#define SPIN_WORTH_NS MICROSECS(150) /* the host came so soon after a CPU went idle */

/* Held by the CPU that runs the mailbox's hypercall. */
static spinlock_t host_worker = SPINLOCK_INIT;

/* CPUs that watch the shared words; hv_sleeps tells the host if there are none. */
static spinlock_t watch_lock = SPINLOCK_INIT;
static unsigned int watchers;
/* One of them at a time: who went idle last, because a vCPU whose state is still there waits for the event. */
static volatile unsigned int watching_cpu;

/* How long it pays to watch: whether the host answered soon the last time. */
static volatile s_time_t idle_since, spin_ns = SPIN_NS;

static void watch_begin(void)
{
	unsigned long flags = spin_lock_irqsave(&watch_lock);

	if (watchers++ == 0)
		WRITE_ONCE(node_shared->hv_sleeps, 0);
	spin_unlock_irqrestore(&watch_lock, flags);
}

/* The caller looks at the words once more after this. */
static void watch_end(void)
{
	unsigned long flags = spin_lock_irqsave(&watch_lock);

	if (--watchers == 0)
		WRITE_ONCE(node_shared->hv_sleeps, 1);
	spin_unlock_irqrestore(&watch_lock, flags);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void host_heard(void)
{
	spin_ns = NOW() - idle_since < SPIN_WORTH_NS ? SPIN_LONG_NS : SPIN_NS;
}

bool host_request_free(void)
{
	return host_work_pending() && !spin_is_locked(&host_worker);
}

static bool has_work(void)
{
	return softirqs_pending() || host_request_free() || host_sends();
}

/* The mailbox's doorbell rang here, on a CPU that may be busy while others are not. */
void host_softirq(void)
{
	unsigned int cpu = smp_cpu();
	cpumask_t m = idle_cpus;

	if (!host_request_free())
		return;
	if (!(((m >> cpu) & 1) && READ_ONCE(run_queues[cpu].nr) == 0))
		for (; m; m &= m - 1) {
			unsigned int other = (unsigned int)__builtin_ctzll(m);

			if (READ_ONCE(run_queues[other].nr) == 0) {
				cpu = other;
				break;
			}
		}
	WRITE_ONCE(run_queues[cpu].host_wanted, true);
	softirq_raise_cpu(cpu, SCHEDULE_SOFTIRQ);
}

static bool host_begin(struct run_queue *rq)
{
	unsigned long flags;
	bool ok;

	if (!host_work_pending()) {
		WRITE_ONCE(rq->host_wanted, false);
		return false;
	}
	if (!spin_trylock(&host_worker)) {
		WRITE_ONCE(rq->host_wanted, false);
		return false;
	}
	flags = spin_lock_irqsave(&rq->lock);
	rq->host_start = NOW();
	ok = rq_host_allowed(rq, rq->host_start);
	rq->host_wanted = !ok;
	if (ok) {
		rq->host_running = true;
		if (rq->nr)
			rq_limit_slice(rq, rq->host_start + HOST_SLICE);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	if (!ok)
		spin_unlock(&host_worker);
	return ok;
}

static void host_end(struct run_queue *rq)
{
	unsigned long flags = spin_lock_irqsave(&rq->lock);
	s_time_t ran = NOW() - rq->host_start;

	rq->host_running = false;
	rq->host_used += ran;
	/* Domain 0's time, not this CPU's idle time. */
	host_domain->vcpu[0]->sched.run_ns += ran;
	rq->curr->sched.run_ns -= ran;
	spin_unlock_irqrestore(&rq->lock, flags);
	spin_unlock(&host_worker);
	/* A doorbell that rang meanwhile found the worker busy and went away. */
	if (host_work_pending())
		softirq_raise(HOST_SOFTIRQ);
}

static bool do_host_work(struct run_queue *rq)
{
	if (!host_begin(rq))
		return false;
	host_heard();
	host_do_work();
	host_end(rq);
	return true;
}

static void spin(struct run_queue *rq, s_time_t ns)
{
	unsigned int cpu = smp_cpu();
	s_time_t end = NOW() + ns;

	watch_begin();
	watching_cpu = cpu;
	while (!has_work() && watching_cpu == cpu && NOW() < end)
		cpu_relax();
	watch_end();
	/* What came without a doorbell must not wait until this CPU is idle again. */
	if (host_request_free())
		WRITE_ONCE(rq->host_wanted, true);
	host_look();
}

static void halt(void)
{
	/* An interrupt after the check ends the HLT: sti takes effect one instruction late. */
	irq_disable();
	host_cpu_halts();
	if (has_work())
		irq_enable();
	else
		__asm__ volatile("sti; hlt" ::: "memory");
}

static void first_time_here(struct run_queue *rq)
{
	unsigned long flags = irq_save();
	unsigned int cpu = smp_cpu();

	get_cpu_info()->cur = per_cpu(idle_vcpu, cpu);
	get_cpu_info()->cur->processor = cpu;
	get_cpu_info()->cur->is_running = true;
	rq->curr = per_cpu(idle_vcpu, cpu);
	__atomic_fetch_or(&idle_cpus, 1ULL << cpu, __ATOMIC_SEQ_CST);
	WRITE_ONCE(node_shared->hv_sleeps, 1);
	softirq_raise(SCHEDULE_SOFTIRQ);
	irq_restore(flags);
}

/* Entered again from the top of the stack whenever the CPU runs out of vCPUs. */
void idle_loop(void)
{
	struct run_queue *rq = &this_cpu(run_queues);
	bool after_host = false;

	if (unlikely(!rq->curr))
		first_time_here(rq);
	irq_enable();
	idle_since = NOW();
	for (;;) {
		host_look();
		/* First, or they would preempt domain 0's call before it has done anything. */
		if (softirqs_pending())
			do_softirq();
		if (do_host_work(rq)) {
			after_host = true;
			idle_since = NOW();
		}
		/* vCPUs that came while domain 0 had the CPU did not interrupt it. */
		if (READ_ONCE(rq->nr))
			softirq_raise(SCHEDULE_SOFTIRQ);
		if (has_work())
			continue;
		spin(rq, after_host ? SPIN_LONG_NS : spin_ns);
		after_host = false;
		if (!has_work())
			halt();
	}
}
