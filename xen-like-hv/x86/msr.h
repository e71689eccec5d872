/* SPDX-License-Identifier: MIT */
/* Model specific registers: numbers and access. */
#ifndef X86_MSR_H
#define X86_MSR_H

#define MSR_TSC             0x10
#define MSR_APIC_BASE       0x1b
#define MSR_SPEC_CTRL       0x48
#define MSR_PLATFORM_INFO   0xce
#define MSR_ARCH_CAPS       0x10a
#define MSR_INTEL_MISC_FEATURES_ENABLES 0x140
#define MSR_SYSENTER_CS     0x174
#define MSR_SYSENTER_ESP    0x175
#define MSR_SYSENTER_EIP    0x176
#define MSR_PAT             0x277
#define MSR_X2APIC_FIRST    0x800
#define MSR_XSS             0xda0
#define MSR_EFER            0xc0000080
#define MSR_STAR            0xc0000081
#define MSR_LSTAR           0xc0000082
#define MSR_CSTAR           0xc0000083
#define MSR_SFMASK          0xc0000084
#define MSR_FS_BASE         0xc0000100
#define MSR_GS_BASE         0xc0000101
#define MSR_KERNEL_GS_BASE  0xc0000102
#define MSR_TSC_AUX         0xc0000103
#define MSR_DR1_MASK        0xc0011019 /* to DR3's */
#define MSR_DR0_MASK        0xc0011027

#define EFER_SCE  (1UL << 0)
#define EFER_LME  (1UL << 8)
#define EFER_LMA  (1UL << 10)
#define EFER_NXE  (1UL << 11)

#define APIC_BASE_X2APIC  (1UL << 10)
#define APIC_BASE_ENABLE  (1UL << 11)

#ifndef __ASSEMBLER__
#include "lib/types.h"

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

/* 0, or -EFAULT where the CPU raised #GP (x86/uaccess_copy.S). */
int rdmsr_safe(uint32_t msr, uint64_t *val);
int wrmsr_safe(uint32_t msr, uint64_t val);
#endif
#endif
