/* SPDX-License-Identifier: MIT */
/*
 * Model specific registers as a PV guest sees them: a closed list. Any other
 * number is #GP, to read and to write, which kernels expect and handle, unless
 * the domain was made with XEN_X86_MSR_RELAXED.
 */
#include "domain/dirty_log.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "pv/mmu.h"
#include "x86/msr.h"
#include "x86/processor.h"

#define MSR_PLATFORM_ID 0x17
#define MSR_EBL_CR_POWERON 0x2a
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_UCODE_REV 0x8b
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MISC_ENABLE 0x1a0
#define MSR_MC0_CTL 0x400
#define MSR_MC_LAST 0x47f
#define MSR_K8_SYSCFG 0xc0010010
#define MSR_K8_HWCR 0xc0010015
#define MSR_AMD_DE_CFG 0xc0011029
#define MSR_FAM10H_MMIO 0xc0010058
#define MSR_K8_TSEG_ADDR 0xc0010112
#define MSR_K7_PERFCTR_FIRST 0xc0010000
#define MSR_K7_PERFCTR_LAST 0xc0010007
#define MSR_F15_PERF_FIRST 0xc0010200
#define MSR_F15_PERF_LAST 0xc001020b

#define MSR_HYPERCALL_PAGE 0x40000000 /* CPUID 0x40000002.ebx */

#define PAT_XEN 0x050100070406UL /* WB WT UC- UC WC WP UC UC: the public headers' order */
#define MISC_ENABLE_FAST_STRINGS (1UL << 0)
#define MISC_ENABLE_NO_BTS (1UL << 11)
#define MISC_ENABLE_NO_PEBS (1UL << 12)
#define APIC_BASE_ADDR 0xfee00000UL
#define APIC_BASE_BSP (1UL << 8)
#define DE_CFG_LFENCE_SERIALIZE (1UL << 1)

static bool is_amd(void)
{
	/* "Auth", "Hygo" */
	return cpu_features.vendor[0] == 'A' || cpu_features.vendor[0] == 'H';
}

static bool in(uint32_t msr, uint32_t first, uint32_t last)
{
	return msr >= first && msr <= last;
}

static uint64_t guest_efer(void)
{
	return EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

/* The running mode's base is in the CPU, the other's in KERNEL_GS_BASE; privileged code runs in kernel mode. */
static bool read_segment_base(const struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!in(msr, MSR_FS_BASE, MSR_KERNEL_GS_BASE))
		return false;
	if (v != current)
		*val = msr == MSR_FS_BASE   ? v->pv.fs_base
		       : msr == MSR_GS_BASE ? v->pv.gs_base_kernel
					    : v->pv.gs_base_user;
	else
		*val = msr == MSR_FS_BASE ? cpu_get_fs_base() : msr == MSR_GS_BASE ? cpu_get_gs_base() : rdmsr(msr);
	return true;
}

/* A number not listed here. Whoever built the domain may want it to read as 0 and to take any value. */
static int unknown(const struct vcpu *v)
{
	return v->domain->msr_relaxed ? 0 : -EPERM;
}

/* Machine check banks and counters: none, all zero. */
static bool reads_zero(uint32_t msr)
{
	switch (msr) {
	case MSR_PLATFORM_ID:
	case MSR_EBL_CR_POWERON:
	case MSR_UCODE_REV:
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
		return true;
	}
	if (in(msr, MSR_MC0_CTL, MSR_MC_LAST))
		return true;
	if (!is_amd())
		return msr == MSR_FEATURE_CONTROL;
	return in(msr, MSR_K7_PERFCTR_FIRST, MSR_K7_PERFCTR_LAST) || in(msr, MSR_F15_PERF_FIRST, MSR_F15_PERF_LAST) ||
	       msr == MSR_K8_HWCR || msr == MSR_K8_SYSCFG || msr == MSR_K8_TSEG_ADDR || msr == MSR_FAM10H_MMIO;
}

int pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = 0;
	if (read_segment_base(v, msr, val) || reads_zero(msr))
		return 0;
	switch (msr) {
	case MSR_TSC:
		*val = rdtsc();
		return 0;
	case MSR_APIC_BASE:
		*val = APIC_BASE_ADDR | APIC_BASE_ENABLE | (v->vcpu_id == 0 ? APIC_BASE_BSP : 0);
		return 0;
	case MSR_EFER:
		*val = guest_efer();
		return 0;
	case MSR_PAT:
		*val = PAT_XEN;
		return 0;
	case MSR_TSC_AUX:
		if (!cpu_features.rdtscp)
			return -EPERM;
		*val = v->pv.tsc_aux;
		return 0;
	case MSR_MISC_ENABLE:
		if (is_amd())
			return -EPERM;
		*val = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS;
		return 0;
	case MSR_AMD_DE_CFG:
		if (!is_amd())
			return -EPERM;
		*val = DE_CFG_LFENCE_SERIALIZE;
		return 0;
	}
	return unknown(v);
}

static int write_segment_base(struct vcpu *v, uint32_t msr, uint64_t val)
{
	bool live = v == current;

	if (!is_canonical(val))
		return -EPERM;
	switch (msr) {
	case MSR_FS_BASE:
		v->pv.fs_base = val;
		if (live)
			cpu_set_fs_base(val);
		break;
	case MSR_GS_BASE:
		v->pv.gs_base_kernel = val;
		if (live)
			cpu_set_gs_base(val);
		break;
	case MSR_KERNEL_GS_BASE:
		v->pv.gs_base_user = val;
		if (live)
			wrmsr(msr, val);
		break;
	}
	return 0;
}

static int write_tsc_aux(struct vcpu *v, uint64_t val)
{
	if (!cpu_features.rdtscp || val >> 32)
		return -EPERM;
	v->pv.tsc_aux = val;
	if (v == current)
		cpu_set_tsc_aux(val);
	return 0;
}

/* What a write to can be ignored: kernels set them at boot, or on the way down, and do not look again. */
static bool write_ignored(uint32_t msr, uint64_t val)
{
	switch (msr) {
	case MSR_EFER:
		return val == guest_efer();
	case MSR_PAT:
		return val == PAT_XEN;
	case MSR_APIC_BASE:
	case MSR_TSC:
	case MSR_UCODE_REV: /* written before CPUID 1 to read the revision */
	case MSR_MCG_STATUS:
	case MSR_SYSENTER_CS:
	case MSR_SYSENTER_ESP:
	case MSR_SYSENTER_EIP:
	case MSR_STAR:
	case MSR_LSTAR:
	case MSR_CSTAR:
	case MSR_SFMASK:
		/* A guest enters its kernel by callbacks; Linux still writes these. */
		return true;
	case MSR_MISC_ENABLE:
		return !is_amd();
	case MSR_AMD_DE_CFG:
	case MSR_K8_HWCR:
		return is_amd();
	}
	return in(msr, MSR_MC0_CTL, MSR_MC_LAST) || (is_amd() && in(msr, MSR_K7_PERFCTR_FIRST, MSR_K7_PERFCTR_LAST));
}

/* The frame in the upper bits, which page of one in the lower 12. */
static int write_hypercall_page(struct vcpu *v, uint64_t val)
{
	struct page_info *pg;

	if ((val & ~PAGE_MASK) || !mfn_valid(mfn(val >> PAGE_SHIFT)))
		return -EPERM;
	pg = mfn_to_page(mfn(val >> PAGE_SHIFT));
	if (get_page_and_type(pg, v->domain, PGT_writable) != 0)
		return -EPERM;
	pv_fill_hypercall_page(page_to_virt(pg));
	page_written(v->domain, pg);
	put_page_and_type(pg);
	return 0;
}

int pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (in(msr, MSR_FS_BASE, MSR_KERNEL_GS_BASE))
		return write_segment_base(v, msr, val);
	if (msr == MSR_TSC_AUX)
		return write_tsc_aux(v, val);
	if (msr == MSR_HYPERCALL_PAGE)
		return write_hypercall_page(v, val);
	if (write_ignored(msr, val))
		return 0;
	return msr == MSR_EFER || msr == MSR_PAT ? -EPERM : unknown(v);
}
