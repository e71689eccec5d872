/* SPDX-License-Identifier: MIT */
/* The store's shared page (xen/io/xs_wire.h) as a guest may have left it: its words are read once each and checked. */
#ifndef PVCTLD_STORE_RING_H
#define PVCTLD_STORE_RING_H

#include <stddef.h>
#include <sys/types.h>

struct xenstore_domain_interface;

/* Copies up to max request bytes without consuming them; -EPROTO: impossible indices. */
ssize_t store_ring_peek(struct xenstore_domain_interface *ring, void *dst, size_t max);
void store_ring_consume(struct xenstore_domain_interface *ring, size_t len);
/* Puts at most len bytes of answers; how many, or -EPROTO. */
ssize_t store_ring_put(struct xenstore_domain_interface *ring, const void *src, size_t len);

#endif
