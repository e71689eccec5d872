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
	int32_t wait_s;              /* of the menu; -1: the disk does not say */
	char *source;
	int kernel_fd, ramdisk_fd;   /* sealed; -1: none */
	uint64_t ramdisk_bytes;
};
struct boot_ask {
	const char *disk;
	const char *driver;           /* QEMU's name of its format, with an absolute path of an image that was judged; NULL: raw */
	const char *entry;            /* NULL: the default */
	const char *kernel, *ramdisk; /* on the disk, instead of an entry's; NULL: none */
	const char *user;             /* whom the helper becomes when the caller is root; NULL: nobody */
	uint64_t offset_bytes;        /* of the one file system; 0: by the partition table */
	uint32_t timeout_ms;          /* 0: 30 s */
	bool list;                    /* the menu alone */
};
/* -ETIMEDOUT, -EIO (the helper died) and what the helper found wrong. */
int boot_run(const struct boot_ask *ask, struct boot_result *ret, struct pvctl_error *err);
/* -EINVAL: there is no such user, it is root, or it is another one and the caller is not root. */
int boot_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct pvctl_error *err);
void boot_result_fini(struct boot_result *r);

#endif
