/* SPDX-License-Identifier: MIT */
/*
 * An image that is not raw, as qemu-nbd serves it: the few words of the NBD protocol that reading needs. The server
 * has read what a guest wrote, so that what it says is not believed either. Pure but for the two callbacks.
 */
#ifndef BOOTLOADER_NBD_H
#define BOOTLOADER_NBD_H

#include <stddef.h>
#include <stdint.h>

#define BOOT_NBD_CACHE (64u << 10) /* small reads come in rows */

struct boot_nbd {
	/* All of it, or a negative errno. */
	int (*send)(void *data, const void *buf, size_t len);
	int (*recv)(void *data, void *buf, size_t len);
	void *data;
	uint64_t bytes;            /* of the disk */
	uint64_t handle;           /* of the last request */
	uint64_t cache_at;
	size_t cache_len;          /* 0: nothing is there */
	uint8_t cache[BOOT_NBD_CACHE];
};

/* With send, recv and data set. -EPROTO: what is there does not speak NBD. */
int boot_nbd_open(struct boot_nbd *n);
/* The caller keeps within n->bytes. After an error other than -EIO nothing more can be read. */
int boot_nbd_read(struct boot_nbd *n, uint64_t offset, void *buf, size_t len);

#endif
