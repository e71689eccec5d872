/* SPDX-License-Identifier: MIT */
/*
 * The last output of a console. Positions count its bytes from the first on, so
 * that each viewer needs a position only, and one that is too slow finds itself
 * before the start of what is kept.
 */
#ifndef CONSOLE_REPLAY_H
#define CONSOLE_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#define REPLAY_MAX (256u << 10)

struct replay {
	uint8_t *p;
	size_t cap;     /* 0 or a power of two; grows up to REPLAY_MAX */
	uint64_t start, end;
};

/* Without memory the bytes are dropped: as if nothing but the newest had been kept. */
void replay_append(struct replay *r, const void *bytes, size_t len);
/* A contiguous piece from pos on (start <= pos <= end). */
const uint8_t *replay_at(const struct replay *r, uint64_t pos, size_t *ret_len);
void replay_free(struct replay *r);

#endif
