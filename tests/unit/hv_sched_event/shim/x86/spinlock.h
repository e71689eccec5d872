/* SPDX-License-Identifier: MIT */
/* Locks of the hosted tests: one thread, so a taken lock that is taken again is a bug. */
#ifndef X86_SPINLOCK_H
#define X86_SPINLOCK_H
#include "lib/types.h"

typedef struct { volatile uint32_t next, owner; } spinlock_t;
#define SPINLOCK_INIT { 0, 0 }
static inline void spin_lock_init(spinlock_t *l) { l->next = l->owner = 0; }
static inline bool spin_is_locked(const spinlock_t *l) { return l->next != l->owner; }
static inline bool spin_trylock(spinlock_t *l)
{
	if (spin_is_locked(l))
		return false;
	l->next++;
	return true;
}
static inline void spin_lock(spinlock_t *l)
{
	if (!spin_trylock(l))
		__builtin_trap();
}
static inline void spin_unlock(spinlock_t *l)
{
	if (!spin_is_locked(l))
		__builtin_trap();
	l->owner++;
}
static inline unsigned long spin_lock_irqsave(spinlock_t *l) { spin_lock(l); return 0; }
static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags) { spin_unlock(l); }
static inline unsigned long irq_save(void) { return 0; }
static inline void irq_restore(unsigned long f) { }
static inline void irq_enable(void) { }
static inline void irq_disable(void) { }
static inline void cpu_relax(void) { }
#endif
