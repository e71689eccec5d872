/* SPDX-License-Identifier: MIT */
/*
 * Counted pauses. The sync forms wait until the vCPU's registers are in memory:
 * not from interrupt handlers, not under a lock, and not by a guest's own vCPU
 * on another (two would wait for each other).
 */
#include "sched/private.h"
#include "x86/printk.h"
#include "x86/softirq.h"

void vcpu_sleep_sync(struct vcpu *v)
{
	struct run_queue *rq;
	unsigned long flags;

	vcpu_sleep_nosync(v);
	if (!READ_ONCE(v->is_running) || drop_lazy_here(v))
		return;
	ASSERT(!get_cpu_info()->in_irq);
	rq = vcpu_lock(v, &flags);
	if (v->is_running) {
		rq->flush_lazy = true;
		softirq_raise_cpu(v->processor, SCHEDULE_SOFTIRQ);
	}
	vcpu_unlock(rq, flags);
	lockcheck_may_wait();
	while (READ_ONCE(v->is_running))
		cpu_relax();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vcpu_pause(struct vcpu *v)
{
	__atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
	vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
	if (__atomic_sub_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST) == 0)
		vcpu_wake(v);
}

void domain_pause_nosync(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	__atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
	for_each_vcpu(d, v, i)
		vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	ASSERT(d != current->domain || is_host_domain(d));
	domain_pause_nosync(d);
	for_each_vcpu(d, v, i)
		vcpu_sleep_sync(v);
}

void domain_unpause(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	if (__atomic_sub_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	for_each_vcpu(d, v, i)
		vcpu_wake(v);
}
