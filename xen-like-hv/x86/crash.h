/* SPDX-License-Identifier: MIT */
/* The end: what panic and BUG_ON show and do. */
#ifndef X86_CRASH_H
#define X86_CRASH_H
#include "lib/types.h"
#include <xen/xen.h>

/* Set at boot, when there is something to set: a serial port for the dump; a host that is to hear of the end. */
extern void (*crash_open_serial)(void);
extern void (*crash_tell_host)(void);

/* First thing on the way down: other CPUs stopped, the log forced to the serial port. */
void crash_begin(void);
/* Stack bytes from sp and the callers found by frame pointers. */
void show_stack(uint64_t sp, uint64_t bp);
/* Tells the host, and stops this CPU. */
void crash_end(void) __noreturn;
/* For a fatal exception, after its registers were shown. */
void fatal_exception(const struct cpu_user_regs *regs, const char *what) __noreturn;
#endif
