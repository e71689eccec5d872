/* SPDX-License-Identifier: MIT */
/* hw.c and the models. */
#ifndef VERIFY_HW_MODEL_H
#define VERIFY_HW_MODEL_H
#include "x86/cpu_info.h"
extern uint64_t hw_cr3[NR_CPUS];
/* CR3 was written there; what can be cached again comes with verify_settle. */
void model_tlb_emptied(unsigned int cpu);
void model_event_irq(void);
#endif
