/* SPDX-License-Identifier: MIT */
/*
 * The shared pages of console and store: the guest's four indices are any
 * numbers at any time. Bytes of input are steps: an index is set, or the
 * daemon takes or puts some.
 */
#include "pvctld/console/replay.h"
#include "pvctld/console/ring.h"
#include "pvctld/xenstore/ring.h"

#include <stdlib.h>
#include <string.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void console_step(struct xencons_interface *ring, struct replay *replay, uint8_t op, uint32_t v)
{
	uint32_t *const index[] = { &ring->in_cons, &ring->in_prod, &ring->out_cons, &ring->out_prod };
	char bytes[sizeof(ring->out) + 1];
	bool bad;
	size_t n;

	memset(bytes, 'x', sizeof(bytes));
	if (op < 4) {
		*index[op] = v;
	} else if (op == 4) {
		n = console_ring_take(ring, bytes, v % sizeof(bytes), &bad);
		if (n > v % sizeof(bytes) || (bad && n))
			abort();
		replay_append(replay, bytes, n);
	} else if (op == 5) {
		n = console_ring_space(ring);
		if (n > sizeof(ring->in) || console_ring_put(ring, bytes, v % sizeof(bytes)) > n)
			abort();
	} else if (op == 6) {
		ring->out_prod += v;
	} else {
		ring->in_cons += v;
	}
}

static void store_step(struct xenstore_domain_interface *ring, uint8_t op, uint32_t v)
{
	uint32_t *const index[] = { &ring->req_cons, &ring->req_prod, &ring->rsp_cons, &ring->rsp_prod };
	char bytes[XENSTORE_RING_SIZE + 1];
	size_t max = v % sizeof(bytes);
	ssize_t n;

	memset(bytes, 'x', sizeof(bytes));
	if (op < 4) {
		*index[op] = v;
	} else if (op == 4) {
		n = store_ring_peek(ring, bytes, max);
		if (n > (ssize_t)max)
			abort();
		if (n > 0)
			store_ring_consume(ring, (size_t)n);
	} else if (op == 5) {
		if (store_ring_put(ring, bytes, max) > (ssize_t)max)
			abort();
	} else if (op == 6) {
		ring->req_prod += v;
	} else {
		ring->rsp_cons += v;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xenstore_domain_interface *store = calloc(1, sizeof(*store));
	struct xencons_interface *console = calloc(1, sizeof(*console));
	struct replay replay = { 0 };
	size_t len;

	for (size_t i = 0; store && console && i + 5 <= size; i += 5) {
		uint32_t v;

		memcpy(&v, data + i + 1, sizeof(v));
		if (data[i] & 8)
			store_step(store, data[i] & 7, v);
		else
			console_step(console, &replay, data[i] & 7, v);
	}
	for (uint64_t at = replay.start; at < replay.end; at += len)
		if (!replay_at(&replay, at, &len) || !len || len > replay.end - at)
			abort();
	replay_free(&replay);
	free(store);
	free(console);
	return 0;
}
