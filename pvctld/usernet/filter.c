/* SPDX-License-Identifier: MIT */
/*
 * What a guest may say to libslirp. The network's own addresses are 10.0.2.0/24
 * and fd00::/64; .2 is the router, .3 the name server. libslirp would carry a
 * connection to the host's loopback, which belongs to the host alone:
 *  - to 127/8 and 0/8, ::1, :: and mapped addresses, as they are;
 *  - to the name server, when the host's own is on the loopback: at any port.
 * It also answers NC-SI, which no guest of ours asks for.
 */
#include "pvctld/usernet/usernet.h"
#include <string.h>

#define ETH_HEADER 14u
#define IPV4_MIN 20u
#define IPV6_HEADER 40u
#define DNS_PORT 53u
enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_ARP = 0x0806, ETHERTYPE_IPV6 = 0x86dd, TCP = 6, UDP = 17, ICMPV6 = 58 };

static unsigned int be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Of TCP and UDP alike. */
static bool is_dns(uint8_t protocol, const uint8_t *header, size_t len)
{
	return (protocol == TCP || protocol == UDP) && len >= 4 && be16(header + 2) == DNS_PORT;
}

static bool ipv4(const uint8_t *p, size_t len)
{
	static const uint8_t name_server[4] = { 10, 0, 2, 3 };
	size_t header;

	if (len < IPV4_MIN || p[0] >> 4 != 4)
		return false;
	header = (size_t)(p[0] & 15) * 4;
	if (header < IPV4_MIN || header > len || p[16] == 127 || p[16] == 0)
		return false;
	if (memcmp(p + 16, name_server, sizeof(name_server)))
		return true;
	/* Of a fragment the port may not be here. */
	return !(be16(p + 6) & 0x3fff) && is_dns(p[9], p + header, len - header);
}

static bool ipv6(const uint8_t *p, size_t len)
{
	static const uint8_t name_server[16] = { 0xfd, [15] = 3 }, zero[10];

	if (len < IPV6_HEADER || p[0] >> 4 != 6 || !memcmp(p + 24, zero, sizeof(zero)))
		return false;
	if (memcmp(p + 24, name_server, sizeof(name_server)))
		return true;
	return p[6] == ICMPV6 || is_dns(p[6], p + IPV6_HEADER, len - IPV6_HEADER);
}

bool usernet_may_pass(const uint8_t *frame, size_t len)
{
	if (len < ETH_HEADER || len > USERNET_FRAME_MAX)
		return false;
	switch (be16(frame + 12)) {
	case ETHERTYPE_ARP:
		return true;
	case ETHERTYPE_IPV4:
		return ipv4(frame + ETH_HEADER, len - ETH_HEADER);
	case ETHERTYPE_IPV6:
		return ipv6(frame + ETH_HEADER, len - ETH_HEADER);
	}
	return false;
}
