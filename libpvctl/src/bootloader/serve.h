/* SPDX-License-Identifier: MIT */
/* A disk image that is not raw, served for the helper by a qemu-nbd in pvctl-jail, which has the image and its bases open and nothing else. */
#ifndef BOOTLOADER_SERVE_H
#define BOOTLOADER_SERVE_H

#include "libpvctl.h"
#include <sys/types.h>

struct boot_server { pid_t pid; int pidfd, sock; };

/*
 * driver: QEMU's name of the image's format. The image and what it is based on have been judged. ret->sock speaks NBD.
 * until_ms: of CLOCK_MONOTONIC. An image that somebody else writes to is waited for a while, then read as it is.
 */
int boot_server_start(const char *path, const char *driver, int64_t until_ms, struct boot_server *ret, struct pvctl_error *err);
void boot_server_stop(struct boot_server *s);

#endif
