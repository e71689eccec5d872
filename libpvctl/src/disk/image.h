/* SPDX-License-Identifier: MIT */
/* Images of disks as files of the host: who uses them, how large they are. */
#ifndef DISK_IMAGE_H
#define DISK_IMAGE_H

#include "device/disk_spec.h"
#include <stddef.h>

#define DISK_NEED "images need it"

/* NULL: raw. */
int image_format(const char *name, enum disk_format *ret, struct pvctl_error *err);
/*
 * Opens a file or device, for writing or reading, and has the lock that a running domain would have: it ends with the
 * descriptor. -EBUSY: somebody else has one that forbids it, and has had it for three seconds.
 */
int image_open_locked(const char *path, bool write, int *ret_fd, struct pvctl_error *err);
/* The same for writing, of a disk whose domain has just ended: it may be closed later still. */
int image_open_ended(const char *path, int *ret_fd, struct pvctl_error *err);
/* The complaint of qemu-img's that another has the image: rc, or -EBUSY with a message that says so. */
int image_busy(int rc, const char *path, struct pvctl_error *err);
/* qemu_img_run, where what is printed does not matter, as patient as image_open_locked. err must be there. */
struct qemu_img;
int image_run(const struct qemu_img *q, const char *path, struct pvctl_error *err);
/* "driver=raw,file.driver=...": without locks, for what is locked by us already. malloc'd. */
int image_unlocked(const char *path, enum disk_format format, char **ret, struct pvctl_error *err);
/* As pvctl_disk_image_copy. in_use: an overlay on what a domain has yet, and will have let go of before the overlay is used. */
int image_copy(const char *from, const char *to, bool in_use, const struct pvctl_disk_copy_opts *opts, struct pvctl_error *err);
/*
 * path, a qcow2 image that is based on "from", is based on onto ("": nothing) from then on. -EBUSY: somebody uses it. tick, which may be
 * NULL, may end it; it is as it was then.
 */
int image_rebase(const char *path, const char *from, const char *onto, enum disk_format format, int (*tick)(void *data), void *data,
                 struct pvctl_error *err);
/* Of a running domain's disk: would pvctl_disk_image_resize do it? -EINVAL with the cure. Pure code. */
int image_may_resize(enum disk_format format, uint64_t now, uint64_t bytes, bool shrink, struct pvctl_error *err);

#endif
