/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's log: a ring that domain 0 reads (SYSCTL_readconsole, and
 * public/node.h's conring), and the serial port while booting.
 * Guest-triggerable messages use gprintk: tagged with the domain, rate limited.
 */
#ifndef LIB_PRINTK_H
#define LIB_PRINTK_H

#include "lib/types.h"

struct domain;
void printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void gprintk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list ap);
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

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
/* Small constant sizes become plain moves. */
#define memcpy(d, s, n) __builtin_memcpy((d), (s), (n))
#define memset(d, c, n) __builtin_memset((d), (c), (n))
#endif
