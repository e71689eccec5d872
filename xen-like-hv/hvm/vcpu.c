/* SPDX-License-Identifier: MIT */
/* The objects, and how a vCPU begins. */
#include "hvm/private.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "mm/page_alloc.h"
#include "p2m/p2m.h"
#include "pv/bounce.h"
#include "x86/msr.h"
#include "x86/page.h"
#include "x86/printk.h"

#define PAT_RESET 0x0007040600070406UL
#define CPU_SIGNATURE_EDX 0x600u

int hvm_init_domain(struct domain *d)
{
	d->hvm = xzalloc(struct hvm_domain);
	if (d->hvm == NULL)
		return -ENOMEM;
	d->hvm->params[HVM_PARAM_TRIPLE_FAULT_REASON] = SHUTDOWN_reboot;
	return 0;
}

void hvm_free_domain(struct domain *d)
{
	xfree(d->hvm);
	d->hvm = NULL;
}

/*
 * What ends a guest's turn: all that would reach beyond it, and what it was told is not there. Its own
 * page tables, exceptions, time stamps and CR3 are its business. No bit of EXCEPTION: they are the guest's,
 * but for a machine check.
 */
static void set_intercepts(struct vmcb *b)
{
	b->cr_write = 1u << 8;
	b->dr_read = b->dr_write = 0xff;
	b->exceptions = 1u << TRAP_machine_check;
	b->intercept1 = INTERCEPT1(VMEXIT_INTR) | INTERCEPT1(VMEXIT_NMI) | INTERCEPT1(VMEXIT_SMI) | INTERCEPT1(VMEXIT_INIT) |
			INTERCEPT1(VMEXIT_RDPMC) | INTERCEPT1(VMEXIT_CPUID) | INTERCEPT1(VMEXIT_INVD) | INTERCEPT1(VMEXIT_HLT) |
			INTERCEPT1(VMEXIT_INVLPGA) | INTERCEPT1(VMEXIT_IOIO) | INTERCEPT1(VMEXIT_MSR) |
			INTERCEPT1(VMEXIT_FERR) | INTERCEPT1(VMEXIT_SHUTDOWN);
	b->intercept2 = INTERCEPT2(VMEXIT_VMRUN) | INTERCEPT2(VMEXIT_VMMCALL) | INTERCEPT2(VMEXIT_VMLOAD) |
			INTERCEPT2(VMEXIT_VMSAVE) | INTERCEPT2(VMEXIT_STGI) | INTERCEPT2(VMEXIT_CLGI) | INTERCEPT2(VMEXIT_SKINIT) |
			INTERCEPT2(VMEXIT_WBINVD) | INTERCEPT2(VMEXIT_MONITOR) | INTERCEPT2(VMEXIT_MWAIT) |
			INTERCEPT2(VMEXIT_MWAIT_ARMED) | INTERCEPT2(VMEXIT_XSETBV);
}

static struct vmcb_seg segment(uint16_t sel, uint16_t attr, uint32_t limit, uint64_t base)
{
	return (struct vmcb_seg){ .sel = sel, .attr = attr, .limit = limit, .base = base };
}

/* Registers that a reset gives a value of its own; the manual's table. */
static void reset_state(struct vmcb *b)
{
	struct vmcb_seg data = segment(0, 0x93, 0xffff, 0);

	b->es = b->ss = b->ds = b->fs = b->gs = data;
	b->cs = segment(0xf000, 0x9b, 0xffff, 0xffff0000);
	b->gdtr = b->idtr = segment(0, 0, 0xffff, 0);
	b->ldtr = segment(0, 0x82, 0xffff, 0);
	b->tr = segment(0, 0x8b, 0xffff, 0);
	b->cpl = 0;
	b->efer = EFER_SVME;
	b->cr0 = CR0_ET;
	b->cr2 = b->cr3 = b->cr4 = 0;
	b->dr6 = DR6_INIT;
	b->dr7 = DR7_INIT;
	b->rflags = 2;
	b->rip = 0xfff0;
	b->int_shadow = 0;
}

void hvm_reset(struct vcpu *v)
{
	struct hvm_vcpu *h = v->hvm;

	reset_state(h->vmcb);
	memset(&v->regs, 0, offsetof(struct cpu_user_regs, es));
	v->regs.rdx = CPU_SIGNATURE_EDX;
	v->regs.rip = h->vmcb->rip;
	v->regs.rflags = 2;
	memset(v->pv.dr, 0, sizeof(v->pv.dr));
	v->pv.dr7 = DR7_INIT;
	h->reinject = h->exception = 0;
	h->asserted = 0;
	h->in_nmi = h->nmi_over = false;
	h->vmcb->intercept1 &= ~INTERCEPT1(VMEXIT_IRET);
	vlapic_reset(v);
}

void hvm_start_at(struct vcpu *v, uint8_t vector)
{
	struct vmcb *b = vmcb_of(v);

	b->cs = segment((uint16_t)(vector << 8), 0x9b, 0xffff, (uint64_t)vector << 12);
	v->regs.rip = b->rip = 0;
}

static void init_vmcb(struct vcpu *v)
{
	struct vmcb *b = vmcb_of(v);

	set_intercepts(b);
	b->iopm_pa = sym_to_paddr(svm_iopm);
	b->msrpm_pa = sym_to_paddr(svm_msrpm);
	b->asid = 1;
	b->np_enable = NPT_ENABLED;
	b->n_cr3 = p2m_root(v->domain);
	b->g_pat = PAT_RESET;
}

int hvm_init_vcpu(struct vcpu *v)
{
	struct hvm_vcpu *h = xzalloc(struct hvm_vcpu);

	if (h == NULL)
		return -ENOMEM;
	h->vmcb = alloc_hv_page();
	if (h->vmcb == NULL || fpu_init_vcpu(v) != 0) {
		free_hv_page(h->vmcb);
		xfree(h);
		return -ENOMEM;
	}
	h->vmcb_pa = virt_to_paddr(h->vmcb);
	h->wait_sipi = v->vcpu_id != 0;
	v->hvm = h;
	v->pv.kernel_mode = 1;
	init_vmcb(v);
	vlapic_init_vcpu(v);
	hvm_reset(v);
	return 0;
}

void hvm_stop_vcpu(struct vcpu *v)
{
	timer_kill(&v->hvm->apic.timer);
}

void hvm_destroy_vcpu(struct vcpu *v)
{
	if (v->hvm == NULL)
		return;
	timer_kill(&v->hvm->apic.timer);
	free_hv_page(v->hvm->vmcb);
	xfree(v->hvm);
	v->hvm = NULL;
	fpu_destroy_vcpu(v);
}
