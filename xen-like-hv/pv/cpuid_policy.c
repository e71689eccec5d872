/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a PV guest sees it, with the forced-emulation prefix or CPUID
 * faulting: the CPU's own leaves, less what is the hypervisor's business. The
 * masks follow the marks for PV ("A") in the public cpufeatureset.h, less what
 * needs MSRs or register state that msr_policy.c and fpu.c do not give.
 */
#include "pv/bounce.h"
#include "pv/cpu_policy.h"
#include "time/timer.h"
#include "x86/printk.h"
#include "x86/processor.h"
#include <xen/arch-x86/cpuid.h>

#define XEN_MAJOR 4u
#define XEN_MINOR 17u
#define XEN_MSR_BASE 0x40000000u

#define MAX_BASIC 0xdu
#define MAX_EXTENDED 0x80000008u

/* 1.edx: no VME, PSE, MTRR, PGE, PSE36, HTT and the thermal ones. */
#define F1_EDX 0x0fc9cbf5u
#define F1_ECX 0xf6d83203u
#define F1_ECX_AVX (1u << 12 | 1u << 28 | 1u << 29) /* FMA, AVX, F16C */
#define F1_ECX_XSAVE (1u << 26)
#define F1_ECX_OSXSAVE (1u << 27)
#define F1_ECX_HYPERVISOR (1u << 31)
/* 7.0: no SMEP, SMAP, INVPCID, RTM, AVX512, PKU, UMIP, LA57; no speculation MSRs. */
#define F7_EBX 0x21ac0329u
#define F7_EBX_AVX (1u << 5)
#define F7_ECX 0x02400700u
#define F7_ECX_AVX (1u << 9 | 1u << 10)
#define F7_EDX 0x00004410u
#define F7_EBX_FSGSBASE 1u
#define F7_EBX_ERMS (1u << 9)
#define F7_EDX_FSRM (1u << 4)
#define F7_1_EAX 0x00001c10u
#define F7_1_EAX_AVX (1u << 4)
#define FD_1_EAX 0x7u
#define E1_ECX 0x042109e1u
#define E1_ECX_AVX (1u << 11 | 1u << 16) /* XOP, FMA4 */
#define E1_EDX 0xea500800u
#define E1_EDX_COMMON 0x0183f3ffu /* AMD repeats leaf 1's there */
#define E7_EDX 0x00000100u        /* invariant TSC */
#define E8_EBX 0x00000005u

static bool have_avx(void)
{
	return cpu_features.xcr0 & XSTATE_AVX;
}

static bool is_amd(void)
{
	return cpu_features.vendor[0] == 'A' || cpu_features.vendor[0] == 'H';
}

static void hypervisor_time(const struct vcpu *v, uint32_t sub, uint32_t r[4])
{
	switch (sub) {
	case 0:
		r[0] = (cpu_features.invariant_tsc ? 2u : 0) | (cpu_features.rdtscp ? 4u : 0);
		r[1] = 2; /* the TSC is never emulated */
		r[2] = tsc_khz;
		r[3] = v->domain->tsc_incarnation;
		break;
	case 1:
		r[2] = tsc_scale.mul_frac;
		r[3] = (uint32_t)(int32_t)tsc_scale.shift;
		break;
	case 2:
		r[0] = tsc_khz;
		break;
	}
}

static void hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	switch (leaf - XEN_CPUID_FIRST_LEAF) {
	case 0:
		r[0] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
		r[1] = XEN_CPUID_SIGNATURE_EBX;
		r[2] = XEN_CPUID_SIGNATURE_ECX;
		r[3] = XEN_CPUID_SIGNATURE_EDX;
		break;
	case 1:
		r[0] = XEN_MAJOR << 16 | XEN_MINOR;
		break;
	case 2:
		r[0] = 1; /* hypercall page */
		r[1] = XEN_MSR_BASE;
		r[2] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
		break;
	case 3:
		hypervisor_time(v, sub, r);
		break;
	case 5:
		if (sub == 0)
			r[1] = cpu_features.phys_bits & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
		break;
	}
}

static void leaf_1(uint32_t r[4])
{
	r[1] &= 0xffff;
	r[2] &= F1_ECX;
	r[3] &= F1_EDX;
	if (!have_avx())
		r[2] &= ~F1_ECX_AVX;
	if (!cpu_features.xcr0)
		r[2] &= ~F1_ECX_XSAVE;
	r[2] |= F1_ECX_HYPERVISOR;
}

static void leaf_7(uint32_t sub, uint32_t r[4])
{
	if (sub == 0) {
		r[0] = min(r[0], 1u);
		r[1] &= F7_EBX;
		r[2] &= F7_ECX;
		r[3] &= F7_EDX;
		if (!have_avx()) {
			r[1] &= ~F7_EBX_AVX;
			r[2] &= ~F7_ECX_AVX;
		}
		/* These make Linux clear and copy by bytes: eight times the iterations, which TCG runs one by one. */
		if (cpu_features.tcg) {
			/* Linux reads the inactive base at each switch of processes if it has this: a fault, and its emulation. */
			r[1] &= ~(F7_EBX_ERMS | F7_EBX_FSGSBASE);
			r[3] &= ~F7_EDX_FSRM;
		}
		return;
	}
	r[0] = sub == 1 ? r[0] & F7_1_EAX & ~(have_avx() ? 0 : F7_1_EAX_AVX) : 0;
	r[1] = r[2] = r[3] = 0;
}

static uint32_t xsave_size(uint64_t xcr0)
{
	uint32_t a, b, c, d;

	if (!(xcr0 & XSTATE_AVX))
		return 512 + 64;
	cpuid_count(0xd, 2, &a, &b, &c, &d);
	return a + b;
}

static void leaf_xsave(uint32_t sub, uint32_t r[4])
{
	uint32_t avx_bytes = r[0], avx_offset = r[1];

	r[2] = r[3] = 0;
	switch (sub) {
	case 0:
		r[0] = (uint32_t)cpu_features.xcr0;
		r[1] = r[2] = xsave_size(cpu_features.xcr0);
		r[3] = (uint32_t)(cpu_features.xcr0 >> 32);
		return;
	case 1:
		r[0] &= FD_1_EAX;
		r[1] = r[0] & 2 ? xsave_size(cpu_features.xcr0) : 0;
		return;
	case 2:
		if (have_avx()) {
			r[0] = avx_bytes;
			r[1] = avx_offset;
			return;
		}
	}
	r[0] = r[1] = 0;
}

static void basic_leaf(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	switch (leaf) {
	case 0:
		r[0] = min(r[0], MAX_BASIC);
		return;
	case 1:
		leaf_1(r);
		return;
	case 2:
		return;
	case 4:
		/* Caches are shared with nobody that the guest knows. */
		r[0] &= 0x3fff;
		return;
	case 7:
		leaf_7(sub, r);
		return;
	case 0xd:
		if (cpu_features.xcr0) {
			leaf_xsave(sub, r);
			return;
		}
	}
	/* MWAIT, thermal, DCA, PMU, x2APIC topology. */
	memset(r, 0, 4 * sizeof(*r));
}

static void extended_leaf(uint32_t leaf, uint32_t r[4])
{
	uint32_t one[4];

	switch (leaf & 0xff) {
	case 0:
		r[0] = min(r[0], MAX_EXTENDED);
		return;
	case 1:
		r[2] &= have_avx() ? E1_ECX : E1_ECX & ~E1_ECX_AVX;
		r[3] &= E1_EDX;
		if (is_amd()) {
			cpuid_count(1, 0, &one[0], &one[1], &one[2], &one[3]);
			leaf_1(one);
			r[3] |= one[3] & E1_EDX_COMMON;
		}
		return;
	case 7:
		r[0] = r[1] = r[2] = 0;
		r[3] &= E7_EDX;
		return;
	case 8:
		r[0] = (r[0] & 0xff) | 48u << 8;
		r[1] &= E8_EBX;
		r[2] = r[3] = 0;
		return;
	}
	/* The brand string and the caches stay. */
}

static void default_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	memset(r, 0, 4 * sizeof(*r));
	if (leaf <= min(cpu_features.max_leaf, MAX_BASIC)) {
		cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]);
		basic_leaf(leaf, sub, r);
	} else if (leaf >= 0x80000000u && leaf <= min(cpu_features.max_ext_leaf, MAX_EXTENDED)) {
		cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]);
		extended_leaf(leaf, r);
	}
}

void pv_cpuid_default(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	uint32_t r[4];

	default_cpuid(leaf, sub, r);
	memcpy(out, r, sizeof(r));
}

/* What a vCPU has of its own, or sees of its own registers. */
static void own_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	if (leaf == 1) {
		/* Each vCPU is a package of one core; APIC IDs as other hypervisors number them. */
		r[1] = (r[1] & 0xffff) | (v->vcpu_id * 2) << 24;
		r[2] &= ~F1_ECX_OSXSAVE;
		if ((r[2] & F1_ECX_XSAVE) && (v->pv.cr4_guest & CR4_OSXSAVE))
			r[2] |= F1_ECX_OSXSAVE;
	} else if (leaf == 0xd && cpu_features.xcr0 && sub <= 1 && r[1]) {
		r[1] = xsave_size(v->pv.xcr0);
	}
}

void pv_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	uint32_t r[4] = { 0, 0, 0, 0 };

	if (leaf >= XEN_CPUID_FIRST_LEAF && leaf <= XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES)) {
		hypervisor_leaf(v, leaf, sub, r);
	} else {
		if (!cpu_policy_leaf(v->domain, leaf, sub, r))
			default_cpuid(leaf, sub, r);
		own_cpuid(v, leaf, sub, r);
	}
	memcpy(out, r, sizeof(r));
}
