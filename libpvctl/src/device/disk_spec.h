/* SPDX-License-Identifier: MIT */
/* xl-disk-configuration(5): a disk in one line of text. Pure code. */
#ifndef DEVICE_DISK_SPEC_H
#define DEVICE_DISK_SPEC_H

#include "libpvctl.h"
#include <stdbool.h>

#define DISK_TARGET_MAX 3000
#define DISK_SPEC_MAX (DISK_TARGET_MAX + 128)

struct disk_spec {
	uint32_t vdev;          /* the number that the frontend is known by */
	char vdev_name[24];     /* as given */
	bool readonly, cdrom, no_discard, direct_io_safe;
	char target[DISK_TARGET_MAX + 1];
};

/* -EINVAL; -ENOSYS: xl knows it, but it is not supported yet. */
int disk_spec_parse(const char *text, struct disk_spec *ret, struct pvctl_error *err);
/* A text that parses to the same, whatever the target has in it. */
void disk_spec_format(const struct disk_spec *s, char buf[DISK_SPEC_MAX + 1]);
/* "xvda1", "sdb", "hdc", "d3p1", "51712": 0, or -EINVAL. */
int disk_vdev_parse(const char *name, uint32_t *ret);

#endif
