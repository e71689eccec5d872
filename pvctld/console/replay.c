/* SPDX-License-Identifier: MIT */
#include "pvctld/console/replay.h"
#include <stdlib.h>
#include <string.h>

#define REPLAY_MIN 4096u

static void put(struct replay *r, const uint8_t *bytes, size_t len)
{
	size_t off = (size_t)(r->end & (r->cap - 1));
	size_t first = r->cap - off < len ? r->cap - off : len;

	memcpy(r->p + off, bytes, first);
	memcpy(r->p, bytes + first, len - first);
	r->end += len;
	if (r->end - r->start > r->cap)
		r->start = r->end - r->cap;
}

static void grow(struct replay *r, size_t need)
{
	struct replay bigger = { .start = r->start, .end = r->start };
	size_t len;

	bigger.cap = r->cap ? r->cap : REPLAY_MIN;
	while (bigger.cap < need && bigger.cap < REPLAY_MAX)
		bigger.cap *= 2;
	if (bigger.cap == r->cap)
		return;
	bigger.p = malloc(bigger.cap);
	if (!bigger.p)
		return;
	while (bigger.end < r->end) {
		const uint8_t *p = replay_at(r, bigger.end, &len);

		put(&bigger, p, len);
	}
	free(r->p);
	*r = bigger;
}

void replay_append(struct replay *r, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	if (r->end - r->start + len > r->cap)
		grow(r, (size_t)(r->end - r->start) + len);
	if (!r->cap) {
		r->start = r->end += len;
		return;
	}
	if (len > r->cap) {
		r->end += len - r->cap;
		p += len - r->cap;
		len = r->cap;
	}
	put(r, p, len);
}

const uint8_t *replay_at(const struct replay *r, uint64_t pos, size_t *ret_len)
{
	size_t off, len = (size_t)(r->end - pos);

	if (!r->cap) {
		*ret_len = 0;
		return NULL;
	}
	off = (size_t)(pos & (r->cap - 1));
	*ret_len = len < r->cap - off ? len : r->cap - off;
	return r->p + off;
}

void replay_free(struct replay *r)
{
	free(r->p);
	*r = (struct replay){ 0 };
}
