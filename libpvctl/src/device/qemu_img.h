/* SPDX-License-Identifier: MIT */
/* qemu-img, which reads images of strangers: in the jail that is qemu-nbd's as well, under limits of time and memory. */
#ifndef DEVICE_QEMU_IMG_H
#define DEVICE_QEMU_IMG_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_IMG_MAX_FILES 4
#define QEMU_IMG_MAX_ARGS 24
#define QEMU_IMG_OPENED "/proc/self/fd/5"

/* A file that it may open by this name, and no other. */
struct qemu_img_file {
	const char *path;
	bool write;
	bool image; /* to be read, with all the images that it is based on */
	bool opened; /* fd is it, and stays the caller's; path is QEMU_IMG_OPENED, and it is the first that is no image */
	int fd;
	const char *name; /* of what is opened, for messages */
};
struct qemu_img {
	const char *const *args;   /* behind "qemu-img"; ends with NULL */
	const struct qemu_img_file *file;
	unsigned int n_files;
	const char *need;          /* for the message where it is not installed: "disks of format qcow2 need it" */
	uint32_t limit_ms;         /* of time; 0: none but tick's */
	/* Called ten times a second; non-zero ends it (-ECANCELED). May be NULL. */
	int (*tick)(void *data);
	void *tick_data;
};
/*
 * What it printed goes to text, of max + 1 bytes. -EINVAL: it refused, or did not come to an end; the message is what it
 * said, about "about", a path.
 */
int qemu_img_run(const struct qemu_img *q, const char *about, char *text, size_t max, struct pvctl_error *err);

#endif
