/* SPDX-License-Identifier: MIT */
/* Bringing up CPUs. */
#ifndef BOOT_SMP_BOOT_H
#define BOOT_SMP_BOOT_H
#include "lib/types.h"

void boot_cpu_tables(void);             /* the boot CPU's stacks and descriptors, before there is an allocator */
void smp_boot_cpus(void);
/* The rest of a CPU's start on its own stack; ends in idle_loop. */
void cpu_start_secondary(void) __noreturn;
#endif
