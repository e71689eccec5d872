/* SPDX-License-Identifier: MIT */
/*
 * LVM2's label and the text of its metadata, on a disk that a guest wrote. What is linear and wholly on this one
 * physical volume is described, anything else named with what is in the way. Pure but for read(), bounded.
 */
#ifndef BOOTLOADER_LVM_H
#define BOOTLOADER_LVM_H

#include "bootloader/partitions.h"

#define LVM_MAX_VOLUMES 32u
#define LVM_MAX_PIECES 64u
#define LVM_MAX_TEXT (1u << 20)
#define LVM_MAX_BYTES (1ull << 55) /* of a volume */

struct lvm_piece { uint64_t at, bytes, from; }; /* in the volume; of the disk: within the physical volume */
struct lvm_volume {
	char name[256];            /* "group/volume" */
	char grub[300];            /* GRUB's names for it: "lvm/group-volume", with the dashes of a name doubled */
	char grub_id[90];          /* "lvmid/GROUP/VOLUME" */
	const char *refused;       /* why it cannot be read; NULL: it can. Static */
	uint64_t bytes;
	struct lvm_piece piece[LVM_MAX_PIECES]; /* in order, without gaps */
	unsigned int n_pieces;
};

/* The visible volumes of the physical one at [offset, offset + bytes). -ENOENT: there is none; -EINVAL: it is damaged. */
int lvm_read(const struct part_source *src, uint64_t offset, uint64_t bytes, struct lvm_volume ret[LVM_MAX_VOLUMES],
             unsigned int *ret_n);
/* Where byte `at' of a volume is, and how many follow it there. at < v->bytes. */
uint64_t lvm_where(const struct lvm_volume *v, uint64_t at, uint64_t *ret_bytes);

#endif
