/* SPDX-License-Identifier: MIT */
/* A kernel file, opened, unpacked (or found in the cache) and parsed: one for PV or PVH, which of them its user checks. */
#ifndef IMAGE_KERNEL_H
#define IMAGE_KERNEL_H

#include "image/elf.h"
#include "util/log.h"

#define KERNEL_MAX_FILE (512ull << 20)

struct kernel_image {
	struct elf_image elf;
	const uint8_t *data;   /* the ELF file's bytes */
	size_t len;
	bool from_cache;
	void *heap;            /* data is in one of these */
	void *map;
	size_t map_len;
};

/* From a packed or plain image in memory; takes nothing from p, which may be freed but for a plain ELF file. Pure. */
int kernel_unpack(const uint8_t *p, size_t len, struct kernel_image *ret, struct pvctl_error *err);
int kernel_open(const char *path, const struct log *log, struct kernel_image *ret, struct pvctl_error *err);
/* Closes nothing. name is for messages. */
int kernel_open_fd(int fd, const char *name, const struct log *log, struct kernel_image *ret, struct pvctl_error *err);
void kernel_close(struct kernel_image *k);

#endif
