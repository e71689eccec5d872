/* SPDX-License-Identifier: MIT */
/*
 * Locks that are taken in one step, or not at all: a waiting CPU has no step
 * but its interrupts. x86/spinlock.c has a model of its own.
 */
#ifndef X86_SPINLOCK_H
#define X86_SPINLOCK_H
#include "x86/debug.h"
#include "lib/types.h"

typedef struct { volatile uint32_t holder; } spinlock_t;
#define SPINLOCK_INIT { 0 }
void spin_lock(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
unsigned long spin_lock_irqsave(spinlock_t *l);
void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags);
static inline void spin_lock_init(spinlock_t *l) { l->holder = 0; }
static inline bool spin_is_locked(const spinlock_t *l) { return l->holder != 0; }
unsigned long irq_save(void);
void irq_restore(unsigned long f);
void irq_enable(void);
void irq_disable(void);
/* The loops of the hypervisor look at a shared word each time, and that is where others come in. */
static inline void cpu_relax(void) { }
#endif
