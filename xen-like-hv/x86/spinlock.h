/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks. The _irqsave forms are for locks that interrupt handlers take.
 * Rules: never wait for another CPU (an IPI's acknowledgement, a vCPU to stop)
 * with interrupts off or while holding a lock that is taken with them off.
 * docs/locking.md has the order of all locks.
 */
#ifndef X86_SPINLOCK_H
#define X86_SPINLOCK_H

#include "lib/types.h"

typedef struct { volatile uint32_t next, owner; } spinlock_t;
#define SPINLOCK_INIT { 0, 0 }
void spin_lock(spinlock_t *l);
bool spin_trylock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
unsigned long spin_lock_irqsave(spinlock_t *l);
void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags);
static inline void spin_lock_init(spinlock_t *l) { l->next = l->owner = 0; }
static inline bool spin_is_locked(const spinlock_t *l) { return l->next != l->owner; }

static inline unsigned long irq_save(void)
{
	unsigned long f;
	__asm__ volatile("pushfq; popq %0; cli" : "=r"(f) :: "memory");
	return f;
}
static inline void irq_restore(unsigned long f) { if (f & 0x200) __asm__ volatile("sti" ::: "memory"); }
static inline void irq_enable(void) { __asm__ volatile("sti" ::: "memory"); }
static inline void irq_disable(void) { __asm__ volatile("cli" ::: "memory"); }
static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }
#endif
