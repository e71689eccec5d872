/* SPDX-License-Identifier: MIT */
/* The host's memory behind the node's: what it has given, and what it still has to. */
#ifndef PVCTLD_BACKING_H
#define PVCTLD_BACKING_H

#include <stdint.h>
#include <sys/types.h>

struct daemon;
struct pvctl_error;
struct pvctl_node_info;

/* At the start: could the host ever have as much? 0 or -ENOMEM. */
int backing_check_node(const struct daemon *d, struct pvctl_error *err);
/* With domid (one that is not there: a new one) at bytes: can the host back all that its domains may have? 0 or -ENOMEM. */
int backing_check(struct daemon *d, uint32_t domid, uint64_t bytes, struct pvctl_error *err);
/* The fields of *i that are about it. */
void backing_describe(const struct daemon *d, struct pvctl_node_info *i);

/* A process's; 0: it cannot be told. */
uint64_t backing_resident(pid_t pid);

#endif
