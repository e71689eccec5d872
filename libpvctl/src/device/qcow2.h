/* SPDX-License-Identifier: MIT */
/*
 * The header of a qcow2 image (QEMU's docs/interop/qcow2): most say nothing that would take qemu-img, whose start costs more than all
 * else that is done with them. What is not plain here is left to it.
 */
#ifndef DEVICE_QCOW2_H
#define DEVICE_QCOW2_H

#include "device/disk_spec.h"
#include <stddef.h>

/* What an image is based on, from its header. "": nothing. -errno: it is no such image. Pure code. */
int qcow2_base_of(const void *head, size_t len, const char *path, char base[DISK_TARGET_MAX + 1], enum disk_format *ret_format);
int qcow2_base(const char *path, char base[DISK_TARGET_MAX + 1], enum disk_format *ret_format);

/* How large its guest sees the disk, of any image of that format: nothing else of it is looked at. -errno. */
int qcow2_bytes(const char *path, uint64_t *ret);

struct qcow2_plain {
	uint64_t bytes;                 /* of the disk: some, and a multiple of 512 */
	char base[DISK_TARGET_MAX + 1]; /* "": none; else it begins with a slash, and */
	enum disk_format base_format;   /* has a format that is told */
};
/*
 * An image of file_bytes that has none of the format's rarer features, and whose tables lie in it. -EINVAL: who knows. Pure code.
 * file_bytes 0: of a device, whose length is not looked at.
 */
int qcow2_plain_of(const void *head, size_t len, uint64_t file_bytes, const char *path, struct qcow2_plain *ret);
int qcow2_plain(const char *path, struct qcow2_plain *ret);

#define QCOW2_NEW_MAX 2048u
#define QCOW2_NEW_CLUSTER 65536u
/* A new image's clusters with something in them; all else of its bytes are zeroes. */
struct qcow2_new { uint8_t head[QCOW2_NEW_MAX], table[8], counts[QCOW2_NEW_MAX]; uint64_t bytes; };
/* Of an image with nothing in it, based on another of that size. -EINVAL: qemu-img knows. Pure code. */
int qcow2_overlay_of(const char *base, enum disk_format format, uint64_t bytes, struct qcow2_new *ret);
/* Into an empty file. -EINVAL as above, else an error of the file's. */
int qcow2_overlay(int fd, const char *base, enum disk_format format, uint64_t bytes);

#endif
