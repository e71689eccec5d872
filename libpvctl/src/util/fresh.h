/* SPDX-License-Identifier: MIT */
/*
 * Directories of what is being made: whoever makes one has it locked until it is done with, so that what a process left that was killed
 * can be told from what is under way. A lock goes with its process, however that ends.
 */
#ifndef UTIL_FRESH_H
#define UTIL_FRESH_H

#include <stddef.h>

/* parent/prefixXXXXXX, with letters for the X, or parent/name itself. *ret_lock: for fd_unlock_close. -errno. */
int fresh_make(const char *parent, const char *prefix, char *dir, size_t size, int *ret_lock);
int fresh_make_named(const char *parent, const char *dir, int *ret_lock);
/* Each directory of parent that begins like that ("": any) and that nobody has locked, which nobody can while one() is at work. */
void fresh_sweep(const char *parent, const char *prefix, void (*one)(void *data, const char *dir, const char *name), void *data);

#endif
