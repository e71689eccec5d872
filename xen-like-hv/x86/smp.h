/* SPDX-License-Identifier: MIT */
/* The CPUs there are, and messages between them. */
#ifndef X86_SMP_H
#define X86_SMP_H
#include "x86/cpu_info.h"

extern unsigned int nr_cpus_possible;   /* CPUs in the MADT, at most NR_CPUS; numbered from 0, the boot CPU */
extern uint32_t cpu_apic_id[NR_CPUS];
extern int ipi_tlb_vector, ipi_event_vector, ipi_stop_vector;

void smp_init(void);                    /* IPI vectors; the boot CPU is online */
void smp_send_ipi_mask(cpumask_t mask, int vector);
/* Makes the CPU pass its exit path, where softirqs and events are looked at. */
void smp_send_event_check(unsigned int cpu);
/*
 * Returns when each CPU of mask has had interrupts on at some moment since the call:
 * what any of them was doing with interrupts off before is over, its stores are seen,
 * and what it does from then on sees the caller's. Nothing else is promised, no flush
 * above all; and no CPU is left out, whatever tables it runs on. The caller must not
 * be what they wait for: interrupts on, no irqsave lock, no lock that is taken with
 * interrupts off. It is itself never asked.
 */
void smp_rendezvous(cpumask_t mask);
/* Halts all others for good (panic, shutdown). Waits a little, not for ever. */
void smp_stop_others(void);
void tlb_flush_ipi(void);               /* x86/tlb.c */
#endif
