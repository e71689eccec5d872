/* SPDX-License-Identifier: MIT */
#include "pvctld/base/fifo.h"
#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES 65536u /* an empty queue gives back more than this */

bool fifo_reserve(struct fifo *b, size_t len)
{
	if (b->head && b->head + b->len + len > b->cap) {
		memmove(b->p, b->p + b->head, b->len);
		b->head = 0;
	}
	if (b->len + len > b->cap) {
		size_t cap = b->cap ? b->cap : 512;
		uint8_t *p;

		while (cap < b->len + len)
			cap *= 2;
		p = realloc(b->p, cap);
		if (!p)
			return false;
		b->p = p;
		b->cap = cap;
	}
	return true;
}

bool fifo_append(struct fifo *b, const void *bytes, size_t len)
{
	if (!fifo_reserve(b, len))
		return false;
	if (len)
		memcpy(b->p + b->head + b->len, bytes, len);
	b->len += len;
	return true;
}

void fifo_consume(struct fifo *b, size_t len)
{
	b->head += len;
	b->len -= len;
	if (b->len)
		return;
	b->head = 0;
	if (b->cap > KEEP_BYTES)
		fifo_free(b);
}

void fifo_free(struct fifo *b)
{
	free(b->p);
	*b = (struct fifo){ 0 };
}
