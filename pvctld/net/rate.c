/* SPDX-License-Identifier: MIT */
#include "pvctld/net/rate.h"

void net_rate_init(struct net_rate *r, uint64_t bytes, uint32_t interval_us, uint64_t now_ns)
{
	r->bytes = bytes;
	r->interval_ns = interval_us ? interval_us * 1000ull : 1000ull;
	r->credit = bytes;
	r->since_ns = now_ns;
}

/* Unused shares are not saved up beyond one burst. */
static void refill(struct net_rate *r, uint64_t now_ns)
{
	uint64_t most = r->bytes > NET_RATE_BURST ? r->bytes : NET_RATE_BURST;
	uint64_t n = (now_ns - r->since_ns) / r->interval_ns;

	if (!n)
		return;
	r->since_ns += n * r->interval_ns;
	/* n shares, without overflow. */
	if (r->credit >= most || n > (most - r->credit) / r->bytes)
		r->credit = most;
	else
		r->credit += n * r->bytes;
}

bool net_rate_take(struct net_rate *r, uint32_t len, uint64_t now_ns, uint64_t *ret_wait_ns)
{
	if (!r->bytes)
		return true;
	refill(r, now_ns);
	if (r->credit < len) {
		uint64_t n = (len - r->credit + r->bytes - 1) / r->bytes;

		*ret_wait_ns = r->since_ns + n * r->interval_ns - now_ns;
		return false;
	}
	r->credit -= len;
	return true;
}
