/* SPDX-License-Identifier: MIT */
/* STATEDIR/console/NAME.log: all a console has said, in two files of bounded size. */
#ifndef CONSOLE_LOGFILE_H
#define CONSOLE_LOGFILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct logfile {
	int fd;
	uint64_t size, max;   /* max 0: 4 MiB; set before it is opened */
	char path[500];
};

/* Name is a domain's; what cannot be in a file name is replaced. -errno on failure, and then nothing is logged. */
int logfile_open(struct logfile *f, const char *dir, const char *name);
/* Its last bytes; -1: none. */
ssize_t logfile_tail(const struct logfile *f, void *buf, size_t max);
void logfile_write(struct logfile *f, const void *bytes, size_t len);
/* The domain has a new name: so has its log, unless that file is there already (then it is appended to). */
void logfile_rename(struct logfile *f, const char *dir, const char *name);
void logfile_close(struct logfile *f);

#endif
