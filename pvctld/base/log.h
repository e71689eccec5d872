/* SPDX-License-Identifier: MIT */
/* daemon.log, and the daemon's way to fill a struct pvctl_error. */
#ifndef PVCTLD_LOG_H
#define PVCTLD_LOG_H

#include "libpvctl.h"
#include <stdint.h>

/* Lines go to stderr when path is NULL; else to the file, which is rotated once it is large. */
int log_open(const char *path);
/* It is begun anew at so many bytes, with the old one beside it. 0: 8 MiB. */
void log_limit(uint64_t bytes);
int log_fd(void);
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For what a guest can trigger: at most a few lines a second in all. */
void log_guest(uint32_t domid, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Fills *err (NULL allowed) and returns code. */
int fail(struct pvctl_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

uint64_t now_ns(void);      /* monotonic */
uint64_t now_unix_ns(void);

#endif
