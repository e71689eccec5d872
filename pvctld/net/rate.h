/* SPDX-License-Identifier: MIT */
/* rate=: so many bytes in each interval. Pure code. */
#ifndef NET_RATE_H
#define NET_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* The largest packet passes, however small the share of one interval is. */
#define NET_RATE_BURST 131072u

struct net_rate {
	uint64_t bytes;   /* in each interval; 0: no limit */
	uint64_t interval_ns;
	uint64_t credit, since_ns;
};

void net_rate_init(struct net_rate *r, uint64_t bytes, uint32_t interval_us, uint64_t now_ns);
/* True: len bytes may go now, and are counted. False: not before *ret_wait_ns have passed. */
bool net_rate_take(struct net_rate *r, uint32_t len, uint64_t now_ns, uint64_t *ret_wait_ns);

#endif
