/* SPDX-License-Identifier: MIT */
/* What the CPU can do, and its control registers. Nothing is assumed: TCG and old CPUs lack much. */
#include "x86/cpu_info.h"
#include "x86/desc.h"
#include "x86/msr.h"
#include "x86/printk.h"
#include "x86/processor.h"

#define CPUID_HYPERVISOR_FIRST 0x40000000u

struct cpu_features cpu_features;
uint64_t hv_cr4;
DEFINE_PER_CPU(uint64_t, cpu_cr4);

static void probe_xsave(struct cpu_features *f)
{
	uint32_t a, b, c, d;

	f->xsave_bytes = 512;
	if (!f->xsave || f->max_leaf < 0xd)
		return;
	cpuid_count(0xd, 0, &a, &b, &c, &d);
	f->xcr0 = a & (XSTATE_FP | XSTATE_SSE | XSTATE_AVX);
	if (!f->avx)
		f->xcr0 &= ~XSTATE_AVX;
	f->xsave_bytes = 512 + 64;
	if (f->xcr0 & XSTATE_AVX) {
		cpuid_count(0xd, 2, &a, &b, &c, &d);
		f->xsave_bytes = max(f->xsave_bytes, a + b);
	}
}

static bool under_tcg(void)
{
	uint32_t max, sig[3];

	cpuid_count(CPUID_HYPERVISOR_FIRST, 0, &max, &sig[0], &sig[1], &sig[2]);
	return !memcmp(sig, "TCGTCGTCGTCG", sizeof(sig));
}

void cpu_features_init(void)
{
	struct cpu_features *f = &cpu_features;
	uint32_t a, b, c, d;

	cpuid_count(0, 0, &f->max_leaf, &b, &c, &d);
	memcpy(f->vendor, &b, 4);
	memcpy(f->vendor + 4, &d, 4);
	memcpy(f->vendor + 8, &c, 4);
	cpuid_count(1, 0, &a, &b, &c, &d);
	f->x2apic = c >> 21 & 1;
	f->tsc_deadline = c >> 24 & 1;
	f->xsave = c >> 26 & 1;
	f->avx = c >> 28 & 1;
	f->hypervisor = c >> 31 & 1;
	f->tcg = f->hypervisor && under_tcg();
	if (f->max_leaf >= 7) {
		cpuid_count(7, 0, &a, &b, &c, &d);
		f->fsgsbase = b & 1;
		f->smep = b >> 7 & 1;
		f->smap = b >> 20 & 1;
		f->umip = c >> 2 & 1;
		f->pku = c >> 3 & 1;
	}
	cpuid_count(0x80000000u, 0, &f->max_ext_leaf, &b, &c, &d);
	f->phys_bits = 36;
	if (f->max_ext_leaf >= 0x80000001u) {
		cpuid_count(0x80000001u, 0, &a, &b, &c, &d);
		f->nx = d >> 20 & 1;
		f->pse1g = d >> 26 & 1;
		f->rdtscp = d >> 27 & 1;
	}
	if (f->max_ext_leaf >= 0x80000007u) {
		cpuid_count(0x80000007u, 0, &a, &b, &c, &d);
		f->invariant_tsc = d >> 8 & 1;
	}
	if (f->max_ext_leaf >= 0x80000008u) {
		cpuid_count(0x80000008u, 0, &a, &b, &c, &d);
		f->phys_bits = a & 0xff;
	}
	probe_xsave(f);
	if (!f->nx)
		panic("this CPU cannot mark pages non-executable\n");
	/* UMIP stays off: PV guests may run sgdt and sidt. PGE too: a CR3 write then flushes everything. */
	hv_cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (f->xsave)
		hv_cr4 |= CR4_OSXSAVE;
	if (f->fsgsbase)
		hv_cr4 |= CR4_FSGSBASE;
	if (f->smep)
		hv_cr4 |= CR4_SMEP;
	if (f->smap)
		hv_cr4 |= CR4_SMAP;
}

void cpu_load_cr4(uint64_t cr4)
{
	if (this_cpu(cpu_cr4) == cr4)
		return;
	this_cpu(cpu_cr4) = cr4;
	write_cr4(cr4);
}

void cpu_init_control_regs(void)
{
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	cpu_load_cr4(hv_cr4);
	if (cpu_features.xcr0)
		xsetbv(0, cpu_features.xcr0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	/* sysret: CS = base + 16 = FLAT_RING3_CS64, SS = base + 8 = FLAT_RING3_SS64. */
	wrmsr(MSR_STAR, (uint64_t)0xe023 << 48 | (uint64_t)HV_CS64 << 32);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}
