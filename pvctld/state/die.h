/* SPDX-License-Identifier: MIT */
/*
 * For tests: the daemon dies, as by SIGKILL, when it comes to a named place for the n-th time. What is to happen is read
 * once, at its beginning, from STATEDIR/die-at ("NAME N"), which is removed.
 */
#ifndef STATE_DIE_H
#define STATE_DIE_H

#include <stdbool.h>

extern bool die_armed;
void die_read(const char *state_dir);
void die_here(const char *name);

static inline void die_point(const char *name)
{
	if (__builtin_expect(die_armed, 0))
		die_here(name);
}

#endif
