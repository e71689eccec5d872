/* SPDX-License-Identifier: MIT */
/* The hypervisor's clock: how the TSC becomes time; the same factors go to guests. */
#ifndef X86_TSC_H
#define X86_TSC_H
#include "lib/types.h"

s_time_t NOW(void); /* ns since boot; monotonic on a CPU and across CPUs */

struct tsc_scale { uint32_t mul_frac; int8_t shift; };
extern struct tsc_scale tsc_scale;
uint64_t tsc_read(void);
s_time_t tsc_to_ns(uint64_t tsc);
extern uint32_t tsc_khz;
/* Finds the TSC's and the LAPIC timer's frequency. hint_khz 0: measure. pm_timer_port 0: none. The clock starts at 0 here. */
void tsc_init(uint32_t hint_khz, uint16_t pm_timer_port);
#endif
