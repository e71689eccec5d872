/* SPDX-License-Identifier: MIT */
/* Inside hvm/. */
#ifndef HVM_PRIVATE_H
#define HVM_PRIVATE_H
#include "hvm/hvm.h"
#include "hvm/vmcb.h"
#include "time/timer.h"
#include "x86/msr.h"
#include <xen/hvm/params.h>

/* hvm_vcpu.pending, changed atomically by anybody; the vCPU looks before each entry. */
#define PENDING_INIT 1u
#define PENDING_SIPI 2u
#define PENDING_NMI_IN 4u

#define LVT_TIMER 0
#define LVT_NR 6

/* What a guest may have in RFLAGS and EFER. */
#define HVM_RFLAGS 0x3f7fd5UL
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/* The local APIC's registers: MSR numbers less that of the first; where they are mapped, sixteen times that. */
#define APIC_ID 0x02u
#define APIC_VERSION 0x03u
#define APIC_TPR 0x08u
#define APIC_PPR 0x0au
#define APIC_EOI 0x0bu
#define APIC_LDR 0x0du
#define APIC_SVR 0x0fu
#define APIC_ISR 0x10u
#define APIC_TMR 0x18u
#define APIC_IRR 0x20u
#define APIC_ESR 0x28u
#define APIC_ICR 0x30u
#define ICR_VALID 0xffffffff000cdfffUL
#define APIC_ICR_HIGH 0x31u /* mapped alone */
#define APIC_LVT 0x32u
#define APIC_LVT_LAST 0x37u
#define APIC_TIMER_INIT 0x38u
#define APIC_TIMER_NOW 0x39u
#define APIC_TIMER_DIVIDE 0x3eu
#define APIC_SELF_IPI 0x3fu

struct vlapic {
	uint32_t irr[8];          /* atomically, by anybody */
	uint32_t isr[8];
	uint32_t tpr, svr, esr;
	uint32_t lvt[LVT_NR];     /* timer, thermal, counters, LINT0, LINT1, error */
	uint64_t icr;
	uint32_t initial, divide; /* the timer's */
	s_time_t timer_start;
	struct timer timer;
};

struct hvm_vcpu {
	struct vmcb *vmcb;
	paddr_t vmcb_pa;
	volatile uint32_t pending;
	volatile uint8_t sipi_vector;
	volatile bool wait_sipi;  /* INIT was done, or it never started: a SIPI starts it */
	uint8_t upcall_vector;    /* HVMOP_set_evtchn_upcall_vector, 0: none */
	uint8_t asserted;         /* the vector that V_IRQ stands for, 0: none */
	bool asserted_apic;       /* it came from the local APIC, and is in service once it is taken */
	bool fetching;            /* its instruction is read, of whatever mode that was: no SMAP */
	bool in_nmi, nmi_over;    /* until its IRET; that IRET is the next instruction */
	uint64_t reinject;        /* the event that an exit interrupted, in EVENTINJ's form; 0: none */
	uint64_t exception;       /* to be injected: of the instruction that ended the turn */
	uint64_t generation;      /* of the p2m, when this vCPU's CPU last flushed */
	uint32_t pkru;
	struct vlapic apic;
};

struct hvm_domain {
	uint64_t params[HVM_NR_PARAMS];
	uint8_t callback_vector;  /* HVM_PARAM_CALLBACK_IRQ of type vector; 0: none */
};

static inline struct vmcb *vmcb_of(const struct vcpu *v) { return v->hvm->vmcb; }
static inline bool vmcb_in_64bit(const struct vmcb *b) { return (b->efer & EFER_LMA) && (b->cs.attr & ATTR_L); }

/* svm.c */
extern uint8_t svm_iopm[], svm_msrpm[];
paddr_t svm_host_vmcb(void);
bool svm_has_nrip(void);
void svm_idt_load(bool own); /* while a vCPU with a VMCB is in the CPU; or the one for all others */

/* world.S */
void svm_enter(paddr_t vmcb, struct cpu_user_regs *regs, paddr_t host_vmcb);

/* vcpu.c */
void hvm_reset(struct vcpu *v); /* as INIT leaves it */
void hvm_start_at(struct vcpu *v, uint8_t vector);

/* inject.c */
void hvm_inject(struct vcpu *v, unsigned int vector, bool has_code, uint32_t code);
/* Interrupts off. false: do not enter, look for work again. */
bool hvm_prepare_entry(struct vcpu *v);
void hvm_after_exit(struct vcpu *v);
bool hvm_wants_to_run(struct vcpu *v); /* something waits that ends a HLT */

/* switch.c: v is current: v->pv.xcr0 is what XCR0 is. */
void hvm_note_xcr0(struct vcpu *v);

/* insn.c: the length of the instruction at rip, of which the opcode is known; 0: it is not that (any more). */
unsigned int hvm_insn_length(struct vcpu *v, unsigned int opcode);
/* mov to or from a control or debug register: its length, *reg the general register. */
unsigned int hvm_insn_mov_special(struct vcpu *v, unsigned int *reg);
void hvm_skip(struct vcpu *v, unsigned int length);

/* debugreg.c */
void hvm_dr_access(struct vcpu *v, unsigned int nr, bool write);
void hvm_dr_load(struct vcpu *v);
void hvm_dr_unload(const struct vcpu *v);

/* vlapic.c */
uint64_t vlapic_base(const struct vcpu *v); /* MSR_APIC_BASE: always on, always in this mode */
void vlapic_reset(struct vcpu *v);
void vlapic_init_vcpu(struct vcpu *v);
void vlapic_post(struct vcpu *v, uint8_t vector);     /* and wakes it */
int vlapic_deliverable(const struct vcpu *v);         /* -1: none */
void vlapic_offer(struct vcpu *v, uint8_t vector); /* to the guest, with V_IRQ */
void vlapic_offered(struct vcpu *v, uint8_t vector, bool taken);
bool vlapic_has(const struct vcpu *v, uint8_t vector); /* requested or in service */
uint32_t vlapic_divisor(const struct vcpu *v);
/* Its timer as it stands: left to go of initial. */
void vlapic_set_timer(struct vcpu *v, uint32_t initial, uint32_t left);
int vlapic_read(const struct vcpu *v, uint32_t reg, uint64_t *val);
int vlapic_write(struct vcpu *v, uint32_t reg, uint64_t val);

/* hypercall_page.c */
int hvm_write_hypercall_page(struct vcpu *v, uint64_t val);
#endif
