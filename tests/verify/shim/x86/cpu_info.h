/* SPDX-License-Identifier: MIT */
/* Each thread of a model is a CPU. */
#ifndef X86_CPU_INFO_H
#define X86_CPU_INFO_H

#define NR_CPUS 4
#define STACK_ORDER 2
#define STACK_SIZE (4096UL << STACK_ORDER)

#include "lib/types.h"
#include <xen/xen.h>

struct vcpu;

struct cpu_info {
	struct cpu_user_regs guest_regs;
	struct vcpu *cur;
	uint32_t cpu;
	uint32_t in_irq;
	uint64_t scratch[2];
};

extern struct cpu_info model_cpu_info[NR_CPUS];
unsigned int verify_cpu(void);
static inline struct cpu_info *get_cpu_info(void) { return &model_cpu_info[verify_cpu()]; }
#define current (get_cpu_info()->cur)
#define smp_cpu() verify_cpu()
#define guest_regs() (&get_cpu_info()->guest_regs)

#define DEFINE_PER_CPU(type, name) type name[NR_CPUS] __aligned(64)
#define DECLARE_PER_CPU(type, name) extern type name[NR_CPUS]
#define per_cpu(name, cpu) (name[cpu])
#define this_cpu(name) (name[smp_cpu()])
#define for_each_online_cpu(c) for ((c) = 0; (c) < NR_CPUS; (c)++) if (cpu_is_online(c))
extern uint64_t cpu_online_map;
static inline bool cpu_is_online(unsigned int c) { return c < NR_CPUS && ((cpu_online_map >> c) & 1); }
typedef uint64_t cpumask_t;
#endif
