/* SPDX-License-Identifier: MIT */
/* The ends of a context switch: back to the model's loop. */
#ifndef X86_TRAPS_H
#define X86_TRAPS_H
#include "lib/types.h"
void exit_to_guest(void) __noreturn;
void reset_stack_and_jump(void (*fn)(void) __noreturn) __noreturn;
#endif
