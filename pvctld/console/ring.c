/* SPDX-License-Identifier: MIT */
#include "pvctld/console/ring.h"
#include <stdint.h>
#include <string.h>
#include <xen/io/console.h>

/* Both sizes are powers of two; indices run free and wrap at 2^32. */
static void copy_out(void *dst, const char *ring, uint32_t size, uint32_t at, size_t len)
{
	uint32_t off = at & (size - 1);
	size_t first = size - off < len ? size - off : len;

	memcpy(dst, ring + off, first);
	memcpy((char *)dst + first, ring, len - first);
}

static void copy_in(char *ring, uint32_t size, uint32_t at, const void *src, size_t len)
{
	uint32_t off = at & (size - 1);
	size_t first = size - off < len ? size - off : len;

	memcpy(ring + off, src, first);
	memcpy(ring, (const char *)src + first, len - first);
}

size_t console_ring_peek(struct xencons_interface *ring, void *dst, size_t max, bool *ret_bad)
{
	uint32_t cons = __atomic_load_n(&ring->out_cons, __ATOMIC_RELAXED);
	uint32_t prod = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE);
	uint32_t have = prod - cons;

	*ret_bad = have > sizeof(ring->out);
	if (*ret_bad) {
		__atomic_store_n(&ring->out_cons, prod, __ATOMIC_SEQ_CST);
		return 0;
	}
	if (have > max)
		have = (uint32_t)max;
	copy_out(dst, ring->out, sizeof(ring->out), cons, have);
	return have;
}

void console_ring_consume(struct xencons_interface *ring, size_t len)
{
	uint32_t cons = __atomic_load_n(&ring->out_cons, __ATOMIC_RELAXED);

	__atomic_store_n(&ring->out_cons, cons + (uint32_t)len, __ATOMIC_SEQ_CST);
}

size_t console_ring_take(struct xencons_interface *ring, void *dst, size_t max, bool *ret_bad)
{
	size_t n = console_ring_peek(ring, dst, max, ret_bad);

	if (n)
		console_ring_consume(ring, n);
	return n;
}

bool console_ring_has_output(struct xencons_interface *ring)
{
	return __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE) != __atomic_load_n(&ring->out_cons, __ATOMIC_RELAXED);
}

static size_t space_at(struct xencons_interface *ring, uint32_t *ret_prod)
{
	uint32_t prod = __atomic_load_n(&ring->in_prod, __ATOMIC_RELAXED);
	uint32_t used = prod - __atomic_load_n(&ring->in_cons, __ATOMIC_ACQUIRE);

	*ret_prod = prod;
	return used > sizeof(ring->in) ? 0 : sizeof(ring->in) - used;
}

size_t console_ring_space(struct xencons_interface *ring)
{
	uint32_t prod;

	return space_at(ring, &prod);
}

size_t console_ring_put(struct xencons_interface *ring, const void *src, size_t len)
{
	uint32_t prod;
	size_t space = space_at(ring, &prod);

	if (len > space)
		len = space;
	copy_in(ring->in, sizeof(ring->in), prod, src, len);
	__atomic_store_n(&ring->in_prod, prod + (uint32_t)len, __ATOMIC_SEQ_CST);
	return len;
}
