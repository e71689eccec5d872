/* SPDX-License-Identifier: MIT */
/*
 * Results that can grow. A struct that a function fills starts with its size, so
 * that the two sides of a call, or of the daemon's socket, need not be of one
 * version: each takes as many bytes as both know.
 */
#ifndef UTIL_GROW_H
#define UTIL_GROW_H

#include <stddef.h>

struct pvctl_error;

/* Before anything is done: -EINVAL when the caller has not said how large its output is. */
int grow_check(const void *theirs, struct pvctl_error *err);
/* Ours, of own bytes, into the caller's, checked; what it has beyond is zeroed, and its size stays. */
void grow_out(void *theirs, const void *ours, size_t own);
/* One that came over a socket, in len bytes, into ours. -EPROTO: it is not whole. */
int grow_in(void *ours, size_t own, const void *from, size_t len, struct pvctl_error *err);

#endif
