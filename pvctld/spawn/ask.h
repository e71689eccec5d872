/* SPDX-License-Identifier: MIT */
/* The daemon's side: what it asks its spawner for. From the daemon's main thread only; each call waits for the answer. */
#ifndef PVCTLD_SPAWN_ASK_H
#define PVCTLD_SPAWN_ASK_H

#include "pvctld/spawn/wire.h"
#include <stdbool.h>
#include <sys/types.h>

/* A process that the spawner started. */
struct spawned {
	pid_t pid;
	int pidfd;     /* readable when it has ended */
	int status_fd; /* its status for waitpid's macros is here then */
};

void ask_init(int sock);
/* -1: there is none. At its end of file the spawner is gone, and with it QEMU. */
int ask_fd(void);

/* QEMU as the machine of this node, which the spawner knows. jail_fd: -1 or where the jail says what is in force. */
struct spawned_qemu { struct spawned p; int jail_fd; unsigned int version; char accel[8]; };
int spawn_qemu(int ram_fd, int iv_fd, struct spawned_qemu *ret, struct pvctl_error *err);
/* Only what the spawner started, and has not told the end of. group: with its children. */
int spawn_kill(pid_t pid, int sig, bool group);
/* Waits for its end. 0 when that cannot be known. */
int spawn_wait(int status_fd);

/* What is asked about a device. text: as its parser writes it. fds: as the request has them. */
struct spawn_ask {
	const char *text, *where;
	uint32_t domid, verb;
	uint64_t n[2];
	const int *fds;
	unsigned int nr_fds;
};
/*
 * The answer's descriptors go to ret_fds, of which there are max; the others are -1. Their number, or -errno with *err.
 * type: SPAWN_SOCKETS and those behind it; q NULL for those that are not about a device but for descriptors.
 */
int spawn_ask(uint32_t type, const struct spawn_ask *q, struct spawn_started *ret, int *ret_fds, unsigned int max,
	      struct pvctl_error *err);
/* The same of what has a pid and a status as its answer. */
int spawn_start(uint32_t type, const struct spawn_ask *q, pid_t *ret_pid, int *ret_status_fd, struct pvctl_error *err);

/* The node is up: a daemon that dies is followed by another. */
int spawn_up(void);
/* This is an end that was meant: the spawner ends what still runs, removes the run directory, and is gone. */
void spawn_bye(int exit_status);

#endif
