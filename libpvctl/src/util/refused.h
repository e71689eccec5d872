/* SPDX-License-Identifier: MIT */
/* For programs with a system call filter whose action is SCMP_ACT_TRAP: the call that they are ended for is told. */
#ifndef UTIL_REFUSED_H
#define UTIL_REFUSED_H

#include <stddef.h>

#define REFUSED_EXIT 159 /* 128 + SIGSYS, as a shell says it */

/*
 * To be called before the filter is loaded, which allows sendto and exit_group: a call that it traps is sent on fd, a
 * socket of packets, as head and the call's number in decimal; then the process exits with REFUSED_EXIT. A second
 * such call ends it at once.
 */
void refused_calls_tell(int fd, const void *head, size_t len);

#endif
