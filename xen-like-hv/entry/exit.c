/* SPDX-License-Identifier: MIT */
/* What a vCPU has to see to before it runs guest code again. */
#include "event/evtchn.h"
#include "host/host.h"
#include "pv/bounce.h"
#include "x86/irq.h"
#include "x86/softirq.h"
#include "x86/spinlock.h"

/* Another vCPU may send an NMI at any time. */
static void clear_pending(struct vcpu *v, unsigned int what)
{
	__atomic_and_fetch(&v->pv.nmi_pending, (uint8_t)~what, __ATOMIC_SEQ_CST);
}

static void deliver_nmi(struct vcpu *v)
{
	const struct trap_info *ti = &v->pv.traps[TRAP_nmi];

	clear_pending(v, PENDING_NMI);
	if (ti->address == 0)
		return;
	v->pv.in_nmi = 1;
	pv_update_fast_paths();
	pv_bounce(ti->address, BOUNCE_MASK_EVENTS, 0, NULL);
}

/* The selectors that could not be loaded are still in v->pv; null ones are in the CPU. */
static void deliver_failsafe(struct vcpu *v, const uint16_t sel[4])
{
	if (v->pv.failsafe_cb == 0) {
		pv_crash_current("no failsafe callback");
		return;
	}
	pv_bounce(v->pv.failsafe_cb,
		  BOUNCE_FAILSAFE | (v->pv.failsafe_mask_events ? BOUNCE_MASK_EVENTS : 0), 0, sel);
}

static void deliver_bad_selectors(struct vcpu *v)
{
	const uint16_t sel[4] = { v->pv.ds, v->pv.es, v->pv.fs, v->pv.gs };

	clear_pending(v, PENDING_FAILSAFE);
	deliver_failsafe(v, sel);
}

/* Exit's iret faulted: the frame it was to load is in regs, the mode already the one returned to. */
void pv_failed_iret(struct cpu_user_regs *regs)
{
	uint16_t sel[4];

	__asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
			 : "=m"(sel[0]), "=m"(sel[1]), "=m"(sel[2]), "=m"(sel[3]));
	deliver_failsafe(current, sel);
}

/* One that came while a guest ran: interrupts are off. */
void pv_interrupt(unsigned int vector)
{
	irq_dispatch(vector);
	host_look();
}

/* Interrupts are off, and off again at the end; current may be another vCPU then. */
void pv_exit_work(void)
{
	struct vcpu *v;

	longest_irqs_off();
	do {
		while (softirqs_pending()) {
			irq_enable();
			do_softirq();
			irq_disable();
		}
		v = current;
		if (unlikely(v->pv.nmi_pending)) {
			if (v->pv.nmi_pending & PENDING_FAST_PATHS) {
				clear_pending(v, PENDING_FAST_PATHS);
				pv_update_fast_paths();
			}
			if (v->pv.nmi_pending & PENDING_FAILSAFE)
				deliver_bad_selectors(v);
			if ((v->pv.nmi_pending & PENDING_NMI) && !v->pv.in_nmi)
				deliver_nmi(v);
		}
		/* One event frame at most: it masks the next. */
		if (v->pv.event_cb && vcpu_event_pending(v))
			pv_bounce(v->pv.event_cb, BOUNCE_MASK_EVENTS, 0, NULL);
		/* A frame that could not be built left a softirq behind. */
	} while (softirqs_pending());
}
