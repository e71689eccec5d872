/* SPDX-License-Identifier: MIT */
/* The CPU that the test says it is on. */
#ifndef X86_CPU_INFO_H
#define X86_CPU_INFO_H
#define NR_CPUS 64
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
extern struct cpu_info test_cpus[NR_CPUS];
extern unsigned int test_cpu;
static inline struct cpu_info *get_cpu_info(void) { return &test_cpus[test_cpu]; }
#define current (get_cpu_info()->cur)
#define smp_cpu() (get_cpu_info()->cpu)
#define guest_regs() (&get_cpu_info()->guest_regs)
#define DEFINE_PER_CPU(type, name) type name[NR_CPUS] __aligned(64)
#define DECLARE_PER_CPU(type, name) extern type name[NR_CPUS]
#define per_cpu(name, cpu) (name[cpu])
#define this_cpu(name) (name[smp_cpu()])
#define for_each_online_cpu(c) \
	for ((c) = 0; (c) < NR_CPUS; (c)++) if (cpu_is_online(c))
extern uint64_t cpu_online_map;
static inline bool cpu_is_online(unsigned int c) { return c < NR_CPUS && ((cpu_online_map >> c) & 1); }
typedef uint64_t cpumask_t;
#endif
