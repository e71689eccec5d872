/* SPDX-License-Identifier: MIT */
/* What takes the right to open disks: the spawner's part. Without a spawner, as in unit tests, the daemon's own. */
#ifndef BLOCK_OPEN_H
#define BLOCK_OPEN_H

#include "libpvctl/src/device/disk_spec.h"
#include <stdbool.h>
#include <stdint.h>

struct disk_opened {
	int fd, direct_fd;          /* direct_fd -1: through the page cache alone */
	uint64_t granularity, alignment, discard_max; /* of a device's queue; UINT64_MAX: the kernel does not say */
};

/* device: what its script named; NULL: its target. Nothing is read. */
int disk_open(const struct disk_spec *s, const char *device, struct disk_opened *ret, struct pvctl_error *err);
/* O_PATH of its target; of a script's disk -1 in *ret_fd, and whether the script can be run. */
int disk_look(const struct disk_spec *s, int *ret_fd, struct pvctl_error *err);
void disk_script_path(const struct disk_spec *s, char *buf, size_t size);

#endif
