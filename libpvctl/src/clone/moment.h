/* SPDX-License-Identifier: MIT */
/*
 * A domain at one moment: its memory and devices in a stream, its disks as fork.h has them. The memory goes there while it runs, as
 * that of a domain that moves; for the rest of it, and for its disks, it is suspended. Then it goes on, whatever happened.
 */
#ifndef CLONE_MOMENT_H
#define CLONE_MOMENT_H

#include "clone/fork.h"

struct moment {
	int fd;                    /* for the stream; -1: its disks alone */
	uint32_t suspend_timeout_ms;
	/* A step was made: tests end somebody here. May be NULL. */
	void (*point)(void *data, const char *name);
	void *point_data;
	uint64_t pause_ns, bytes;  /* what became of it */
	uint32_t rounds;
};
/* The fork is planned, and may be prepared. After a failure it has been undone. */
int moment_take(struct moment *m, struct fork *f, struct pvctl_error *err);
void moment_point(const struct moment *m, const char *name);

#endif
