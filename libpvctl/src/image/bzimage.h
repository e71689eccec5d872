/* SPDX-License-Identifier: MIT */
/* Linux's bzImage: where its compressed kernel lies. Pure. */
#ifndef IMAGE_BZIMAGE_H
#define IMAGE_BZIMAGE_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool bzimage_probe(const uint8_t *p, size_t len);
/* The payload within the file, bounds-checked. */
int bzimage_payload(const uint8_t *p, size_t len, size_t *ret_off, size_t *ret_len, struct pvctl_error *err);

#endif
