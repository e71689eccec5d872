/* SPDX-License-Identifier: MIT */
/* A growing byte buffer with a hard limit. Zero-initialized is empty. */
#ifndef UTIL_BUF_H
#define UTIL_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len, cap;
	size_t limit; /* 0: none */
};
/* Room for more bytes behind len: 0, -ENOMEM, or -E2BIG beyond the limit. */
int buf_reserve(struct buf *b, size_t more);
int buf_add(struct buf *b, const void *p, size_t len);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_free(struct buf *b);

#endif
