/* SPDX-License-Identifier: MIT */
/*
 * A listening socket that does not mind being out of descriptors: who connects
 * then is refused at once by means of one that is kept for it, and the socket
 * is left alone for a moment instead of being found ready without end.
 */
#ifndef PVCTLD_LISTEN_H
#define PVCTLD_LISTEN_H

#include "pvctld/base/loop.h"
#include <stdbool.h>

struct daemon;
struct pvctl_error;

struct listener {
	struct daemon *d;
	struct loop_fd lf;
	struct loop_timer again;
	int spare;
	uint64_t said_ns;
	bool urgent; /* as loop_fd_add_urgent has it */
	void *data;
	void (*accepted)(void *data, int fd);
	/* Ends a connection that can be done without; false: there is none. */
	bool (*make_room)(void *data);
	/* Says so to a client that cannot be served. May be NULL. */
	void (*refuse)(int fd);
};

/* The five above are set. given: a listening socket of the spawner's; 0 or -1: one is made at path. */
int listener_open(struct listener *l, struct daemon *d, int given, const char *path, struct pvctl_error *err);
/* Harmless for one that is not open; it must have been zeroed once. */
void listener_close(struct listener *l);

#endif
