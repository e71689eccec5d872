/* SPDX-License-Identifier: MIT */
/* Segments and checksums, against a slow reference and against frames that lie. */
#include "pvctld/net/offload.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t frame[NET_FRAME_MAX], stream[2 * NET_FRAME_MAX];
static uint32_t l3, l4, headers;
static unsigned int nr_out;
static uint32_t stream_len, next_seq;
static bool want_blank;

static void put16(uint32_t at, uint32_t v)
{
	frame[at] = (uint8_t)(v >> 8);
	frame[at + 1] = (uint8_t)v;
}

/* Ethernet, so many VLAN tags, IP with some options or extension headers, TCP or UDP. */
static uint32_t build(bool v6, unsigned int vlans, uint32_t extra, bool tcp, uint32_t payload)
{
	uint32_t size, len, tail;

	memset(frame, 0, sizeof(frame));
	memset(frame, 0x02, 12);
	for (unsigned int i = 0; i < vlans; i++)
		put16(12 + 4 * i, i + 1 < vlans ? 0x88a8 : 0x8100);
	l3 = 14 + 4 * vlans;
	put16(l3 - 2, v6 ? 0x86dd : 0x0800);
	l4 = l3 + (v6 ? 40 : 20) + extra;
	size = tcp ? 32 : 8;
	headers = l4 + size;
	len = headers + payload;
	tail = len - l3;
	if (v6) {
		frame[l3] = 0x60;
		put16(l3 + 4, tail - 40);
		frame[l3 + 6] = extra ? 0 : tcp ? 6 : 17;
		if (extra) {
			frame[l3 + 40] = tcp ? 6 : 17;
			frame[l3 + 41] = (uint8_t)(extra / 8 - 1);
		}
		for (unsigned int i = 0; i < 32; i++)
			frame[l3 + 8 + i] = (uint8_t)(i * 7 + 1);
	} else {
		frame[l3] = (uint8_t)(0x45 + extra / 4);
		put16(l3 + 2, tail);
		put16(l3 + 4, 0xfffe);
		frame[l3 + 8] = 64;
		frame[l3 + 9] = tcp ? 6 : 17;
		memcpy(frame + l3 + 12, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	}
	put16(l4, 1000);
	put16(l4 + 2, 2000);
	if (tcp) {
		put16(l4 + 4, 0xffff);
		put16(l4 + 6, 0xff00);
		frame[l4 + 12] = 0x80;
		frame[l4 + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
	} else {
		put16(l4 + 4, size + payload);
	}
	for (uint32_t i = 0; i < payload; i++)
		frame[headers + i] = (uint8_t)(i * 31 + i / 256);
	return len;
}

/* RFC 1071 as it is written, a byte at a time. */
static uint32_t slow_sum(const uint8_t *p, uint32_t len, uint32_t s)
{
	for (uint32_t i = 0; i < len; i++) {
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		s = (s & 0xffff) + (s >> 16);
	}
	return s;
}

static void check_csums(const struct net_frame *f)
{
	bool v6 = f->data[l3] >> 4 == 6, tcp = headers - l4 > 8;
	uint32_t len = v6 ? (uint32_t)(f->data[l3 + 4] << 8 | f->data[l3 + 5]) + 40
			  : (uint32_t)(f->data[l3 + 2] << 8 | f->data[l3 + 3]);
	uint32_t end = l3 + len, s;

	if (!v6)
		ck_assert_uint_eq(slow_sum(f->data + l3, l4 - l3, 0), 0xffff);
	s = v6 ? slow_sum(f->data + l3 + 8, 32, 0) : slow_sum(f->data + l3 + 12, 8, 0);
	s += (tcp ? 6 : 17) + end - l4;
	s = (s & 0xffff) + (s >> 16);
	if (want_blank) {
		const uint8_t *field = f->data + l4 + (tcp ? 16 : 6);

		ck_assert_uint_eq((uint32_t)(field[0] << 8 | field[1]), s);
	} else {
		ck_assert_uint_eq(slow_sum(f->data + l4, end - l4, s), 0xffff);
	}
	ck_assert_uint_le(end, f->len);
}

static void on_segment(void *data, const struct net_frame *f)
{
	const uint8_t *tcp = f->data + l4;
	uint32_t payload = f->len - headers;

	ck_assert(f->gso == NET_GSO_NONE && f->csum_blank == want_blank);
	check_csums(f);
	ck_assert_uint_eq((uint32_t)tcp[4] << 24 | (uint32_t)(tcp[5] << 16 | tcp[6] << 8 | tcp[7]), 0xffffff00u + next_seq);
	ck_assert_uint_eq(tcp[13] & 0x80, nr_out ? 0 : 0x80);
	if (f->data[l3] >> 4 == 4)
		ck_assert_uint_eq((uint32_t)(f->data[l3 + 4] << 8 | f->data[l3 + 5]), (0xfffeu + nr_out) & 0xffff);
	memcpy(stream + stream_len, f->data + headers, payload);
	stream_len += payload;
	next_seq += payload;
	nr_out++;
	*(uint8_t *)data = tcp[13];
}

static void try_gso(bool v6, unsigned int vlans, uint32_t extra, uint32_t payload, uint16_t gso_size, bool blank)
{
	struct net_frame f = { .data = frame, .len = build(v6, vlans, extra, true, payload), .csum_blank = true,
			       .gso = v6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4, .gso_size = gso_size };
	uint8_t flags = 0;

	nr_out = stream_len = next_seq = 0;
	want_blank = blank;
	ck_assert_int_eq(net_resolve(&f, blank, on_segment, &flags), 0);
	ck_assert_uint_eq(nr_out, (payload + gso_size - 1) / gso_size);
	ck_assert_uint_eq(stream_len, payload);
	ck_assert(!memcmp(stream, frame + headers, payload));
	ck_assert_uint_eq(flags & 9, 9); /* FIN and PSH in the last */
}

START_TEST(gso)
{
	for (unsigned int v6 = 0; v6 < 2; v6++) {
		for (unsigned int vlans = 0; vlans < 3; vlans++) {
			try_gso(v6, vlans, 0, 60000, 1448, false);
			try_gso(v6, vlans, 8, 1449, 1448, true);
			try_gso(v6, vlans, 16, 1448, 1448, false);
			try_gso(v6, vlans, 0, 1, 1448, false);
			try_gso(v6, vlans, 0, 2048, 1, false);
			try_gso(v6, vlans, 0, 9999, 333, true);
		}
		try_gso(v6, 0, 0, NET_FRAME_MAX - 14 - (v6 ? 72 : 52), 65535, false);
	}
}
END_TEST

static void on_frame(void *data, const struct net_frame *f)
{
	nr_out++;
	check_csums(f);
	ck_assert(!f->csum_blank && f->gso == NET_GSO_NONE);
	ck_assert_uint_eq(f->len, *(uint32_t *)data);
}

static void try_csum(bool v6, bool tcp, uint32_t extra, uint32_t payload, uint32_t padding)
{
	uint32_t len = build(v6, 0, extra, tcp, payload) + padding;
	struct net_frame f = { .data = frame, .len = len, .csum_blank = true };

	if (!v6) /* resolving one frame leaves the IP header alone */
		put16(l3 + 10, slow_sum(frame + l3, l4 - l3, 0) ^ 0xffff);
	memset(frame + len - padding, 0xa5, padding);
	nr_out = 0;
	want_blank = false;
	ck_assert_int_eq(net_resolve(&f, false, on_frame, &len), 0);
	ck_assert_uint_eq(nr_out, 1);
}

START_TEST(checksums)
{
	for (unsigned int v6 = 0; v6 < 2; v6++)
		for (unsigned int tcp = 0; tcp < 2; tcp++)
			for (uint32_t n = 0; n < 40; n++) {
				try_csum(v6, tcp, 0, n, 0);
				try_csum(v6, tcp, 8, n * 37, 5);
			}
}
END_TEST

static void never(void *data, const struct net_frame *f)
{
	ck_abort_msg("a frame came out");
}

static int judge(uint32_t len, enum net_gso kind, uint16_t size)
{
	struct net_frame f = { .data = frame, .len = len, .csum_blank = true, .gso = kind, .gso_size = size };

	return net_check(&f);
}

START_TEST(lies)
{
	struct net_frame f = { .data = frame, .csum_blank = true, .gso = NET_GSO_TCPV4, .gso_size = 1448 };
	uint32_t len = build(false, 0, 0, true, 3000);

	f.len = len;
	ck_assert_int_eq(judge(len, NET_GSO_TCPV4, 1448), 0);
	ck_assert_int_eq(judge(len, NET_GSO_TCPV6, 1448), -EINVAL); /* the other IP */
	ck_assert_int_eq(judge(len, NET_GSO_TCPV4, 0), -EINVAL);
	ck_assert_int_eq(judge(len, NET_GSO_TCPV4, 1), -EINVAL);    /* 3000 segments */
	ck_assert_int_eq(judge(len + 1, NET_GSO_TCPV4, 1448), -EINVAL);
	ck_assert_int_eq(judge(len - 1, NET_GSO_TCPV4, 1448), -EINVAL);
	for (uint32_t n = 14; n < headers; n++)                      /* cut off anywhere */
		ck_assert_int_eq(judge(n, NET_GSO_NONE, 0), -EINVAL);
	frame[l3] = 0x44;
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	ck_assert_int_eq(net_resolve(&f, false, never, NULL), -EINVAL);
	frame[l3] = 0x65;
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(false, 0, 0, true, 3000);
	put16(l3 + 6, 0x2000);
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(false, 0, 0, true, 10);
	frame[l4 + 12] = 0xf0;                                        /* options beyond the end */
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	frame[l4 + 12] = 0x40;
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(false, 0, 0, false, 10);
	put16(l4 + 4, 19);
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	frame[l3 + 9] = 132;                                          /* SCTP */
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	put16(l3 - 2, 0x0806);
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
}
END_TEST

START_TEST(lies_v6)
{
	uint32_t len = build(true, 0, 8, true, 100);

	ck_assert_int_eq(judge(len, NET_GSO_TCPV6, 50), 0);
	for (uint32_t n = 14; n < headers; n++)
		ck_assert_int_eq(judge(n, NET_GSO_NONE, 0), -EINVAL);
	frame[l3 + 41] = 255;                 /* a header beyond the end */
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(true, 0, 8, true, 100);
	frame[l3 + 6] = 43;                   /* routing, a segment left */
	frame[l3 + 43] = 1;
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	frame[l3 + 43] = 0;
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), 0);
	frame[l3 + 6] = 44;                   /* a fragment */
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(true, 0, 0, true, 2000);
	frame[l3 + 6] = 0;                    /* options as far as the eye can see */
	memset(frame + l4, 0, 2000);
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
	len = build(true, 0, 2048, true, 2000);   /* headers again and again */
	ck_assert_int_eq(judge(len, NET_GSO_TCPV6, 100), 0);
	ck_assert_int_eq(judge(len, NET_GSO_TCPV6, 4), -EINVAL);
	len = build(true, 0, 0, true, 100);
	put16(l3 + 4, 0);                     /* a jumbogram */
	ck_assert_int_eq(judge(len, NET_GSO_NONE, 0), -EINVAL);
}
END_TEST

START_TEST(what_needs_nothing_is_left_alone)
{
	uint32_t len = build(false, 0, 0, true, 10);
	struct net_frame f = { .data = frame, .len = len };

	put16(12, 0x1234);
	ck_assert_int_eq(net_check(&f), 0);
	ck_assert_int_eq(net_ip_version(&f), 0);
	for (unsigned int vlans = 0; vlans < 3; vlans++) {
		f.len = build(vlans & 1, vlans, 0, true, 10);
		ck_assert_int_eq(net_ip_version(&f), vlans ? 0 : 4);
	}
	f.len = NET_FRAME_MIN - 1;
	ck_assert_int_eq(net_check(&f), -EINVAL);
}
END_TEST

/* One flow, one queue; ports make flows. */
START_TEST(flows)
{
	struct net_frame f = { .data = frame, .len = build(true, 0, 0, true, 10) };
	uint32_t a = net_flow_hash(&f);

	frame[headers] ^= 1;
	ck_assert_uint_eq(net_flow_hash(&f), a);
	frame[l4 + 1] ^= 1;
	ck_assert_uint_ne(net_flow_hash(&f), a);
	for (f.len = NET_FRAME_MIN; f.len < 80; f.len++) {
		uint8_t *copy = malloc(f.len); /* so that a sanitizer sees its end */

		memcpy(copy, frame, f.len);
		f.data = copy;
		(void)net_flow_hash(&f);
		free(copy);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("offload");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, gso);
	tcase_add_test(c, checksums);
	tcase_add_test(c, lies);
	tcase_add_test(c, lies_v6);
	tcase_add_test(c, what_needs_nothing_is_left_alone);
	tcase_add_test(c, flows);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
