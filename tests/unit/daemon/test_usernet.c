/* SPDX-License-Identifier: MIT */
/* What user-mode network lets through, and what a tap is told of a frame. */
#include "pvctld/net/tap.h"
#include "pvctld/usernet/usernet.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint8_t f[200];

static void ether(unsigned int type)
{
	memset(f, 0, sizeof(f));
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
}

static size_t ipv4(const char *to, uint8_t protocol, unsigned int port)
{
	ether(0x0800);
	f[14] = 0x45;
	f[17] = 40;
	f[23] = protocol;
	memcpy(f + 30, to, 4);
	f[36] = (uint8_t)(port >> 8);
	f[37] = (uint8_t)port;
	return 54;
}

static size_t ipv6(const char *to, uint8_t next, unsigned int port)
{
	ether(0x86dd);
	f[14] = 0x60;
	f[19] = 20;
	f[20] = next;
	memcpy(f + 38, to, 16);
	f[56] = (uint8_t)(port >> 8);
	f[57] = (uint8_t)port;
	return 74;
}

START_TEST(test_filter_ipv4)
{
	size_t len;

	ck_assert(usernet_may_pass(f, ipv4("\xc0\x00\x02\x01", 6, 80)));
	ck_assert(usernet_may_pass(f, ipv4("\xff\xff\xff\xff", 17, 67)));
	ck_assert(usernet_may_pass(f, ipv4("\x0a\x00\x02\x02", 6, 80)));
	ck_assert(!usernet_may_pass(f, ipv4("\x7f\x00\x00\x01", 6, 80)));
	ck_assert(!usernet_may_pass(f, ipv4("\x7f\xff\x00\x35", 17, 53)));
	ck_assert(!usernet_may_pass(f, ipv4("\x00\x00\x00\x00", 6, 80)));
	ck_assert(usernet_may_pass(f, ipv4("\x0a\x00\x02\x03", 17, 53)));
	ck_assert(usernet_may_pass(f, ipv4("\x0a\x00\x02\x03", 6, 53)));
	ck_assert(!usernet_may_pass(f, ipv4("\x0a\x00\x02\x03", 6, 22)));
	ck_assert(!usernet_may_pass(f, ipv4("\x0a\x00\x02\x03", 1, 53)));
	/* Options move the port; fragments hide it. */
	len = ipv4("\x0a\x00\x02\x03", 6, 53);
	f[14] = 0x46;
	ck_assert(!usernet_may_pass(f, len));
	f[14] = 0x4f;
	ck_assert(!usernet_may_pass(f, 14 + 59));
	f[14] = 0x44;
	ck_assert(!usernet_may_pass(f, len));
	len = ipv4("\x0a\x00\x02\x03", 6, 53);
	f[20] = 0x20;
	ck_assert(!usernet_may_pass(f, len));
	f[20] = 0;
	f[21] = 1;
	ck_assert(!usernet_may_pass(f, len));
}
END_TEST

START_TEST(test_filter_ipv6)
{
	static const char ours[16] = "\xfd", name_server[16] = { (char)0xfd, [15] = 3 }, all[16] = { (char)0xff, 2, [15] = 2 };
	static const char loop[16] = { [15] = 1 }, none[16], mapped[16] = { [10] = -1, -1, 127, 0, 0, 1 };

	ck_assert(usernet_may_pass(f, ipv6(ours, 6, 80)));
	ck_assert(usernet_may_pass(f, ipv6(all, 58, 0)));
	ck_assert(!usernet_may_pass(f, ipv6(loop, 6, 80)));
	ck_assert(!usernet_may_pass(f, ipv6(none, 6, 80)));
	ck_assert(!usernet_may_pass(f, ipv6(mapped, 6, 80)));
	ck_assert(usernet_may_pass(f, ipv6(name_server, 17, 53)));
	ck_assert(usernet_may_pass(f, ipv6(name_server, 58, 0)));
	ck_assert(!usernet_may_pass(f, ipv6(name_server, 6, 22)));
	/* An extension header hides what is behind it. */
	ck_assert(!usernet_may_pass(f, ipv6(name_server, 0, 53)));
}
END_TEST

START_TEST(test_filter_frames)
{
	size_t len = ipv4("\x0a\x00\x02\x03", 17, 53);

	/* Cut at each byte: what is too short is not read beyond. */
	for (size_t n = 0; n <= len; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, f, n);
		ck_assert_int_eq(usernet_may_pass(copy, n), n >= 38);
		free(copy);
	}
	ether(0x0806);
	ck_assert(usernet_may_pass(f, 42));
	ether(0x88f8);
	ck_assert(!usernet_may_pass(f, 42));
	ether(0x8100);
	ck_assert(!usernet_may_pass(f, 60));
}
END_TEST

START_TEST(test_tap_frame)
{
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448 };
	struct net_frame n = { 0 };

	ck_assert(tap_frame(&h, &n));
	ck_assert(n.gso == NET_GSO_TCPV4 && n.gso_size == 1448 && n.csum_blank && n.csum_good);
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN;
	ck_assert(tap_frame(&h, &n) && n.gso == NET_GSO_TCPV6);
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	ck_assert(!tap_frame(&h, &n));
	h = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	ck_assert(tap_frame(&h, &n) && !n.csum_blank && n.csum_good);
}
END_TEST

START_TEST(test_tap_header)
{
	struct net_frame n = { .data = f, .len = (uint32_t)ipv4("\xc0\x00\x02\x01", 6, 80), .csum_blank = true };
	struct virtio_net_hdr h;

	f[46] = 0x50;
	ck_assert(tap_header(&n, &h));
	ck_assert(h.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && h.csum_start == 34 && h.csum_offset == 16 && h.gso_type == VIRTIO_NET_HDR_GSO_NONE);
	n.csum_blank = false;
	n.csum_good = true;
	ck_assert(tap_header(&n, &h) && h.flags == VIRTIO_NET_HDR_F_DATA_VALID);
	/* Neither TCP nor UDP: nothing that could be left blank. */
	n.len = (uint32_t)ipv4("\xc0\x00\x02\x01", 47, 0);
	n.csum_blank = true;
	ck_assert(!tap_header(&n, &h));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("usernet");
	TCase *t = tcase_create("usernet");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, test_filter_ipv4);
	tcase_add_test(t, test_filter_ipv6);
	tcase_add_test(t, test_filter_frames);
	tcase_add_test(t, test_tap_frame);
	tcase_add_test(t, test_tap_header);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
