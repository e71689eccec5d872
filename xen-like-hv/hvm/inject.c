/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU is given when it is entered: an exception of its last instruction, what an exit
 * interrupted, an NMI, or, as a virtual interrupt that it takes when it may, the upcall for events or
 * what its local APIC has. The last needs no exit, however long it is kept waiting.
 */
#include "event/evtchn.h"
#include "hvm/private.h"
#include "sched/sched.h"
#include "x86/hooks.h"
#include "x86/printk.h"
#include "x86/softirq.h"
#include "x86/traps.h"

void hvm_inject(struct vcpu *v, unsigned int vector, bool has_code, uint32_t code)
{
	v->hvm->exception = vector | EVENT_EXCEPTION << 8 | EVENT_VALID | (has_code ? EVENT_ERROR | (uint64_t)code << 32 : 0);
}

void hvm_send_nmi(struct vcpu *v)
{
	__atomic_fetch_or(&v->hvm->pending, PENDING_NMI_IN, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}

static bool nmi_waits(const struct vcpu *v)
{
	return (READ_ONCE(v->hvm->pending) & PENDING_NMI_IN) && !v->hvm->in_nmi;
}

/* Level: as long as events are pending, though not while the handler of the last upcall is at it. */
static void assert_upcall_vector(struct vcpu *v)
{
	uint8_t vector = v->hvm->upcall_vector;

	if (vector != 0 && vcpu_event_pending(v) && !vlapic_has(v, vector))
		__atomic_fetch_or(&v->hvm->apic.irr[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
}

/* The vector to be raised, 0: none. */
static uint8_t next_vector(struct vcpu *v, bool *from_apic)
{
	int vector;

	*from_apic = false;
	if (v->hvm->upcall_vector != 0)
		assert_upcall_vector(v);
	else if (v->domain->hvm->callback_vector != 0 && vcpu_event_pending(v))
		return v->domain->hvm->callback_vector;
	vector = vlapic_deliverable(v);
	*from_apic = true;
	return vector < 0 ? 0 : (uint8_t)vector;
}

static void set_virtual_interrupt(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;
	uint64_t vintr = VINTR_MASKING | (h->apic.tpr >> 4 & 15);

	h->asserted = next_vector(v, &h->asserted_apic);
	if (h->asserted != 0 && h->asserted_apic)
		vlapic_offer(v, h->asserted);
	if (h->asserted != 0)
		vintr |= VINTR_IRQ | VINTR_IGN_TPR | (uint64_t)(h->asserted >> 4) << VINTR_PRIO_SHIFT |
			 (uint64_t)h->asserted << VINTR_VECTOR_SHIFT;
	h->vmcb->vintr = vintr;
}

static uint64_t next_event(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;
	uint64_t event = h->exception ? h->exception : h->reinject;

	h->exception = h->reinject = 0;
	if (event == 0 && nmi_waits(v) && !h->vmcb->int_shadow) {
		__atomic_fetch_and(&h->pending, ~PENDING_NMI_IN, __ATOMIC_SEQ_CST);
		h->in_nmi = true;
		h->vmcb->intercept1 |= INTERCEPT1(VMEXIT_IRET);
		event = TRAP_nmi | EVENT_NMI << 8 | EVENT_VALID;
	}
	return event;
}

/* INIT and SIPI are done by the vCPU itself: nobody else touches its registers. true: it goes on. */
static bool start_or_stop(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;
	uint32_t what = __atomic_fetch_and(&h->pending, ~(PENDING_INIT | PENDING_SIPI), __ATOMIC_SEQ_CST);

	if (what & PENDING_INIT) {
		hvm_reset(v);
		h->wait_sipi = true;
		*guest_regs() = v->regs;
	}
	if ((what & PENDING_SIPI) && h->wait_sipi) {
		hvm_start_at(v, h->sipi_vector);
		guest_regs()->rip = 0;
		h->wait_sipi = false;
	}
	if (!h->wait_sipi)
		return true;
	/* Down, unless the SIPI came meanwhile: its sender clears the flag after it set the bit. */
	__atomic_fetch_or(&v->pause_flags, VPF_down, __ATOMIC_SEQ_CST);
	if (READ_ONCE(h->pending) & PENDING_SIPI)
		__atomic_fetch_and(&v->pause_flags, ~VPF_down, __ATOMIC_SEQ_CST);
	else
		softirq_raise(SCHEDULE_SOFTIRQ);
	return false;
}

bool hvm_prepare_entry(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;

	if (unlikely((h->pending & (PENDING_INIT | PENDING_SIPI)) || h->wait_sipi) && !start_or_stop(v))
		return false;
	h->vmcb->event_inj = next_event(v);
	set_virtual_interrupt(v);
	return true;
}

bool hvm_wants_to_run(struct vcpu *v)
{
	bool from_apic;

	return next_vector(v, &from_apic) != 0 || nmi_waits(v) || (READ_ONCE(v->hvm->pending) & (PENDING_INIT | PENDING_SIPI));
}

/*
 * A software interrupt's instruction is done again; all else that was on its way is given once more. What QEMU tells as an
 * exception of a number that none has is the virtual interrupt, which it has not taken: it is raised again anyway.
 */
static uint64_t interrupted_event(uint64_t info)
{
	if (likely(!(info & EVENT_VALID)) || EVENT_TYPE(info) == EVENT_SOFT ||
	    (EVENT_TYPE(info) == EVENT_EXCEPTION && (info & 0xff) >= NR_EXCEPTIONS))
		return 0;
	return info & ~(1UL << 30);
}

void hvm_after_exit(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;

	h->reinject = interrupted_event(h->vmcb->exit_int_info);
	if (h->asserted != 0 && h->asserted_apic)
		vlapic_offered(v, h->asserted, !(h->vmcb->vintr & VINTR_IRQ));
	h->asserted = 0;
	/* Its IRET may have been what could not store A in the guest's tables. */
	if (h->nmi_over && h->vmcb->exit_code != VMEXIT_NPF) {
		h->nmi_over = false;
		h->in_nmi = false;
	}
}
