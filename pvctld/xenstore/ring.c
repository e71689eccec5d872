/* SPDX-License-Identifier: MIT */
#include "pvctld/xenstore/ring.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <xen/io/xs_wire.h>

ssize_t store_ring_peek(struct xenstore_domain_interface *ring, void *dst, size_t max)
{
	uint32_t cons = __atomic_load_n(&ring->req_cons, __ATOMIC_RELAXED);
	uint32_t have = __atomic_load_n(&ring->req_prod, __ATOMIC_ACQUIRE) - cons;
	uint32_t off = MASK_XENSTORE_IDX(cons);
	size_t first;

	if (have > XENSTORE_RING_SIZE)
		return -EPROTO;
	if (have > max)
		have = (uint32_t)max;
	first = XENSTORE_RING_SIZE - off < have ? XENSTORE_RING_SIZE - off : have;
	memcpy(dst, ring->req + off, first);
	memcpy((char *)dst + first, ring->req, have - first);
	return have;
}

void store_ring_consume(struct xenstore_domain_interface *ring, size_t len)
{
	uint32_t cons = __atomic_load_n(&ring->req_cons, __ATOMIC_RELAXED);

	__atomic_store_n(&ring->req_cons, cons + (uint32_t)len, __ATOMIC_SEQ_CST);
}

ssize_t store_ring_put(struct xenstore_domain_interface *ring, const void *src, size_t len)
{
	uint32_t prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_RELAXED);
	uint32_t used = prod - __atomic_load_n(&ring->rsp_cons, __ATOMIC_ACQUIRE);
	uint32_t off = MASK_XENSTORE_IDX(prod);
	size_t first;

	if (used > XENSTORE_RING_SIZE)
		return -EPROTO;
	if (len > XENSTORE_RING_SIZE - used)
		len = XENSTORE_RING_SIZE - used;
	first = XENSTORE_RING_SIZE - off < len ? XENSTORE_RING_SIZE - off : len;
	memcpy(ring->rsp + off, src, first);
	memcpy(ring->rsp, (const char *)src + first, len - first);
	__atomic_store_n(&ring->rsp_prod, prod + (uint32_t)len, __ATOMIC_SEQ_CST);
	return (ssize_t)len;
}
