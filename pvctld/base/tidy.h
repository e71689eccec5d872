/* SPDX-License-Identifier: MIT */
/* A directory within limits: the oldest files of it go. */
#ifndef PVCTLD_TIDY_H
#define PVCTLD_TIDY_H

#include <stdbool.h>
#include <stdint.h>

struct tidy {
	uint64_t bytes, files, seconds;   /* of all of them, and of age; 0: no limit */
	bool (*counts)(const struct tidy *t, const char *name); /* NULL: all do */
	bool (*in_use)(const struct tidy *t, const char *name); /* stays, but counts */
	const void *data;
};

/* How many were removed. */
unsigned int tidy_dir(const char *dir, const struct tidy *t);

#endif
