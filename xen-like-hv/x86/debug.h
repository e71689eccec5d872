/* SPDX-License-Identifier: MIT */
/*
 * The debug build (make hv-debug; the delay build includes it). It checks the
 * rules of docs/locking.md, with the table of locks in lockcheck.c, and keeps
 * the longest times (longest.c). In other builds all of this is nothing.
 */
#ifndef X86_DEBUG_H
#define X86_DEBUG_H
#include "lib/types.h"

#ifdef HV_DEBUG
struct lock_class;
/* name: how the code that takes the lock writes it; class: where the answer to that is kept. Before the lock is waited for. */
void lockcheck_take(const volatile void *lock, const struct lock_class **class, const char *name, bool trylock);
void lockcheck_drop(const volatile void *lock);
/* About to do what nobody may be kept waiting for: no lock is held. */
void lockcheck_none(const char *what);
/* About to wait for another CPU: interrupts are on, and no lock that handlers take is held. */
void lockcheck_may_wait(void);

/* Interrupts have just been, or are about to be. */
void longest_irqs_off(void);
void longest_irqs_on(void);
/* A hypercall, or (LONGEST_EXCEPTION) what a guest's exception makes us do; returns what was under way before. */
#define LONGEST_EXCEPTION 64u
unsigned int longest_begin(unsigned int nr);
void longest_end(unsigned int before);
/* It looked whether to stop. */
void longest_checked(void);
/* To the log; then from the start again. */
void longest_show(void);

/* Locks that are no spinlock. */
#define lockcheck_take_bit(lock, class_name) ({ \
	const struct lock_class *none_ = NULL; \
	lockcheck_take(lock, &none_, class_name, false); })
#else
#define lockcheck_none(what) ((void)0)
#define lockcheck_may_wait() ((void)0)
#define lockcheck_take_bit(lock, class_name) ((void)0)
#define lockcheck_drop(lock) ((void)0)
#define longest_irqs_off() ((void)0)
#define longest_irqs_on() ((void)0)
#define longest_begin(nr) 0u
#define longest_end(before) ((void)(before))
#define longest_checked() ((void)0)
#define longest_show() ((void)0)
#endif
#endif
