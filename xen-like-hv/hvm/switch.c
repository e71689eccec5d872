/* SPDX-License-Identifier: MIT */
/*
 * The context switch of a vCPU with a VMCB, interrupts off. Most of it is in the VMCB while the hypervisor
 * runs; what VMRUN and VMLOAD leave in the CPU is what PV's switches keep there as well: the FPU with XCR0, and
 * TSC_AUX. PKRU is nobody's else: PV guests have no CR4.PKE. Debug registers are loaded around each entry.
 */
#include "hvm/private.h"
#include "pv/bounce.h"
#include "pv/mmu.h"
#include "x86/hooks.h"
#include "x86/msr.h"
#include "x86/processor.h"
#include "x86/tlb.h"

static uint32_t rdpkru(void)
{
	uint32_t a, d;

	__asm__ volatile("rdpkru" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

static void wrpkru(uint32_t v)
{
	__asm__ volatile("wrpkru" :: "a"(v), "c"(0), "d"(0));
}

/* A guest may have turned CR4.PKE off again, and have left something. */
static uint32_t swap_pkru(uint32_t to)
{
	uint32_t was;

	cpu_load_cr4(hv_cr4 | CR4_PKE);
	was = rdpkru();
	if (was != to)
		wrpkru(to);
	cpu_load_cr4(hv_cr4);
	return was;
}

/*
 * QEMU does not end a guest's turn for XSETBV: it is read where it matters. Components that nobody was told of are
 * not switched; whoever turns them on finds them off again, at the latest after it gave up the CPU.
 */
void hvm_note_xcr0(struct vcpu *v)
{
	uint64_t now;

	if (!cpu_features.xcr0)
		return;
	now = xgetbv(0);
	v->pv.xcr0 = now & cpu_features.xcr0;
	if (unlikely(now != v->pv.xcr0))
		xsetbv(0, v->pv.xcr0);
}

void hvm_switch_from(struct vcpu *v)
{
	hvm_note_xcr0(v);
	if (cpu_features.pku)
		v->hvm->pkru = swap_pkru(0);
	fpu_switch_from(v);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	svm_idt_load(false);
}

void hvm_switch_to(struct vcpu *v)
{
	mmu_switch_to_hvm(v->domain);
	svm_idt_load(true);
	cpu_load_cr4(hv_cr4);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	fpu_switch_to(v);
	if (cpu_features.pku)
		(void)swap_pkru(v->hvm->pkru);
	if (cpu_features.rdtscp)
		cpu_set_tsc_aux(v->pv.tsc_aux);
	/* Another's translations may be under our address space number. */
	v->hvm->generation = ~0ULL;
}
