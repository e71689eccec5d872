/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_CORE_CHILDREN_H
#define PVCTLD_CORE_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

struct daemon;

/* Helper processes. done may be NULL. */
int child_start(struct daemon *d, pid_t pid, void (*done)(void *data, int status), void *data);
/* status_fd: where the spawner tells its end, and the child's from now on; -1: it is the daemon's own. */
int child_watch(struct daemon *d, pid_t pid, int status_fd, void (*done)(void *data, int status), void *data);
/* Waits for its end, and returns what waitpid says of it. */
int child_status(pid_t pid, int status_fd);
/* A helper, whoever started it. group: its children, too. */
void child_kill(pid_t pid, int sig, bool group);
void child_kill_all(struct daemon *d);

#endif
