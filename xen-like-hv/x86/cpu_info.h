/* SPDX-License-Identifier: MIT */
/*
 * What lies at the top of each physical CPU's hypervisor stack: the registers
 * of the guest that entered, and what the entry paths need at once, so that an
 * entry touches one data page.
 */
#ifndef X86_CPU_INFO_H
#define X86_CPU_INFO_H

#define NR_CPUS 64
#define STACK_ORDER 2
#define STACK_SIZE (4096UL << STACK_ORDER)

#ifndef __ASSEMBLER__
#include "lib/types.h"
#include <xen/xen.h>

struct vcpu;

struct cpu_info {
	struct cpu_user_regs guest_regs; /* TSS.rsp0 points at its end (after ss) */
	struct vcpu *cur;                /* never NULL: the idle vCPU at least */
	uint32_t cpu;                    /* physical CPU number */
	uint32_t in_irq;                 /* nesting depth of interrupt handlers */
	uint64_t scratch[2];             /* for the entry stubs */
};

static inline struct cpu_info *get_cpu_info(void)
{
	unsigned long sp;
	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct cpu_info *)((sp & ~(STACK_SIZE - 1)) + STACK_SIZE) - 1;
}
#define current (get_cpu_info()->cur)
#define smp_cpu() (get_cpu_info()->cpu)
/* The interrupted guest's registers: also what a hypercall may change. */
#define guest_regs() (&get_cpu_info()->guest_regs)

/* Per-CPU data: an array, because a node has few CPUs and the code stays plain. */
#define DEFINE_PER_CPU(type, name) type name[NR_CPUS] __aligned(64)
#define DECLARE_PER_CPU(type, name) extern type name[NR_CPUS]
#define per_cpu(name, cpu) (name[cpu])
#define this_cpu(name) (name[smp_cpu()])

#define for_each_online_cpu(c) \
	for ((c) = 0; (c) < NR_CPUS; (c)++) if (cpu_is_online(c))
extern uint64_t cpu_online_map; /* a bit for each physical CPU that runs */
static inline bool cpu_is_online(unsigned int c) { return c < NR_CPUS && ((cpu_online_map >> c) & 1); }
typedef uint64_t cpumask_t; /* NR_CPUS <= 64 */
#endif
#endif
