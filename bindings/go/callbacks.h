/* SPDX-License-Identifier: MIT */
/* What C calls: each data is a cell of C memory that has a cgo.Handle in it. */
#ifndef PVCTL_GO_CALLBACKS_H
#define PVCTL_GO_CALLBACKS_H

#include <libpvctl.h>
#include <stdlib.h>

typedef const char pvctl_go_char;
typedef const struct pvctl_parse_message pvctl_go_message;

extern void pvctl_go_log(void *data, int level, pvctl_go_char *msg);
extern int pvctl_go_progress(void *data, pvctl_go_char *what, uint64_t done, uint64_t total);
extern void pvctl_go_parse(void *data, pvctl_go_message *message);
extern void pvctl_go_say(void *data, pvctl_go_char *line);
extern void pvctl_go_step(void *data, pvctl_go_char *name);
extern int pvctl_go_written(void *data, struct pvctl_error *err);
extern int pvctl_go_ready(void *data, uint32_t domid, struct pvctl_error *err);

#endif
