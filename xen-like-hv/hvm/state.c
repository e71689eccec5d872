/* SPDX-License-Identifier: MIT */
/* A vCPU's registers in the public form (hvm/save.h). */
#include "hvm/private.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "x86/msr.h"
#include "x86/page.h"
#include "x86/printk.h"
#include "x86/traps.h"
#include <xen/hvm/save.h>

#define CR0_VALID (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR4_VME (1UL << 0)
#define CR4_PVI (1UL << 1)
#define CR4_PSE (1UL << 4)
#define CR4_PCIDE (1UL << 17)
#define EVENT_KEPT (EVENT_VALID | 0xfffUL) /* vector, type, whether there is an error code: as EVENTINJ has them */

static uint64_t cr4_valid(const struct vcpu *v)
{
	uint64_t cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint32_t one[4], seven[4];

	hvm_cpuid(v, 1, 0, one);
	hvm_cpuid(v, 7, 0, seven);
	cr4 |= one[2] & 1u << 17 ? CR4_PCIDE : 0;
	cr4 |= one[2] & 1u << 26 ? CR4_OSXSAVE : 0;
	cr4 |= seven[1] & 1u ? CR4_FSGSBASE : 0;
	cr4 |= seven[1] & 1u << 7 ? CR4_SMEP : 0;
	cr4 |= seven[1] & 1u << 20 ? CR4_SMAP : 0;
	cr4 |= seven[2] & 4u ? CR4_UMIP : 0;
	return cr4;
}

/* Of what can be injected, what an exit may have interrupted: a software interrupt's instruction is done again. */
static bool may_be_pending(const struct hvm_hw_cpu *c)
{
	bool code = c->pending_error_valid;

	switch (c->pending_type) {
	case EVENT_INTR:
		return !code;
	case EVENT_NMI:
		return !code && c->pending_vector == TRAP_nmi;
	case EVENT_EXCEPTION:
		return c->pending_vector < 32 && c->pending_vector != TRAP_nmi;
	}
	return false;
}

/* What VMRUN refuses, and what no CPU that got there by itself can be in. */
static int check(const struct vcpu *v, const struct hvm_hw_cpu *c)
{
	bool paging = c->cr0 & CR0_PG;

	if ((c->cr0 & ~CR0_VALID) || ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD)) || (paging && !(c->cr0 & CR0_PE)))
		return -EINVAL;
	if ((c->cr4 & ~cr4_valid(v)) || (c->msr_efer & ~EFER_GUEST))
		return -EINVAL;
	if (!!(c->msr_efer & EFER_LMA) != (paging && (c->msr_efer & EFER_LME)))
		return -EINVAL;
	if ((c->msr_efer & EFER_LMA) && !(c->cr4 & CR4_PAE))
		return -EINVAL;
	if ((c->msr_efer & EFER_LMA) && (c->cs_arbytes & ATTR_L) && (c->cs_arbytes & ATTR_DB))
		return -EINVAL;
	if ((c->msr_efer & EFER_LMA) && (c->cr3 & ~PTE_MFN_MASK & ~0xfffUL))
		return -EINVAL;
	if (!is_canonical(c->msr_lstar) || !is_canonical(c->msr_cstar) || !is_canonical(c->shadow_gs) ||
	    !is_canonical(c->fs_base) || !is_canonical(c->gs_base) || !is_canonical(c->sysenter_eip) ||
	    !is_canonical(c->sysenter_esp))
		return -EINVAL;
	if (c->dr6 >> 32 || c->dr7 >> 32 || c->msr_tsc_aux >> 32 || (c->rflags & FLAGS_VM && c->msr_efer & EFER_LMA))
		return -EINVAL;
	if (c->pending_valid && !may_be_pending(c))
		return -EINVAL;
	return c->flags & ~XEN_X86_FPU_INITIALISED ? -EINVAL : 0;
}

/* sel, attributes, limit, base of each; in one place for both directions. */
#define EACH_SEGMENT(X) \
	X(cs) X(ds) X(es) X(fs) X(gs) X(ss) X(tr) X(ldtr)

static void set_segments(struct vmcb *b, const struct hvm_hw_cpu *c)
{
#define SET(s) b->s = (struct vmcb_seg){ (uint16_t)c->s##_sel, (uint16_t)(c->s##_arbytes & 0xfff), c->s##_limit, c->s##_base };
	EACH_SEGMENT(SET)
#undef SET
	b->gdtr = (struct vmcb_seg){ 0, 0, c->gdtr_limit & 0xffff, c->gdtr_base };
	b->idtr = (struct vmcb_seg){ 0, 0, c->idtr_limit & 0xffff, c->idtr_base };
	b->cpl = c->ss_arbytes >> 5 & 3;
}

static void get_segments(const struct vmcb *b, struct hvm_hw_cpu *c)
{
#define GET(s) \
	c->s##_sel = b->s.sel; \
	c->s##_arbytes = b->s.attr; \
	c->s##_limit = b->s.limit; \
	c->s##_base = b->s.base;
	EACH_SEGMENT(GET)
#undef GET
	c->gdtr_limit = b->gdtr.limit;
	c->gdtr_base = b->gdtr.base;
	c->idtr_limit = b->idtr.limit;
	c->idtr_base = b->idtr.base;
}

#define EACH_GPR(X) \
	X(rax) X(rbx) X(rcx) X(rdx) X(rbp) X(rsi) X(rdi) X(rsp) X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15) X(rip)

static void set_general(struct cpu_user_regs *r, const struct hvm_hw_cpu *c)
{
#define SET(n) r->n = c->n;
	EACH_GPR(SET)
#undef SET
	r->rflags = (c->rflags & HVM_RFLAGS) | 2;
}

static void get_general(const struct cpu_user_regs *r, struct hvm_hw_cpu *c)
{
#define GET(n) c->n = r->n;
	EACH_GPR(GET)
#undef GET
	c->rflags = r->rflags;
}

#define EACH_MSR(X) \
	X(sysenter_cs, sysenter_cs) X(sysenter_esp, sysenter_esp) X(sysenter_eip, sysenter_eip) X(kernel_gs_base, shadow_gs) \
	X(lstar, msr_lstar) X(star, msr_star) X(cstar, msr_cstar) X(sfmask, msr_syscall_mask)

static void set_pending(struct hvm_vcpu *h, const struct hvm_hw_cpu *c)
{
	bool nmi = c->pending_valid && c->pending_type == EVENT_NMI;

	h->exception = 0;
	h->reinject = c->pending_valid && !nmi ? (c->pending_event & EVENT_KEPT) | (uint64_t)c->error_code << 32 : 0;
	__atomic_store_n(&h->pending, nmi ? PENDING_NMI_IN : 0, __ATOMIC_SEQ_CST);
	h->wait_sipi = false;
}

/* What it would be given first when it ran. */
static uint64_t get_pending(const struct hvm_vcpu *h)
{
	if (h->exception || h->reinject)
		return h->exception ? h->exception : h->reinject;
	return h->pending & PENDING_NMI_IN ? TRAP_nmi | EVENT_NMI << 8 | EVENT_VALID : 0;
}

int hvm_set_cpu(struct vcpu *v, const struct hvm_hw_cpu *c)
{
	struct vmcb *b = vmcb_of(v);
	int ret = check(v, c);

	if (ret != 0)
		return ret;
	set_segments(b, c);
	set_general(&v->regs, c);
#define SET(ours, theirs) b->ours = c->theirs;
	EACH_MSR(SET)
#undef SET
	b->efer = c->msr_efer | EFER_SVME;
	b->cr0 = c->cr0 | CR0_ET;
	b->cr2 = c->cr2;
	b->cr3 = c->cr3;
	b->cr4 = c->cr4;
	v->pv.dr[0] = c->dr0;
	v->pv.dr[1] = c->dr1;
	v->pv.dr[2] = c->dr2;
	v->pv.dr[3] = c->dr3;
	b->dr6 = (c->dr6 & 0xe00f) | DR6_INIT;
	b->dr7 = v->pv.dr7 = (c->dr7 & 0xffff07ff) | DR7_INIT;
	v->pv.tsc_aux = c->msr_tsc_aux;
	fpu_set_legacy(v, c->flags & XEN_X86_FPU_INITIALISED ? c->fpu_regs : NULL);
	b->int_shadow = 0;
	set_pending(v->hvm, c);
	__atomic_store_n(&v->is_initialised, true, __ATOMIC_RELEASE);
	return 0;
}

void hvm_get_cpu(const struct vcpu *v, struct hvm_hw_cpu *c)
{
	uint64_t pending = get_pending(v->hvm);
	const struct vmcb *b = vmcb_of(v);

	memset(c, 0, sizeof(*c));
	fpu_get_legacy(v, c->fpu_regs);
	c->flags = XEN_X86_FPU_INITIALISED;
	get_general(&v->regs, c);
	get_segments(b, c);
#define GET(ours, theirs) c->theirs = b->ours;
	EACH_MSR(GET)
#undef GET
	c->msr_efer = b->efer & ~EFER_SVME;
	c->cr0 = b->cr0;
	c->cr2 = b->cr2;
	c->cr3 = b->cr3;
	c->cr4 = b->cr4;
	c->dr0 = v->pv.dr[0];
	c->dr1 = v->pv.dr[1];
	c->dr2 = v->pv.dr[2];
	c->dr3 = v->pv.dr[3];
	c->dr6 = b->dr6;
	c->dr7 = v->pv.dr7;
	c->msr_tsc_aux = v->pv.tsc_aux;
	c->tsc = rdtsc();
	c->pending_event = (uint32_t)pending;
	c->error_code = (uint32_t)(pending >> 32);
}

/* There are no MTRRs: of the record that has them, the PAT. */
void hvm_get_mtrr(const struct vcpu *v, struct hvm_hw_mtrr *m)
{
	*m = (struct hvm_hw_mtrr){ .msr_pat_cr = vmcb_of(v)->g_pat };
}

int hvm_set_mtrr(struct vcpu *v, const struct hvm_hw_mtrr *m)
{
	return hvm_wrmsr(v, MSR_PAT, m->msr_pat_cr) != 0 ? -EINVAL : 0;
}
