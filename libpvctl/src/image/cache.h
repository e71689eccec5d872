/* SPDX-License-Identifier: MIT */
/*
 * Unpacked kernels, kept by the SHA-256 of the packed file. The directory is
 * the user's own (checked by paths_make); what is guarded against here is
 * damage, not an enemy: every entry has a checksum, verified on use unless its
 * inode is as it was when it was last verified. A bad entry counts as absent
 * and is replaced.
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define CACHE_KEY_BYTES 32u
#define CACHE_MAX_BYTES (512ull << 20) /* of all entries; the oldest go */

void cache_key(const uint8_t *p, size_t len, uint8_t key[CACHE_KEY_BYTES]);
/* The key of a file whose inode has not changed since it was remembered: no
 * reading, no hashing. A file touched within the last seconds is not trusted,
 * since a later change could leave the same times. */
bool cache_recall_key(const char *dir, const struct stat *st, uint8_t key[CACHE_KEY_BYTES]);
void cache_remember_key(const char *dir, const struct stat *st, const uint8_t key[CACHE_KEY_BYTES]);

/* A private mapping of an entry: *ret_data of *ret_len within *ret_map of *ret_map_len. -ENOENT: no (good) entry. */
int cache_get(const char *dir, const uint8_t key[CACHE_KEY_BYTES], void **ret_map, size_t *ret_map_len,
              const uint8_t **ret_data, size_t *ret_len);
int cache_put(const char *dir, const uint8_t key[CACHE_KEY_BYTES], const uint8_t *p, size_t len);

#endif
