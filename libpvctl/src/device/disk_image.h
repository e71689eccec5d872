/* SPDX-License-Identifier: MIT */
/* What QEMU's tools say of a disk image, before a domain gets it. */
#ifndef DEVICE_DISK_IMAGE_H
#define DEVICE_DISK_IMAGE_H

#include "device/disk_spec.h"

/*
 * Looks at an image whose format is not raw, and at the images it is based on: by
 * itself where they are plain, else with qemu-img under limits of time and memory. -ENOENT: one is
 * missing, or qemu-img is; -EINVAL: it is not of its format, or refers to what it must not.
 */
int disk_image_check(const char *image, enum disk_format format, struct pvctl_error *err);
/* A qcow2 image that is based on nothing. */
int disk_image_check_alone(const char *image, struct pvctl_error *err);
/* One image's description by qemu-img. ret_base ("": none) and ret_format are what it is based on. Pure code. */
int disk_image_judge(const char *path, const char *json, char *ret_base, char *ret_format, struct pvctl_error *err);

#endif
