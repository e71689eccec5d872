/* SPDX-License-Identifier: MIT */
/* Any frame that says anything of itself: what comes out is bounded, and as long as what went in. */
#include "pvctld/net/offload.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int nr_out;

static void on_frame(void *data, const struct net_frame *f)
{
	const struct net_frame *in = data;

	nr_out++;
	if (f->gso != NET_GSO_NONE || f->len > in->len || f->len < NET_FRAME_MIN)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_frame f = { 0 };
	uint8_t *copy;

	if (size < 4 + NET_FRAME_MIN || size - 4 > NET_FRAME_MAX)
		return 0;
	copy = malloc(size - 4);
	if (!copy)
		return 0;
	memcpy(copy, data + 4, size - 4);
	f.data = copy;
	f.len = (uint32_t)size - 4;
	f.gso = data[0] % 3;
	f.csum_blank = data[1] & 1;
	f.gso_size = (uint16_t)(data[2] << 8 | data[3]);
	nr_out = 0;
	(void)net_flow_hash(&f);
	(void)net_ip_version(&f);
	if (!net_resolve(&f, data[1] & 2, on_frame, &f) && (!nr_out || nr_out > NET_GSO_MAX_SEGMENTS))
		abort();
	free(copy);
	return 0;
}
