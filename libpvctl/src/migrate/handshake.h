/* SPDX-License-Identifier: MIT */
/*
 * Who owns a domain while it moves: pure code over two byte streams, what it does to domains is the caller's.
 * The messages are xl's, so that either side may be xl.
 *
 *	sender                                receiver
 *	                          banner  <-  is there
 *	pages, in rounds              ->      builds NAME--incoming
 *	suspends; disks released
 *	the rest of it                ->      takes the disks
 *	                           ready  <-  is whole, paused; goes with its process
 *	keeps it suspended, NAME--migratedaway
 *	permission                    ->      is called NAME, runs
 *	destroys its own          report  <-
 *
 * Up to the permission the sender's copy is the domain: whatever happens, that goes on, and the receiver's is destroyed
 * when its process or connection ends. From then on the sender's never runs unless the receiver says that its
 * own is destroyed (report of a failure, then the permission given back) or a person resumes it, which a
 * disk's lock forbids while the other has it.
 */
#ifndef MIGRATE_HANDSHAKE_H
#define MIGRATE_HANDSHAKE_H

#include "libpvctl.h"
#include <stdbool.h>

struct migrate_io {
	int in, out;
	void (*hang_up)(void *data);      /* the sender's: closes both. Nothing is sent after that */
	bool (*cancelled)(void *data);    /* asked while waiting; not once it would leave two copies in doubt */
	void (*say)(void *data, const char *line);
	void (*point)(void *data, const char *name); /* a step was made: tests end one of the two here */
	void *data;
};

struct migrate_sender {
	struct migrate_io io;
	/* The whole stream; then it is suspended, its disks are released. On failure it runs as before, or resume is tried. */
	int (*save)(void *data, int fd, struct pvctl_error *err);
	/* It is suspended for good; it has another name. 1: its node is gone, and it with that. */
	int (*keep)(void *data, struct pvctl_error *err);
	int (*rename)(void *data, bool away, struct pvctl_error *err);
	int (*resume)(void *data, struct pvctl_error *err);
	int (*destroy)(void *data, struct pvctl_error *err);
};
enum migrate_end {
	MIGRATE_THERE,   /* it runs there, and is no more here */
	MIGRATE_HERE,    /* it runs here, as if nothing had been */
	MIGRATE_STUCK,   /* it is here, suspended, and could not be resumed */
	MIGRATE_UNKNOWN, /* it is here, suspended, because it may run there */
};
/* 0 exactly for MIGRATE_THERE. */
int migrate_send(const struct migrate_sender *s, enum migrate_end *ret_end, struct pvctl_error *err);

struct migrate_receiver {
	struct migrate_io io;
	/*
	 * Reads the stream, builds the domain; calls ready when it is whole, with nothing left to do but to let it run
	 * under its name, does that when ready gave 0, and destroys it otherwise.
	 */
	int (*restore)(void *data, int fd, int (*ready)(void *ready_data, struct pvctl_error *err), void *ready_data,
	               struct pvctl_error *err);
	/* After a restore that failed: it is certain that nothing of it can run. */
	bool (*gone)(void *data);
};
int migrate_receive(const struct migrate_receiver *r, struct pvctl_error *err);

#endif
