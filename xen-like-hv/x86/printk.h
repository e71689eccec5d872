/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's log: a ring that domain 0 reads (SYSCTL_readconsole, and
 * public/node.h's conring), and the serial port while booting.
 * Messages that a guest can cause use gprintk (domain/gprintk.h).
 */
#ifndef X86_PRINTK_H
#define X86_PRINTK_H

#include "lib/string.h"

/* A prefix, then as printk. */
void vprintk(const char *prefix, const char *fmt, __builtin_va_list ap);
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Stops all CPUs, dumps registers and stack, tells the host. panic is for boot alone. */
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2))) __noreturn;
void bug_at(const char *file, int line, const char *expr) __noreturn;
#define BUG_ON(c) do { if (unlikely(c)) bug_at(__FILE__, __LINE__, #c); } while (0)
#define BUG() bug_at(__FILE__, __LINE__, "reached")
#ifdef NDEBUG
#define ASSERT(c) do { (void)sizeof(c); } while (0)
#else
#define ASSERT(c) BUG_ON(!(c))
#endif

#endif
