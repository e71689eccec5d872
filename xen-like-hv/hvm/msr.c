/* SPDX-License-Identifier: MIT */
/*
 * Model specific registers. Those that VMLOAD and VMSAVE switch are the guest's own, and do not come here; the rest is
 * the closed list of PV guests, but for what a machine of its own has: EFER, PAT, the local APIC.
 */
#include "hvm/private.h"
#include "lib/errno.h"
#include "pv/trap.h"
#include "x86/msr.h"
#include "x86/processor.h"

#define MSR_X2APIC_LAST 0x8ff
#define MSR_HYPERCALL_PAGE 0x40000000 /* CPUID 0x40000002.ebx */

static uint64_t *own_register(struct vcpu *v, uint32_t msr)
{
	struct vmcb *b = vmcb_of(v);

	switch (msr) {
	case MSR_SYSENTER_CS: return &b->sysenter_cs;
	case MSR_SYSENTER_ESP: return &b->sysenter_esp;
	case MSR_SYSENTER_EIP: return &b->sysenter_eip;
	case MSR_STAR: return &b->star;
	case MSR_LSTAR: return &b->lstar;
	case MSR_CSTAR: return &b->cstar;
	case MSR_SFMASK: return &b->sfmask;
	case MSR_FS_BASE: return &b->fs.base;
	case MSR_GS_BASE: return &b->gs.base;
	case MSR_KERNEL_GS_BASE: return &b->kernel_gs_base;
	}
	return NULL;
}

int hvm_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const uint64_t *own = own_register(v, msr);

	if (own) {
		*val = *own;
		return 0;
	}
	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return vlapic_read(v, msr - MSR_X2APIC_FIRST, val);
	switch (msr) {
	case MSR_EFER:
		*val = vmcb_of(v)->efer & ~EFER_SVME;
		return 0;
	case MSR_PAT:
		*val = vmcb_of(v)->g_pat;
		return 0;
	case MSR_APIC_BASE:
		*val = vlapic_base(v);
		return 0;
	}
	return pv_rdmsr(v, msr, val);
}

/* LMA follows LME and CR0.PG, which the CPU sees to; with paging on LME cannot change. */
static int write_efer(struct vmcb *b, uint64_t val)
{
	if (val & ~EFER_GUEST)
		return -EPERM;
	if ((b->cr0 & CR0_PG) && ((val ^ b->efer) & EFER_LME))
		return -EPERM;
	b->efer = (val & ~EFER_LMA) | (b->efer & EFER_LMA) | EFER_SVME;
	return 0;
}

static int write_pat(struct vmcb *b, uint64_t val)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = val >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return -EPERM;
	}
	b->g_pat = val;
	return 0;
}

int hvm_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (own_register(v, msr))
		return -EPERM;
	if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
		return vlapic_write(v, msr - MSR_X2APIC_FIRST, val);
	switch (msr) {
	case MSR_EFER:
		return write_efer(vmcb_of(v), val);
	case MSR_PAT:
		return write_pat(vmcb_of(v), val);
	case MSR_APIC_BASE:
		/* Always on, always in this mode, always there. */
		return val == vlapic_base(v) ? 0 : -EPERM;
	case MSR_HYPERCALL_PAGE:
		return hvm_write_hypercall_page(v, val);
	}
	return pv_wrmsr(v, msr, val);
}
