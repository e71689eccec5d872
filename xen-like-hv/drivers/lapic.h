/* SPDX-License-Identifier: MIT */
/* The local APIC: timer (lapic_timer_set is in time/timer.h), IPIs, end of interrupt. */
#ifndef DRIVERS_LAPIC_H
#define DRIVERS_LAPIC_H
#include "lib/types.h"

#define LAPIC_ICR_FIXED   0x00000u
#define LAPIC_ICR_NMI     0x00400u
#define LAPIC_ICR_INIT    0x04500u /* assert */
#define LAPIC_ICR_STARTUP 0x00600u

void lapic_init(void);            /* boot CPU: finds it, picks x2APIC if there */
void lapic_timer_init(void);      /* the timer's vector, once TIMER_SOFTIRQ may be raised */
void lapic_init_cpu(void);        /* each CPU: enables it, masks local pins, timer ready */
uint32_t lapic_id(void);
void lapic_eoi(void);
void lapic_send_ipi(uint32_t apic_id, uint32_t icr); /* icr: LAPIC_ICR_* | vector */
/* Free running down-count, for calibration: starts at ~0, read elapsed ticks. */
void lapic_count_start(void);
uint32_t lapic_count_elapsed(void);
extern uint32_t lapic_timer_khz;  /* set by time/tsc.c */
#endif
