/* SPDX-License-Identifier: MIT */
#include "pvctld/net/offload.h"
#include <errno.h>
#include <string.h>

#define ETH_IPV4 0x0800u
#define ETH_IPV6 0x86ddu
#define ETH_VLAN 0x8100u
#define ETH_QINQ 0x88a8u
#define MAX_VLANS 2u
#define MAX_IPV6_HEADERS 8u

#define IP_TCP 6u
#define IP_UDP 17u
#define TCP_CSUM 16u
#define UDP_CSUM 6u
#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u

struct headers {
	uint32_t l3, l4, payload, end; /* offsets; end: of the IP packet */
	uint8_t proto;
	bool v6;
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffffu);
}

/* RFC 1071, not folded and not complemented. len is at most 65535, so that a few of these fit 64 bits. */
static uint64_t sum(const uint8_t *p, uint32_t len)
{
	uint64_t s = 0;

	for (; len >= 4; p += 4, len -= 4)
		s += get32(p);
	if (len >= 2) {
		s += get16(p);
		p += 2;
	}
	if (len & 1)
		s += (uint32_t)p[0] << 8;
	return s;
}

static uint32_t fold(uint64_t s)
{
	while (s >> 16)
		s = (s & 0xffffu) + (s >> 16);
	return (uint32_t)s;
}

static int find_l3(const uint8_t *p, uint32_t len, struct headers *h)
{
	uint32_t at = 12, type;

	if (len < NET_FRAME_MIN)
		return -EINVAL;
	type = get16(p + at);
	for (unsigned int i = 0; i < MAX_VLANS && (type == ETH_VLAN || type == ETH_QINQ); i++) {
		at += 4;
		if (at + 2 > len)
			return -EINVAL;
		type = get16(p + at);
	}
	h->l3 = at + 2;
	h->v6 = type == ETH_IPV6;
	return type == ETH_IPV4 || type == ETH_IPV6 ? 0 : -EINVAL;
}

static int find_l4_v4(const uint8_t *p, uint32_t len, struct headers *h)
{
	const uint8_t *ip = p + h->l3;
	uint32_t size, total;

	if (len - h->l3 < 20)
		return -EINVAL;
	size = (ip[0] & 15u) * 4u;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || size < 20 || total < size || total > len - h->l3)
		return -EINVAL;
	if (get16(ip + 6) & 0x3fffu) /* a fragment */
		return -EINVAL;
	h->l4 = h->l3 + size;
	h->end = h->l3 + total;
	h->proto = ip[9];
	return 0;
}

static bool is_extension(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 60; /* hop by hop, routing, destination options */
}

static int find_l4_v6(const uint8_t *p, uint32_t len, struct headers *h)
{
	const uint8_t *ip = p + h->l3;
	uint32_t at = h->l3 + 40, total;
	uint8_t next;

	if (len - h->l3 < 40 || ip[0] >> 4 != 6)
		return -EINVAL;
	total = get16(ip + 4);
	if (!total || total > len - at) /* 0: a jumbogram */
		return -EINVAL;
	h->end = at + total;
	next = ip[6];
	for (unsigned int i = 0; is_extension(next); i++) {
		uint32_t size;

		if (i >= MAX_IPV6_HEADERS || h->end - at < 8)
			return -EINVAL;
		size = (p[at + 1] + 1u) * 8u;
		/* With segments left the pseudo header has another address than this one. */
		if (size > h->end - at || (next == 43 && p[at + 3]))
			return -EINVAL;
		next = p[at];
		at += size;
	}
	h->l4 = at;
	h->proto = next;
	return 0;
}

static int find_payload(const uint8_t *p, struct headers *h)
{
	uint32_t left = h->end - h->l4, size;

	if (h->proto == IP_TCP) {
		if (left < 20)
			return -EINVAL;
		size = (p[h->l4 + 12] >> 4) * 4u;
		if (size < 20 || size > left)
			return -EINVAL;
	} else if (h->proto == IP_UDP) {
		size = 8;
		if (left < size || get16(p + h->l4 + 4) != left)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	h->payload = h->l4 + size;
	return 0;
}

static int parse(const struct net_frame *f, struct headers *h)
{
	int rc = find_l3(f->data, f->len, h);

	if (rc)
		return rc;
	rc = h->v6 ? find_l4_v6(f->data, f->len, h) : find_l4_v4(f->data, f->len, h);
	return rc ? rc : find_payload(f->data, h);
}

static int check_gso(const struct net_frame *f, const struct headers *h)
{
	uint32_t n;

	if (h->proto != IP_TCP || h->v6 != (f->gso == NET_GSO_TCPV6) || h->end != f->len)
		return -EINVAL;
	if (!f->gso_size || h->payload == h->end || !f->csum_blank)
		return -EINVAL;
	n = (h->end - h->payload + f->gso_size - 1) / f->gso_size;
	/* Each has all headers again, and IPv6 can have a lot of them. */
	return n > NET_GSO_MAX_SEGMENTS || n * h->payload > NET_GSO_MAX_HEADERS ? -EINVAL : 0;
}

int net_check(const struct net_frame *f)
{
	struct headers h;
	int rc;

	if (f->len < NET_FRAME_MIN || f->len > NET_FRAME_MAX)
		return -EINVAL;
	if (f->gso == NET_GSO_NONE && !f->csum_blank)
		return 0;
	rc = parse(f, &h);
	return rc || f->gso == NET_GSO_NONE ? rc : check_gso(f, &h);
}

static uint64_t pseudo(const uint8_t *p, const struct headers *h, uint32_t l4_len)
{
	const uint8_t *ip = p + h->l3;

	return (h->v6 ? sum(ip + 8, 32) : sum(ip + 12, 8)) + h->proto + l4_len;
}

/* Of a frame whose lengths are right. blank: the pseudo header alone, as the next one may want it. */
static void fill_csum(uint8_t *p, const struct headers *h, uint32_t end, bool blank)
{
	uint8_t *field = p + h->l4 + (h->proto == IP_TCP ? TCP_CSUM : UDP_CSUM);
	uint64_t s = pseudo(p, h, end - h->l4);

	if (blank) {
		put16(field, fold(s));
		return;
	}
	put16(field, 0);
	s = fold(s + sum(p + h->l4, end - h->l4)) ^ 0xffffu;
	/* UDP over IPv6 must have one, and 0 says that there is none. */
	put16(field, s || h->proto == IP_TCP ? (uint32_t)s : 0xffffu);
}

static void fill_lengths(uint8_t *p, const struct headers *h, uint32_t end, unsigned int nth)
{
	uint8_t *ip = p + h->l3;

	if (h->v6) {
		put16(ip + 4, end - h->l3 - 40);
		return;
	}
	put16(ip + 2, end - h->l3);
	put16(ip + 4, get16(ip + 4) + nth);
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, h->l4 - h->l3)) ^ 0xffffu);
}

static void fill_tcp(uint8_t *tcp, uint32_t offset, bool first, bool last)
{
	put32(tcp + 4, get32(tcp + 4) + offset);
	if (!last)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (!first)
		tcp[13] &= (uint8_t)~TCP_CWR;
}

static void segment(const struct net_frame *f, const struct headers *h, bool keep_blank,
		    void (*out)(void *data, const struct net_frame *f), void *data)
{
	uint8_t buf[NET_FRAME_MAX];
	uint32_t at = h->payload;

	for (unsigned int n = 0; at < h->end; n++) {
		uint32_t len = h->end - at < f->gso_size ? h->end - at : f->gso_size, end = h->payload + len;
		struct net_frame s = { .data = buf, .len = end, .csum_blank = keep_blank, .csum_good = true };

		memcpy(buf, f->data, h->payload);
		memcpy(buf + h->payload, f->data + at, len);
		fill_lengths(buf, h, end, n);
		fill_tcp(buf + h->l4, at - h->payload, !n, at + len == h->end);
		fill_csum(buf, h, end, keep_blank);
		out(data, &s);
		at += len;
	}
}

static void checksum(const struct net_frame *f, const struct headers *h,
		     void (*out)(void *data, const struct net_frame *f), void *data)
{
	uint8_t buf[NET_FRAME_MAX];
	struct net_frame s = { .data = buf, .len = f->len, .csum_good = true };

	memcpy(buf, f->data, f->len);
	fill_csum(buf, h, h->end, false);
	out(data, &s);
}

int net_resolve(const struct net_frame *f, bool keep_csum_blank, void (*out)(void *data, const struct net_frame *f),
		void *data)
{
	struct headers h;
	int rc = net_check(f);

	if (rc)
		return rc;
	if (f->gso == NET_GSO_NONE && (!f->csum_blank || keep_csum_blank)) {
		out(data, f);
		return 0;
	}
	rc = parse(f, &h);
	if (rc)
		return rc;
	if (f->gso != NET_GSO_NONE)
		segment(f, &h, keep_csum_blank, out, data);
	else
		checksum(f, &h, out, data);
	return 0;
}

int net_ip_version(const struct net_frame *f)
{
	struct headers h;

	if (find_l3(f->data, f->len, &h) || h.l3 != NET_FRAME_MIN)
		return 0;
	return h.v6 ? 6 : 4;
}

uint32_t net_flow_hash(const struct net_frame *f)
{
	uint32_t hash = 2166136261u, from = 0, to = 12;
	struct headers h;

	if (!find_l3(f->data, f->len, &h)) {
		/* The addresses; and the ports, where the header has no options: else all of these are one flow. */
		from = h.l3 + (h.v6 ? 8 : 12);
		to = h.l3 + (h.v6 ? 44 : 24);
		if (to > f->len || (!h.v6 && (f->data[h.l3] != 0x45 || get16(f->data + h.l3 + 6) & 0x3fffu)))
			to = h.l3 + (h.v6 ? 40 : 20);
		if (to > f->len)
			to = f->len;
	}
	for (; from < to; from++)
		hash = (hash ^ f->data[from]) * 16777619u;
	return hash ^ hash >> 16;
}
