/* SPDX-License-Identifier: MIT */
/* A file that is there as a whole, or not at all. */
#ifndef PVCTL_SAVEFILE_H
#define PVCTL_SAVEFILE_H

#include <libpvctl.h>
#include <stdbool.h>

struct savefile {
	const char *path;
	int fd;
	bool direct;       /* a device or a pipe: it is what it is */
	char temporary[4200]; /* its name; "": it has none yet */
};
/* 0 or a code with err. What somebody left beside path who was killed is gone. */
int savefile_open(struct savefile *f, const char *path, struct pvctl_error *err);
/* Its contents are on disk. */
int savefile_sync(struct savefile *f, struct pvctl_error *err);
/* So is its name; after savefile_sync. */
int savefile_commit(struct savefile *f, struct pvctl_error *err);
/* rc and err are those of who wrote to it: a failure to write names the file. */
void savefile_name_in(const struct savefile *f, int rc, struct pvctl_error *err);
/* What was not committed is gone. */
void savefile_close(struct savefile *f);

#endif
