/* SPDX-License-Identifier: MIT */
/*
 * pvctl-usernet SPEC: user-mode network of one vif, in a process of its own,
 * because it parses all that a guest sends. On USERNET_FD, a socket of packets,
 * its first word is USERNET_READY or, before it ends, a text that says what went
 * wrong; after that each packet is an Ethernet frame, or, before it ends,
 * USERNET_REFUSED and the number of a system call that its filter refused. It
 * ends when the daemon closes its end.
 */
#ifndef USERNET_USERNET_H
#define USERNET_USERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERNET_FD 3
#define USERNET_READY "ready" /* shorter than any frame */
#define USERNET_REFUSED "call " /* the same with its number */
#define USERNET_FRAME_MAX 65535u
#define USERNET_FDS 600u      /* connections of the guest, and a few of our own */

/* filter.c: pure code. False: libslirp is not to see it. */
bool usernet_may_pass(const uint8_t *frame, size_t len);

/* Ends the program if it cannot be had. The sockets that wait for connections are there. */
void usernet_sandbox(void);

/* resolv.c: to be called while files can be opened. */
void usernet_keep_resolv_conf(void);

#endif
