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
#include "x86/debug.h"

#ifdef HV_DEBUG
typedef struct { volatile uint32_t next, owner; const struct lock_class *class; } spinlock_t;
#define SPINLOCK_INIT { 0, 0, NULL }
#else
typedef struct { volatile uint32_t next, owner; } spinlock_t;
#define SPINLOCK_INIT { 0, 0 }
#endif
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
	if (f & 0x200)
		longest_irqs_off();
	return f;
}
static inline void irq_enable(void)
{
	longest_irqs_on();
	__asm__ volatile("sti" ::: "memory");
}
static inline void irq_restore(unsigned long f) { if (f & 0x200) irq_enable(); }
static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
	longest_irqs_off();
}
static inline void cpu_relax(void) { __asm__ volatile("pause" ::: "memory"); }

#if defined(HV_DEBUG) && !defined(SPINLOCK_UNCHECKED)
#define spin_lock(l) ({ \
	spinlock_t *lock_ = (l); \
	lockcheck_take(lock_, &lock_->class, #l, false); \
	(spin_lock)(lock_); })
#define spin_trylock(l) ({ \
	spinlock_t *lock_ = (l); \
	bool got_ = (spin_trylock)(lock_); \
	if (got_) \
		lockcheck_take(lock_, &lock_->class, #l, true); \
	got_; })
#define spin_unlock(l) ({ \
	spinlock_t *lock_ = (l); \
	lockcheck_drop(lock_); \
	(spin_unlock)(lock_); })
#define spin_lock_irqsave(l) ({ \
	unsigned long flags_ = irq_save(); \
	spin_lock(l); \
	flags_; })
#define spin_unlock_irqrestore(l, f) ({ \
	unsigned long back_ = (f); \
	spin_unlock(l); \
	irq_restore(back_); })
#endif
#endif
