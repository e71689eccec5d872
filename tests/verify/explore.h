/* SPDX-License-Identifier: MIT */
/*
 * An explicit-state model checker for the hypervisor's own C.
 *
 * Files of the hypervisor and a model are compiled with the compiler's thread
 * instrumentation, whose calls are the scheduling points here: before each
 * access to a word that two threads share, any thread may go on instead. Each
 * thread is a CPU (or a guest's memory access). States, threads' stacks
 * included, are remembered by a 128-bit hash, so that the search ends when
 * there is nothing new: within the model's bounds it is complete.
 *
 * Memory is sequentially consistent, or (--tso) as x86 has it: see explorer/thread.c.
 */
#ifndef VERIFY_EXPLORE_H
#define VERIFY_EXPLORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERIFY_THREADS_MAX 4

/* --- what a model's threads call --- */
unsigned int verify_cpu(void);
void verify_setup_as(unsigned int cpu);
unsigned int verify_choose(unsigned int n); /* 0..n-1: all are tried */
void verify_wait(bool (*ready)(void *arg), void *arg);
void verify_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define VERIFY(c, ...) do { if (!(c)) verify_fail(__VA_ARGS__); } while (0)
/* What is between is one step: the model's own accounts, and what hardware does at once. */
void verify_atomic_begin(void);
void verify_atomic_end(void);
void verify_serialize(void); /* this CPU's stores are in memory: what a write of CR3 and the like do */
bool verify_irq_set(bool on); /* of this CPU; the old state. A new CPU has them on. */
/* In setup: hardware or a check looks at this. */
void verify_watch(const volatile void *p, size_t n);
/* This CPU has it from now on, or not any more: right before that shows. */
void verify_lock(const void *lock, bool held);
void verify_done(void);       /* never returns: interrupts are still taken, if they are on */

/* --- what a model has --- */
struct verify_scenario {
	const char *name, *what;  /* what: in words, with the bounds */
	void (*setup)(void);         /* verify_setup_as says as which CPU it goes on */
	unsigned int threads;
	void (*thread)(unsigned int cpu);
	const char *(*check)(void);  /* after each step: NULL, or what is wrong */
	const char *(*final)(void);  /* when all threads are done; may be NULL */
};
extern const struct verify_scenario verify_scenarios[]; /* up to one without a name */
/* Hardware that acts as soon as it can, after each step. */
void verify_settle(void);
bool verify_irq_pending(unsigned int cpu);
void verify_irq(void); /* on its CPU, interrupts off */
/* Each access of a thread: NULL, or what is wrong with it. */
const char *verify_access(uintptr_t addr, size_t size, bool write);
#endif
