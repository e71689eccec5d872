/* SPDX-License-Identifier: MIT */
/*
 * A share's ring and its framing: the guest sets indices and bytes as it likes, the
 * daemon takes messages and puts replies. Input: steps of a kind and a number, and
 * for bytes to the ring, those.
 */
#include "pvctld/p9/ring.h"
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/9pfs.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct p9_ring ring;
	struct p9_inflight inflight;
	struct xen_9pfs_data_intf *intf;
};

static void take(struct world *w)
{
	static uint8_t msg[P9_MSG_MAX];
	uint8_t header[P9_HEADER];
	int size = p9_ring_next(&w->ring, header);

	if (size <= 0)
		return;
	if (size < (int)P9_HEADER || size > (int)w->ring.size || (uint32_t)size != p9_get32(header))
		abort();
	p9_ring_take(&w->ring, header, msg, (uint32_t)size);
	p9_ring_took(&w->ring);
	if (p9_type(msg) == P9_TATTACH) {
		size = p9_attach_rewrite(msg, (uint32_t)size, sizeof(msg), "/share", 1000);
		if (size < 0)
			return;
		if (p9_get32(msg) != (uint32_t)size || memcmp(msg + P9_HEADER + 12, "/share", 6))
			abort();
	}
	if (w->inflight.n < P9_MAX_INFLIGHT)
		(void)p9_inflight_add(&w->inflight, msg, (uint32_t)size, 1);
}

static void reply(struct world *w, uint32_t v)
{
	uint8_t msg[P9_RLERROR_SIZE];
	int ring;

	p9_make_error(msg, (uint16_t)v, 5);
	msg[4] = v & 0x10000 ? P9_RFLUSH : P9_RLERROR;
	ring = p9_inflight_end(&w->inflight, msg);
	if (ring > 1 || w->inflight.n > P9_MAX_INFLIGHT)
		abort();
	if (p9_ring_space(&w->ring) > w->ring.size)
		abort();
	if (p9_ring_space(&w->ring) >= sizeof(msg))
		p9_ring_put(&w->ring, msg, sizeof(msg));
}

static size_t step(struct world *w, const uint8_t *p, size_t left)
{
	uint32_t v = p9_get32(p + 1), n;

	switch (p[0] & 7) {
	case 0: w->intf->out_prod = v; break;
	case 1: w->intf->in_cons = v; break;
	case 2: w->intf->out_prod += v & 0xfff; break;
	case 3: w->intf->in_cons = w->intf->in_prod; break;
	case 4: take(w); break;
	case 5: reply(w, v); break;
	case 6: w->intf->out_cons = v; w->intf->in_prod = v; break;
	default: /* bytes at the producer's place */
		n = v & 0xff;
		if (n > left)
			n = (uint32_t)left;
		for (uint32_t i = 0; i < n; i++)
			w->ring.out[(w->intf->out_prod + i) & (w->ring.size - 1)] = p[5 + i];
		w->intf->out_prod += n;
		return 5 + n;
	}
	return 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .intf = calloc(1, 4096) };
	unsigned int order = size ? 1 + data[0] % P9_MAX_ORDER : 1;
	uint8_t *bytes = calloc(1u << order, 4096);

	if (w.intf && bytes) {
		p9_ring_init(&w.ring, w.intf, bytes, order);
		for (size_t i = 1; i + 5 <= size;)
			i += step(&w, data + i, size - i - 5);
	}
	free(bytes);
	free(w.intf);
	return 0;
}
