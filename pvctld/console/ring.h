/* SPDX-License-Identifier: MIT */
/*
 * The console's shared page (xen/io/console.h) as a guest may have left it.
 * Its words are read once each; an index pair that cannot be is mended by
 * skipping to the producer, so that only the guest's own output is lost.
 */
#ifndef CONSOLE_RING_H
#define CONSOLE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct xencons_interface;

/* Takes up to max bytes of output. *ret_bad: the indices were impossible. */
size_t console_ring_take(struct xencons_interface *ring, void *dst, size_t max, bool *ret_bad);
/* The same in two steps: copied, and given up. */
size_t console_ring_peek(struct xencons_interface *ring, void *dst, size_t max, bool *ret_bad);
void console_ring_consume(struct xencons_interface *ring, size_t len);
/* True when output waits. */
bool console_ring_has_output(struct xencons_interface *ring);
/* Bytes of input that fit; 0 as well when the indices are impossible. */
size_t console_ring_space(struct xencons_interface *ring);
/* Puts at most len bytes of input; how many were put. */
size_t console_ring_put(struct xencons_interface *ring, const void *src, size_t len);

#endif
