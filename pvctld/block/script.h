/* SPDX-License-Identifier: MIT */
/*
 * Xen's block scripts, by their contract: "add" or "remove" as argument,
 * XENBUS_PATH in the environment; params, type and mode are read below it in the
 * store, physical-device ("MAJOR:MINOR", hexadecimal) or physical-device-path is
 * written there, hotplug-status, or hotplug-error.
 */
#ifndef BLOCK_SCRIPT_H
#define BLOCK_SCRIPT_H

#include <stdbool.h>
#include <sys/types.h>

struct blk_script;
struct pvctl_error;
struct vbd;

/* Begins "add": done is called later, with the path of a device or why there is none. */
int blk_script_add(struct vbd *v, void (*done)(struct vbd *v, const char *path, const char *why), struct pvctl_error *err);
/* The disk goes: "remove" follows, once its nodes are gone. NULL is fine. */
void blk_script_remove(struct blk_script *s);
/* A "remove" is under way. */
bool blk_scripts_busy(void);
/* All disks of another daemon are taken over: what its scripts have made for others is undone. */
struct daemon;
void blk_scripts_adopt(struct daemon *d);

/* The spawner's part: its pid, -1. back: where the store has what it is to know. Its output goes to the log. */
struct disk_spec;
pid_t blk_script_spawn(const struct disk_spec *spec, bool add, const char *back, const char *store_path);

#endif
