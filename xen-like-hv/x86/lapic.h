/* SPDX-License-Identifier: MIT */
/* The local APIC: timer, IPIs, end of interrupt. */
#ifndef X86_LAPIC_H
#define X86_LAPIC_H
#include "lib/types.h"

#define LAPIC_ICR_FIXED   0x00000u
#define LAPIC_ICR_NMI     0x00400u
#define LAPIC_ICR_INIT    0x04500u /* assert */
#define LAPIC_ICR_STARTUP 0x00600u

paddr_t lapic_registers(void);    /* what lapic_init wants mapped; 0: x2APIC, nothing */
void lapic_init(volatile uint32_t *mapped); /* boot CPU */
void lapic_timer_init(void);      /* the timer's vector, once TIMER_SOFTIRQ may be raised */
void lapic_init_cpu(void);        /* each CPU: enables it, masks local pins, timer ready */
uint32_t lapic_id(void);
void lapic_eoi(void);
void lapic_send_ipi(uint32_t apic_id, uint32_t icr); /* icr: LAPIC_ICR_* | vector */
/* Free running down-count, for calibration: starts at ~0, read elapsed ticks. */
void lapic_count_start(void);
uint32_t lapic_count_elapsed(void);
/* Arms this CPU's timer interrupt (0: disarms it). */
void lapic_timer_set(s_time_t expires);
extern uint32_t lapic_timer_khz;  /* set by x86/tsc.c */
#endif
