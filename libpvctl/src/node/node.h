/* SPDX-License-Identifier: MIT */
#ifndef NODE_NODE_H
#define NODE_NODE_H
#include "libpvctl.h"
/* The daemon's process: started, and ready or failed. argv[0] is its path; "--ready-fd" N is put in by spawn. */
int spawn_daemon(const char *const *argv, const char *log_dir, uint32_t timeout_ms, struct pvctl_error *err);
#endif
