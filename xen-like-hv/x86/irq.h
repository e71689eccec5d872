/* SPDX-License-Identifier: MIT */
/* External interrupt vectors: devices, the timer and IPIs, all through the LAPIC. */
#ifndef X86_IRQ_H
#define X86_IRQ_H
#include "lib/types.h"

#define IRQ_VECTOR_FIRST 0x30u
#define IRQ_VECTOR_SPURIOUS 0xffu

typedef void (*irq_handler)(void);
/* A free vector >= IRQ_VECTOR_FIRST for fn, never reused; -ENOSPC. At boot. */
int irq_register(irq_handler fn);
/* From the entry path, interrupts off, for every vector >= 0x20 that is no exception. */
void irq_dispatch(unsigned int vector);
#endif
