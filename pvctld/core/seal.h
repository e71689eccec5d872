/* SPDX-License-Identifier: MIT */
/* The daemon proper, which reads what guests write: what is left to it once it has what it needs. */
#ifndef PVCTLD_CORE_SEAL_H
#define PVCTLD_CORE_SEAL_H

#include "libpvctl.h"
#include <stddef.h>
#include <sys/types.h>

/*
 * Before anything of a guest's is there, and before there are threads. uid: whom to become, which owns state_dir; 0: nobody
 * else. state_dir is all that is left of the host's files, where the host permits that. -errno where half of it is no state.
 */
int seal(uid_t uid, const char *state_dir, struct pvctl_error *err);
/* What is in force, in words. */
void seal_describe(char *buf, size_t size);

/* seal_filter.c: a list of what may be called; another call ends the process, and log_fd has its number. */
int seal_filter(int log_fd);

#endif
