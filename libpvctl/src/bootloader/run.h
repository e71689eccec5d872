/* SPDX-License-Identifier: MIT */
/* Runs the helper on a disk, and checks what it says. */
#ifndef BOOTLOADER_RUN_H
#define BOOTLOADER_RUN_H

#include "libpvctl.h"
#include <stdbool.h>
#include <sys/types.h>

#define BOOT_MAX_ENTRIES 512u

struct boot_entry { char *title, *id, *kernel, *ramdisk, *cmdline; };
struct boot_result {
	struct boot_entry entry[BOOT_MAX_ENTRIES];
	unsigned int n;
	uint32_t default_entry, partition;
	int32_t chosen;              /* -1: none was */
	char *source;
	int kernel_fd, ramdisk_fd;   /* sealed; -1: none */
	uint64_t ramdisk_bytes;
};
/* wish: NULL, the default entry. -ETIMEDOUT, -EIO (the helper died) and what the helper found wrong. */
int boot_run(const char *disk, const char *wish, bool list, uint32_t timeout_ms, struct boot_result *ret,
             struct pvctl_error *err);
void boot_result_fini(struct boot_result *r);

#endif
