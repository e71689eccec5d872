/* SPDX-License-Identifier: MIT */
/* A snapshot: a directory with manifest.json and, but for one of disks alone, the domain's memory; its disks are where disks are. */
#ifndef SNAPSHOT_MANIFEST_H
#define SNAPSHOT_MANIFEST_H

#include "ctx/ctx.h"
#include "device/disk_spec.h"
#include "template/manifest.h"

#define SNAPSHOT_MAX_DISKS 64u
#define SNAPSHOT_SCHEMA 1

struct snapshot_disk {
	char vdev[24];
	bool overlay;                   /* file is what head is based on, since then; else it is a copy */
	enum disk_format format;        /* of file */
	uint64_t bytes;                 /* that the guest sees */
	char file[DISK_TARGET_MAX + 1]; /* what the disk was. A device, too, where it is a base */
	char head[DISK_TARGET_MAX + 1]; /* what the domain writes */
	/* While it is made, for who finds that nobody came to the end of it: an overlay that is not head yet, and what was head. */
	char fresh[DISK_TARGET_MAX + 1], was[DISK_TARGET_MAX + 1];
};
/* A disk of a copy's. stamp: as its file was before the copy could have it ("": it cannot have it yet). Both malloc'd. */
struct snapshot_copy { char *file, *stamp; };
struct snapshot {
	char domain[128], name[64], description[200];
	uint64_t created_unix_ns;
	bool stopped;                   /* the domain was defined, and did not run */
	struct pvctl_config *config;    /* of the domain then, but with the heads as its disks */
	struct template_file memory;    /* name "": of disks alone */
	struct snapshot_disk *disk;
	size_t n_disks;
	/* Of a clone that is being made (recover.c), not of a snapshot. */
	struct snapshot_copy *copy;
	size_t n_copies;
};

/* Pure code. */
int snapshot_parse(const char *text, struct snapshot *ret, struct pvctl_error *err);
int snapshot_format(const struct snapshot *s, char **ret, struct pvctl_error *err);
void snapshot_free(struct snapshot *s);

#endif
