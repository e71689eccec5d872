/* SPDX-License-Identifier: MIT */
/* Locks for threads that play CPUs. */
#ifndef X86_SPINLOCK_H
#define X86_SPINLOCK_H
#include "lib/types.h"

typedef struct { volatile uint32_t next, owner; } spinlock_t;
#define SPINLOCK_INIT { 0, 0 }
static inline void spin_lock_init(spinlock_t *l) { l->next = l->owner = 0; }
static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }
/* "Interrupts off" is a lock of the CPU's, which a flush of its TLB waits for. */
unsigned long irq_save(void);
void irq_restore(unsigned long f);
static inline void spin_lock(spinlock_t *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&l->owner, __ATOMIC_SEQ_CST) != ticket)
		cpu_relax();
}
/* What a test lets another CPU do as soon as a lock is free; each program has it once. */
__attribute__((weak)) void (*shim_unlocked)(spinlock_t *l);
static inline void spin_unlock(spinlock_t *l)
{
	__atomic_fetch_add(&l->owner, 1, __ATOMIC_SEQ_CST);
	if (shim_unlocked)
		shim_unlocked(l);
}
static inline unsigned long spin_lock_irqsave(spinlock_t *l)
{
	unsigned long f = irq_save();
	spin_lock(l);
	return f;
}
static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long f)
{
	spin_unlock(l);
	irq_restore(f);
}
#endif
