/* SPDX-License-Identifier: MIT */
/* What lvm.c (the disk's side) and lvm_text.c (the text) share. */
#ifndef BOOTLOADER_LVM_TEXT_H
#define BOOTLOADER_LVM_TEXT_H

#include "bootloader/lvm.h"

struct lvm_pv {
	const struct part_source *src;
	uint64_t offset, bytes;
	char id[32];               /* without its dashes */
};
int lvm_text_read(const char *text, size_t len, const struct lvm_pv *pv, struct lvm_volume ret[LVM_MAX_VOLUMES], unsigned int *ret_n);

#endif
