/* SPDX-License-Identifier: MIT */
/* A byte queue that grows as needed. */
#ifndef PVCTLD_FIFO_H
#define PVCTLD_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fifo {
	uint8_t *p;
	size_t head, len, cap; /* len bytes are at p + head */
};

static inline const uint8_t *fifo_data(const struct fifo *b)
{
	return b->p + b->head;
}
/* False: no memory; the queue is as it was. */
bool fifo_reserve(struct fifo *b, size_t len); /* the next so many bytes will find room */
bool fifo_append(struct fifo *b, const void *bytes, size_t len);
void fifo_consume(struct fifo *b, size_t len);
void fifo_free(struct fifo *b);

#endif
