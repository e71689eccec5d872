/* SPDX-License-Identifier: MIT */
/*
 * The context switch. A vCPU is its registers and what the MMU and the FPU
 * hold; the hypervisor's stack belongs to the CPU, so a switch ends by
 * starting over at its top.
 *
 * Going idle is lazy: the guest's state stays in the CPU, its is_running stays
 * set, until another vCPU comes or somebody waits for it to be stopped.
 */
#include "host/host.h"
#include "pv/mmu.h"
#include "pv/trap.h"
#include "sched/private.h"
#include "x86/hooks.h"
#include "x86/printk.h"
#include "x86/softirq.h"
#include "x86/traps.h"

/* Another CPU may take v, or free it, as soon as it sees is_running clear. */
static void let_go(struct vcpu *v)
{
	__atomic_store_n(&v->is_running, false, __ATOMIC_RELEASE);
}

/* What v has in the CPU goes to memory, but for its tables. */
static void save_state(struct vcpu *v)
{
	if (unlikely(v->hvm))
		hvm_switch_from(v);
	else
		pv_ctxt_switch_from(v);
}

static void load_state(struct vcpu *v)
{
	if (unlikely(v->hvm)) {
		hvm_switch_to(v);
		return;
	}
	pv_mmu_switch_to(v);
	pv_ctxt_switch_to(v);
}

void flush_lazy_here(struct run_queue *rq)
{
	struct vcpu *v = rq->lazy;

	if (!v)
		return;
	rq->lazy = NULL;
	save_state(v);
	pv_mmu_switch_to(this_cpu(idle_vcpu));
	let_go(v);
}

/*
 * From the TLB flush interrupt: an idle CPU that keeps a guest's tables loaded
 * would be asked again and again; without them it is asked once.
 */
bool sched_drop_lazy(void)
{
	struct run_queue *rq = &this_cpu(run_queues);

	if (!rq->lazy)
		return false;
	flush_lazy_here(rq);
	return true;
}

/* For the CPU that waits for v and holds it itself. */
bool drop_lazy_here(struct vcpu *v)
{
	unsigned long flags = irq_save();
	struct run_queue *rq = &this_cpu(run_queues);
	bool mine = rq->lazy == v;

	if (mine)
		flush_lazy_here(rq);
	irq_restore(flags);
	return mine;
}

/* Whoever pauses v wants its registers: do not keep them. */
static bool may_stay(const struct vcpu *v)
{
	return !(v->pause_flags & VPF_down) && !v->pause_count && !v->domain->pause_count;
}

static void __noreturn switch_to_idle(struct run_queue *rq, struct vcpu *prev, struct vcpu *idle)
{
	get_cpu_info()->cur = idle;
	rq->lazy = prev;
	if (!may_stay(prev))
		flush_lazy_here(rq);
	reset_stack_and_jump(idle_loop);
}

/* Work is left here while other CPUs have none: let one come and take it. */
static void wake_an_idle_cpu(const struct run_queue *rq)
{
	cpumask_t idle = idle_cpus & rq->spill & ~(1ULL << smp_cpu());

	if (unlikely(rq->nr && idle))
		softirq_raise_cpu((unsigned int)__builtin_ctzll(idle), SCHEDULE_SOFTIRQ);
}

/* The compiler's own copy may be of half words: twice as many steps. */
static void copy_regs(struct cpu_user_regs *to, const struct cpu_user_regs *from)
{
	unsigned long words = sizeof(*to) / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) :: "memory");
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	struct run_queue *rq = this_rq(smp_cpu());
	/* The vCPU whose state is in the CPU; an idle vCPU has none. */
	struct vcpu *old = is_idle_vcpu(prev) ? rq->lazy : prev;

	if (!is_idle_vcpu(prev))
		copy_regs(&prev->regs, guest_regs());
	if (is_idle_vcpu(next))
		switch_to_idle(rq, prev, next);

	rq->lazy = NULL;
	if (old && old != next)
		save_state(old);
	get_cpu_info()->cur = next;
	if (old != next) {
		load_state(next);
		if (old)
			let_go(old);
	}
	copy_regs(guest_regs(), &next->regs);
	vtime_update(next, false);
	vtime_update_runstate_area(next);
	wake_an_idle_cpu(rq);
	host_cpu_runs();
	host_look();
	if (unlikely(next->hvm))
		reset_stack_and_jump(hvm_run);
	exit_to_guest();
}
