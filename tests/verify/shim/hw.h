/* SPDX-License-Identifier: MIT */
/* What stands for the instructions that mk/verify.mk takes out of x86/tlb.c. */
#ifndef VERIFY_HW_H
#define VERIFY_HW_H
#include <stdint.h>
void hw_load_cr3(uint64_t cr3);
void hw_invlpg(uint64_t va);
#define HW_RENDEZVOUS_VECTOR 4
void hw_rendezvous_irq(void); /* x86/smp.c's handler */
#endif
