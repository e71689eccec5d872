/* SPDX-License-Identifier: MIT */
#include "pvctld/p9/ring.h"
#include <errno.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/9pfs.h>

void p9_ring_init(struct p9_ring *r, struct xen_9pfs_data_intf *intf, void *bytes, unsigned int order)
{
	r->intf = intf;
	r->size = (uint32_t)XEN_FLEX_RING_SIZE(order);
	r->in = bytes;
	r->out = r->in + r->size;
	r->in_prod = __atomic_load_n(&intf->in_prod, __ATOMIC_RELAXED);
	r->out_cons = __atomic_load_n(&intf->out_cons, __ATOMIC_RELAXED);
}

static void copy_out(const struct p9_ring *r, uint32_t at, void *dst, uint32_t len)
{
	uint32_t off = at & (r->size - 1), first = r->size - off < len ? r->size - off : len;

	memcpy(dst, r->out + off, first);
	memcpy((uint8_t *)dst + first, r->out, len - first);
}

int p9_ring_next(const struct p9_ring *r, uint8_t *header)
{
	uint32_t have = __atomic_load_n(&r->intf->out_prod, __ATOMIC_ACQUIRE) - r->out_cons, size;

	if (have > r->size)
		return -EPROTO;
	if (have < P9_HEADER)
		return 0;
	copy_out(r, r->out_cons, header, P9_HEADER);
	size = p9_get32(header);
	if (size < P9_HEADER || size > r->size)
		return -EPROTO;
	return have < size ? 0 : (int)size;
}

void p9_ring_take(struct p9_ring *r, const uint8_t *header, void *dst, uint32_t size)
{
	memcpy(dst, header, P9_HEADER);
	copy_out(r, r->out_cons + P9_HEADER, (uint8_t *)dst + P9_HEADER, size - P9_HEADER);
	r->out_cons += size;
}

void p9_ring_took(struct p9_ring *r)
{
	__atomic_store_n(&r->intf->out_cons, r->out_cons, __ATOMIC_SEQ_CST);
}

uint32_t p9_ring_space(const struct p9_ring *r)
{
	uint32_t used = r->in_prod - __atomic_load_n(&r->intf->in_cons, __ATOMIC_ACQUIRE);

	return used > r->size ? 0 : r->size - used;
}

void p9_ring_put(struct p9_ring *r, const void *src, uint32_t len)
{
	uint32_t off = r->in_prod & (r->size - 1), first = r->size - off < len ? r->size - off : len;

	memcpy(r->in + off, src, first);
	memcpy(r->in, (const uint8_t *)src + first, len - first);
	r->in_prod += len;
	/* Whole messages only: a frontend reads the rest without another look. */
	__atomic_store_n(&r->intf->in_prod, r->in_prod, __ATOMIC_SEQ_CST);
}
