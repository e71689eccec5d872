/* SPDX-License-Identifier: MIT */
/* A share's ring and its messages against what a hostile frontend may put there. */
#include "pvctld/p9/ring.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/io/9pfs.h>

static struct xen_9pfs_data_intf *intf;
static uint8_t *bytes;
static struct p9_ring ring;

static void setup(void)
{
	intf = calloc(1, 4096);
	bytes = calloc(2, 4096);
	p9_ring_init(&ring, intf, bytes, 1);
}

static void teardown(void)
{
	free(intf);
	free(bytes);
}

static void send_bytes(const void *msg, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		ring.out[(intf->out_prod + i) & (ring.size - 1)] = ((const uint8_t *)msg)[i];
	intf->out_prod += len;
}

static uint32_t header(uint8_t *msg, uint32_t size, uint8_t type, uint16_t tag)
{
	msg[0] = (uint8_t)size;
	msg[1] = (uint8_t)(size >> 8);
	msg[2] = (uint8_t)(size >> 16);
	msg[3] = (uint8_t)(size >> 24);
	msg[4] = type;
	msg[5] = (uint8_t)tag;
	msg[6] = (uint8_t)(tag >> 8);
	return size;
}

START_TEST(impossible)
{
	static const uint32_t prods[] = { 4097, 0x80000000, 0xffffffff };
	static const uint32_t sizes[] = { 0, 6, 4097, 0x7fffffff, 0xffffffff };
	uint8_t h[P9_HEADER], msg[P9_HEADER];

	ck_assert_uint_eq(ring.size, 4096);
	ck_assert_int_eq(p9_ring_next(&ring, h), 0);
	for (unsigned int i = 0; i < 3; i++) {
		intf->out_prod = prods[i];
		ck_assert_int_eq(p9_ring_next(&ring, h), -EPROTO);
	}
	for (unsigned int i = 0; i < 5; i++) {
		intf->out_prod = 0;
		header(msg, sizes[i], 120, 1);
		send_bytes(msg, sizeof(msg));
		ck_assert_int_eq(p9_ring_next(&ring, h), -EPROTO);
	}
	intf->in_cons = 1; /* more than was put */
	ck_assert_uint_eq(p9_ring_space(&ring), 0);
}
END_TEST

START_TEST(whole_messages)
{
	uint8_t msg[4096], got[4096], h[P9_HEADER];

	intf->out_prod = intf->out_cons = 0xfffffff0u;
	p9_ring_init(&ring, intf, bytes, 1);
	for (uint32_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i * 7);
	header(msg, 4096, 118, 9);
	send_bytes(msg, 4095);
	ck_assert_int_eq(p9_ring_next(&ring, h), 0);
	send_bytes(msg + 4095, 1);
	ck_assert_int_eq(p9_ring_next(&ring, h), 4096);
	/* What the size was when it was checked counts, not what it becomes. */
	ring.out[0xff0] = 1;
	p9_ring_take(&ring, h, got, 4096);
	p9_ring_took(&ring);
	ck_assert_mem_eq(got, msg, sizeof(msg));
	ck_assert_uint_eq(intf->out_cons, 0xff0);
	ck_assert_int_eq(p9_ring_next(&ring, h), 0);
}
END_TEST

START_TEST(replies)
{
	uint8_t msg[P9_RLERROR_SIZE];

	p9_make_error(msg, 0x1234, 5);
	ck_assert_mem_eq(msg, "\13\0\0\0\7\x34\x12\5\0\0\0", sizeof(msg));
	ck_assert_uint_eq(p9_ring_space(&ring), 4096);
	for (unsigned int i = 0; i < 4096 / sizeof(msg); i++)
		p9_ring_put(&ring, msg, sizeof(msg));
	ck_assert_uint_lt(p9_ring_space(&ring), sizeof(msg));
	intf->in_cons = intf->in_prod;
	ck_assert_uint_eq(p9_ring_space(&ring), 4096);
	p9_ring_put(&ring, msg, sizeof(msg)); /* over the end */
	ck_assert_mem_eq(ring.in, msg + (4096 - 372 * sizeof(msg)), sizeof(msg) - (4096 - 372 * sizeof(msg)));
}
END_TEST

static int attach(const char *uname, const char *aname, uint8_t *msg, uint32_t extra)
{
	uint32_t u = (uint32_t)strlen(uname), a = (uint32_t)strlen(aname), at = P9_HEADER + 8;

	memset(msg, 0, 300);
	msg[at] = (uint8_t)u;
	memcpy(msg + at + 2, uname, u);
	at += 2 + u;
	msg[at] = (uint8_t)a;
	memcpy(msg + at + 2, aname, a);
	at += 2 + a + 4;
	header(msg, at + extra, P9_TATTACH, 3);
	return p9_attach_rewrite(msg, at + extra, 300, "/share", 1000);
}

START_TEST(attaching)
{
	uint8_t msg[300];

	ck_assert_int_eq(attach("root", "", msg, 0), P9_HEADER + 8 + 2 + 2 + 6 + 4);
	ck_assert_uint_eq(p9_get32(msg), P9_HEADER + 8 + 2 + 2 + 6 + 4);
	ck_assert_mem_eq(msg + P9_HEADER + 8, "\0\0\6\0/share\350\3\0\0", 14);
	ck_assert_int_gt(attach("root", "//sub", msg, 0), 0);
	ck_assert_mem_eq(msg + P9_HEADER + 8, "\0\0\12\0/share/sub\350\3\0\0", 18);
	ck_assert_int_eq(attach("root", "", msg, 1), -EPROTO);
	/* Every cut, and lengths that lead out of it. */
	for (uint32_t len = P9_HEADER; len < P9_HEADER + 8 + 4 + 4; len++) {
		memset(msg, 0xff, sizeof(msg));
		ck_assert_int_eq(p9_attach_rewrite(msg, len, 300, "/share", 1), -EPROTO);
		memset(msg, 0, sizeof(msg));
		ck_assert_int_eq(p9_attach_rewrite(msg, len, 300, "/share", 1), -EPROTO);
	}
	/* It becomes longer than there is room for. */
	memset(msg, 0, sizeof(msg));
	ck_assert_int_eq(p9_attach_rewrite(msg, P9_HEADER + 16, P9_HEADER + 16, "/share", 1), -EPROTO);
}
END_TEST

static int end(struct p9_inflight *f, uint8_t type, uint16_t tag)
{
	uint8_t msg[P9_HEADER];

	header(msg, sizeof(msg), type, tag);
	return p9_inflight_end(f, msg);
}

static int begin(struct p9_inflight *f, uint8_t type, uint16_t tag, uint16_t old, uint8_t on)
{
	uint8_t msg[9];
	uint32_t size = type == P9_TFLUSH ? 9 : 7;

	header(msg, size, type, tag);
	msg[7] = (uint8_t)old;
	msg[8] = (uint8_t)(old >> 8);
	return p9_inflight_add(f, msg, size, on);
}

START_TEST(tags)
{
	struct p9_inflight f = { 0 };
	uint8_t msg[P9_HEADER];

	ck_assert_int_eq(begin(&f, 116, 1, 0, 2), 0);
	ck_assert_int_eq(begin(&f, 116, 2, 0, 3), 0);
	ck_assert_int_eq(begin(&f, 118, 1, 0, 0), -EPROTO);
	ck_assert_int_eq(end(&f, 117, 7), -ENOENT);
	ck_assert_int_eq(end(&f, 117, 2), 3);
	ck_assert_int_eq(end(&f, 117, 2), -ENOENT);
	/* A flush: what it flushed gets no answer. */
	ck_assert_int_eq(begin(&f, P9_TFLUSH, 5, 1, 1), 0);
	ck_assert_int_eq(end(&f, P9_RFLUSH, 5), 1);
	ck_assert_uint_eq(f.n, 0);
	/* Of itself, and of nothing. */
	ck_assert_int_eq(begin(&f, P9_TFLUSH, 5, 5, 1), 0);
	ck_assert_int_eq(end(&f, P9_RFLUSH, 5), 1);
	ck_assert_int_eq(begin(&f, P9_TFLUSH, 5, 77, 1), 0);
	ck_assert_int_eq(end(&f, P9_RFLUSH, 5), 1);
	header(msg, sizeof(msg), P9_TFLUSH, 1);
	ck_assert_int_eq(p9_inflight_add(&f, msg, sizeof(msg), 0), -EPROTO);
	/* A new session forgets the old one's. */
	ck_assert_int_eq(begin(&f, 116, 1, 0, 2), 0);
	ck_assert_int_eq(begin(&f, P9_TVERSION, P9_NOTAG, 0, 0), 0);
	ck_assert_uint_eq(f.n, 1);
	ck_assert_int_eq(begin(&f, P9_TVERSION, P9_NOTAG, 0, 0), 0);
	ck_assert_uint_eq(f.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("p9");
	TCase *t = tcase_create("p9");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, impossible);
	tcase_add_test(t, whole_messages);
	tcase_add_test(t, replies);
	tcase_add_test(t, attaching);
	tcase_add_test(t, tags);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
