/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_CORE_CHILDREN_H
#define PVCTLD_CORE_CHILDREN_H

#include <sys/types.h>

struct daemon;

/* Helper processes. done may be NULL. */
int child_start(struct daemon *d, pid_t pid, void (*done)(void *data, int status), void *data);
void child_kill_all(struct daemon *d);

#endif
