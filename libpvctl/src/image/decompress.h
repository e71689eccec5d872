/* SPDX-License-Identifier: MIT */
/*
 * Unpacking kernels in all the formats Linux uses. Pure: bytes in, bytes out,
 * work and memory bounded by the output limit.
 */
#ifndef IMAGE_DECOMPRESS_H
#define IMAGE_DECOMPRESS_H

#include "libpvctl.h"
#include "util/buf.h"
#include <stddef.h>
#include <stdint.h>

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_BZIP2, COMPRESSION_LZMA,
	COMPRESSION_XZ, COMPRESSION_LZO, COMPRESSION_LZ4, COMPRESSION_ZSTD };

#define DECOMPRESS_LIMIT (1ull << 30)

enum compression decompress_detect(const uint8_t *p, size_t len);
const char *decompress_name(enum compression c);
/* The most that len packed bytes may become: a bomb's ratio is beyond any kernel's. */
size_t decompress_limit(size_t len);
/*
 * One stream into out (emptied first, out->limit honoured; 0 is decompress_limit).
 * hint: the unpacked size where known, else 0. Bytes behind the stream's end are ignored.
 */
int decompress(enum compression c, const uint8_t *in, size_t len, size_t hint, struct buf *out,
               struct pvctl_error *err);
/*
 * A bzImage's payload: a stream and, but for gzip that has it itself, a word
 * with the unpacked size. The sizes must agree.
 */
int decompress_payload(const uint8_t *in, size_t len, struct buf *out, struct pvctl_error *err);

/* image/lz.c, for decompress.c */
int unpack_lz4(const uint8_t *in, size_t len, struct buf *out);
int unpack_lzo(const uint8_t *in, size_t len, struct buf *out);

#endif
