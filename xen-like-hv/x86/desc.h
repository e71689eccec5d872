/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's pages of every GDT: 14 has the flat segments of ring 3, with
 * the selectors of the public ABI; 15, one for each physical CPU, what is ring
 * 0's, and the CPU's TSS. They are apart for pv/far.c.
 */
#ifndef X86_DESC_H
#define X86_DESC_H

#define GDT_FLAT_PAGE   14                  /* FIRST_RESERVED_GDT_PAGE of the public ABI */
#define GDT_FLAT_OFFSET 0xe000
#define GDT_CPU_PAGE    15
#define GDT_CPU_OFFSET  0xf000
#define GDT_LIMIT       0xffff

#define HV_CS64         0xf008
#define HV_DS           0xf010              /* syscall takes it from HV_CS64 */
#define TSS_SELECTOR    0xf040              /* 16 bytes */
#define LDT_SELECTOR    0xf050              /* 16 bytes, written when a vCPU with an LDT runs */
#define GDT_TSS_OFFSET  0x100               /* of struct tss64 in the page */

#define NR_IST 4                            /* IST_NMI ... of x86/traps.h */

#ifndef __ASSEMBLER__
#include "x86/cpu_info.h"

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __attribute__((packed));

struct desc_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* Flat segments, read-only. */
extern uint64_t gdt_flat_page[512];
/* The CPU's descriptor page, by its direct-map address: root code maps it at GDT_VIRT + GDT_CPU_OFFSET. */
extern void *cpu_gdt_page[NR_CPUS];
/* Top of the CPU's stack: struct cpu_info lies right below. */
extern char *cpu_stack[NR_CPUS];

static inline struct cpu_info *cpu_info_of(unsigned int cpu)
{
	return (struct cpu_info *)cpu_stack[cpu] - 1;
}

/*
 * A CPU's stacks and descriptor page, then its use through the direct map: works before
 * any root has a descriptor window. stack: STACK_SIZE bytes, aligned to that; ist_stacks: NR_IST
 * times that, laid out like the main one, a cpu_info of their own at the top, so that smp_cpu()
 * works on them; current there is NULL.
 */
void gdt_init_cpu(unsigned int cpu, void *gdt_page, char *stack, char *ist_stacks);
void gdt_load_early(unsigned int cpu);
/* Once the idle root is loaded: from now on through GDT_VIRT. */
void gdt_load_final(unsigned int cpu);
/* This CPU's LDT, 0: none. It knows what is loaded: nothing else may. The pages are the vCPU's window at LDT_VIRT. */
void ldt_load(unsigned int entries);
#endif
#endif
