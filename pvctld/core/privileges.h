/* SPDX-License-Identifier: MIT */
/* The daemon's own privileges. */
#ifndef PVCTLD_CORE_PRIVILEGES_H
#define PVCTLD_CORE_PRIVILEGES_H

#include "libpvctl.h"
#include <stddef.h>

/* Before anything is started or asked for: what no part of the daemon needs is given up, for its children as well. */
void privileges_drop(void);
/* The daemon proper's: all of the environment goes, which the spawner needs to find programs. */
int privileges_forget(struct pvctl_error *err);
/* What is in force, in words. */
void privileges_describe(char *buf, size_t size);

#endif
