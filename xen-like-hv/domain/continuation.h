/* SPDX-License-Identifier: MIT */
/* How a hypercall that was preempted is made again. */
#ifndef DOMAIN_CONTINUATION_H
#define DOMAIN_CONTINUATION_H
#include "lib/types.h"

/*
 * "Preempted: do this instead when the caller comes back." For a guest: rip
 * goes back to its syscall instruction with the new arguments in registers; in
 * a multicall: the entry's arguments; for domain 0: the mailbox (AGAIN).
 * Returns a value that the handler must return at once.
 */
long hypercall_continuation(unsigned int op, unsigned long a1, unsigned long a2,
                            unsigned long a3, unsigned long a4, unsigned long a5);

/* Domain 0's: what the mailbox is to answer with, set by hypercall_continuation; cleared by who runs the call. */
extern struct host_continuation {
	bool wanted;
	unsigned long args[5];
} host_continuation;
#endif
