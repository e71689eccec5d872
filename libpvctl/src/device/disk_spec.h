/* SPDX-License-Identifier: MIT */
/* xl-disk-configuration(5): a disk in one line of text. Pure code. */
#ifndef DEVICE_DISK_SPEC_H
#define DEVICE_DISK_SPEC_H

#include "libpvctl.h"
#include <stdbool.h>

#define DISK_TARGET_MAX 3000
#define DISK_SPEC_MAX (DISK_TARGET_MAX + 300)
/* The bytes of a raw disk that who uses it locks: all for one who writes, shared by those who read. */
#define DISK_LOCK_BYTES (1ll << 62)

enum disk_format { DISK_RAW, DISK_QCOW, DISK_QCOW2, DISK_VHD, DISK_QED };
/* Which of xl's backends: phy wants a block device; qdisk takes anything; not said: what fits. */
enum disk_backend { DISK_BACKEND_ANY, DISK_BACKEND_PHY, DISK_BACKEND_QDISK };
struct disk_spec {
	uint32_t vdev;          /* the number that the frontend is known by */
	uint32_t sector_size;   /* 512 or 4096; 0: the target's own */
	enum disk_format format;
	enum disk_backend backend;
	char vdev_name[24];     /* as given */
	bool readonly, cdrom, no_discard, direct_io_safe, untrusted;
	char script[64];        /* says what device the target is; "": the target is a path */
	char target[DISK_TARGET_MAX + 1]; /* "": a drive without a medium */
};

/* -EINVAL; -ENOSYS: xl knows it, but it is not supported yet. */
int disk_spec_parse(const char *text, struct disk_spec *ret, struct pvctl_error *err);
/* A text that parses to the same, whatever the target has in it. */
void disk_spec_format(const struct disk_spec *s, char buf[DISK_SPEC_MAX + 1]);
/* As xl has it ("raw", "vhd"), and as QEMU does ("raw", "vpc"). */
const char *disk_format_name(enum disk_format f);
const char *disk_format_driver(enum disk_format f);
int disk_format_parse(const char *name, enum disk_format *ret);
/* "xvda1", "sdb", "hdc", "d3p1", "51712": 0, or -EINVAL. */
int disk_vdev_parse(const char *name, uint32_t *ret);

#endif
