/* SPDX-License-Identifier: MIT */
/*
 * Where a node keeps its things. Not root: $XDG_RUNTIME_DIR/pvctl/NODE (or
 * /tmp/pvctl-UID/NODE, mode 0700 and owned by the user, checked) and
 * $XDG_STATE_HOME/pvctl/NODE (~/.local/state). Root: /run/pvctl/NODE and
 * /var/lib/pvctl/NODE. PVCTL_RUN_DIR and PVCTL_STATE_DIR replace the two bases.
 */
#ifndef UTIL_PATHS_H
#define UTIL_PATHS_H
#include "libpvctl.h"
/* RUNDIR/NODE: control.sock, store.sock, node.json (pid, qemu pid, settings), lock */
int paths_run_dir(const char *node, char *buf, size_t len, struct pvctl_error *err);
/* The directory that holds the nodes' run directories. */
int paths_run_base(char *buf, size_t len, struct pvctl_error *err);
/* STATEDIR/NODE: daemon.log, hv.log, console/NAME.log, domains/ID.json */
int paths_state_dir(const char *node, char *buf, size_t len, struct pvctl_error *err);
/* The unpacked-kernel cache: $XDG_CACHE_HOME/pvctl, ~/.cache/pvctl or /var/cache/pvctl; PVCTL_CACHE_DIR replaces it */
int paths_cache_dir(char *buf, size_t len, struct pvctl_error *err);
/* What is the user's own, and no node's: $XDG_DATA_HOME/pvctl, ~/.local/share/pvctl or /var/lib/pvctl-data; PVCTL_DATA_DIR replaces it */
int paths_data_dir(char *buf, size_t len, struct pvctl_error *err);
/* A node's name: [A-Za-z0-9._-]{1,63}, not starting with a dot or dash. */
int paths_check_node(const char *node, struct pvctl_error *err);
/* The installed or built hypervisor image and daemon (next to this binary in a build tree, else under LIBEXECDIR). */
int paths_find_tool(const char *tool, char *buf, size_t len);
/* A program of the host's, by PATH: an absolute path. */
int paths_find_program(const char *name, char *buf, size_t len);
/* Users' numbers that nobody has but what root's daemons start, and they themselves; with the process's added: JAIL_UID_BASE. */
#define PATHS_DAEMON_UIDS 0x70000000u
#define PATHS_NR_DAEMON_UIDS 0x400000u /* as many as there can be processes */
/* mkdir -p with mode 0700; refuses a directory of another owner. */
int paths_make(const char *dir, struct pvctl_error *err);
/*
 * way.c: -EPERM when somebody else could put another directory there, by what he owns or may write on the way to it.
 * 0 also where it ends before: there is nothing yet.
 */
int paths_check_way(const char *dir, struct pvctl_error *err);
/* paths_make with that looked at before and after. */
int paths_make_safe(const char *dir, struct pvctl_error *err);
/* path as seen from the current directory: malloc'd, absolute. what: "disk " or "kernel=", for the message. */
int paths_absolute(const char *what, const char *path, char **ret, struct pvctl_error *err);

#endif
