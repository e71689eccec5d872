/* SPDX-License-Identifier: MIT */
/* What a network card would do for its driver: segments and checksums. Pure code over hostile frames. */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "pvctld/net/link.h"

/* More segments than this of one frame are refused: a guest chooses their size. */
#define NET_GSO_MAX_SEGMENTS 2048u
#define NET_GSO_MAX_HEADERS 524288u /* bytes, of all segments */

/* Do the headers bear out what the frame says of itself (gso, csum_blank)? 0 or -EINVAL. */
int net_check(const struct net_frame *f);
/* 4, 6, or 0: neither, or behind a VLAN tag: Linux's netfront drops what has a checksum to be completed there. */
int net_ip_version(const struct net_frame *f);
/* The same for all frames of a flow, for the choice of a queue. */
uint32_t net_flow_hash(const struct net_frame *f);

#endif
