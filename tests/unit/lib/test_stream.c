/* SPDX-License-Identifier: MIT */
/* Streams that are written are read as what they were; what is wrong is said with its place; configurations in xl's form. */
#include "save/private.h"
#include "stream/table.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[1 << 20];
static size_t len, at;
static struct pvctl_error err;

static int take(void *data, struct iovec *v, int n)
{
	for (int i = 0; i < n; i++) {
		ck_assert(v[i].iov_len <= sizeof(bytes) - len);
		if (v[i].iov_len)
			memcpy(bytes + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	return 0;
}

static int give(void *data, struct iovec *v, int n)
{
	for (int i = 0; i < n; i++) {
		if (v[i].iov_len > len - at)
			return -ENODATA;
		memcpy(v[i].iov_base, bytes + at, v[i].iov_len);
		at += v[i].iov_len;
	}
	return 0;
}

static struct stream_writer w;
static struct stream_reader r;
static const struct stream_source src = { give, NULL };

static void start(void)
{
	const struct rec_pv_info info = { .width = 8, .levels = 4 };

	len = at = 0;
	w = (struct stream_writer){ .sink = { take, NULL } };
	ck_assert_int_eq(stream_write_start(&w, LIBXC_DOMAIN_PV, "{\"a\": 1}", 4, 17), 0);
	ck_assert_int_eq(stream_write_record(&w, LIBXC_PV_INFO, &info, sizeof(info), NULL, 0), 0);
}

static void put_p2m(void)
{
	struct { struct rec_p2m h; uint64_t pfn[2]; } p = { { .end = 600 }, { 3, 4 } };

	ck_assert_int_eq(stream_write_record(&w, LIBXC_PV_P2M_FRAMES, &p, sizeof(p), NULL, 0), 0);
}

static int next(void)
{
	return stream_reader_next(&r, &err);
}

/* 0 at its end, or a code */
static int read_all(void)
{
	int rc = stream_reader_open(&r, &src, &err);

	while (!rc) {
		rc = next();
		if (rc <= 0)
			break;
		rc = 0;
	}
	stream_reader_close(&r);
	return rc;
}

START_TEST(there_and_back)
{
	static uint8_t page[3][STREAM_PAGE], got[3][STREAM_PAGE];
	const uint64_t list[] = { 5, 6ull | (uint64_t)PFN_XALLOC << 60, 7ull | 9ull << 60, 8, 9ull | 15ull << 60 };
	struct iovec v[3] = { { 0 }, { page, 2 * STREAM_PAGE }, { page[2], STREAM_PAGE } }, in = { got, sizeof(got) };
	const struct rec_pages *p;

	memset(page[0], 1, STREAM_PAGE);
	memset(page[1], 2, STREAM_PAGE);
	memset(page[2], 3, STREAM_PAGE);
	start();
	put_p2m();
	ck_assert_int_eq(stream_write_pages(&w, list, 5, v, 3), 0);
	ck_assert_int_eq(stream_write_record(&w, 0x80000077, "optional", 5, NULL, 0), 0);
	ck_assert_int_eq(stream_write_end(&w), 0);
	ck_assert_uint_eq(w.offset, len);

	ck_assert_int_eq(stream_reader_open(&r, &src, &err), 0);
	ck_assert_str_eq(r.config, "{\"a\": 1}");
	ck_assert_int_eq(next(), 1);
	ck_assert_uint_eq(r.rec.type, LIBXC_PV_INFO);
	ck_assert_int_eq(next(), 1);
	ck_assert_uint_eq(r.rec.type, LIBXC_PV_P2M_FRAMES);
	ck_assert_int_eq(next(), 1);
	ck_assert_uint_eq(r.rec.type, LIBXC_PAGE_DATA);
	p = (const void *)r.rec.body;
	ck_assert_uint_eq(p->count, 5);
	ck_assert_uint_eq(r.rec.pages, 3);
	ck_assert(!memcmp(p->pfn, list, sizeof(list)));
	ck_assert_int_eq(stream_reader_pages(&r, &in, 1, &err), 0);
	ck_assert(!memcmp(page, got, sizeof(page)));
	ck_assert_int_eq(stream_reader_pages(&r, &in, 1, &err), -EINVAL);
	ck_assert_int_eq(next(), 1);
	ck_assert(r.rec.type == 0x80000077 && !r.rec.body);
	ck_assert_int_eq(next(), 0);
	ck_assert_int_eq(next(), 0);
	ck_assert_uint_eq(at, len);
	stream_reader_close(&r);
}
END_TEST

/* The end at each of its bytes: an error each time, with an offset, and nothing else. */
START_TEST(cut_anywhere)
{
	size_t whole;

	start();
	put_p2m();
	ck_assert_int_eq(stream_write_end(&w), 0);
	whole = len;
	at = 0;
	ck_assert_int_eq(read_all(), 0);
	for (len = 0; len < whole; len++) {
		at = 0;
		ck_assert_int_eq(read_all(), -EPROTO);
		ck_assert_ptr_nonnull(strstr(err.msg, "offset 0x"));
		ck_assert_ptr_nonnull(strstr(err.msg, "the stream ends here"));
	}
}
END_TEST

static void refused(const char *what)
{
	char want[60];

	ck_assert_int_eq(stream_write_end(&w), 0);
	at = 0;
	ck_assert_int_eq(read_all(), -EPROTO);
	snprintf(want, sizeof(want), "record %s at offset 0x", what);
	ck_assert_msg(strstr(err.msg, want), "%s", err.msg);
}

START_TEST(order_and_size)
{
	static const uint8_t zero[STREAM_PAGE + 64];
	const struct rec_pv_info narrow = { .width = 4, .levels = 3 };
	const uint64_t odd[] = { 1, 7ull << 60 }, reserved[] = { 1, 1ull << 54 }, far[] = { 1, 1ull << 40 };

	start();
	stream_write_record(&w, LIBXC_PAGE_DATA, odd, 8, NULL, 0);
	refused("PAGE_DATA");
	start();
	put_p2m();
	stream_write_record(&w, LIBXC_PAGE_DATA, odd, 16, NULL, 0);
	refused("PAGE_DATA");
	start();
	put_p2m();
	stream_write_record(&w, LIBXC_PAGE_DATA, reserved, 16, zero, STREAM_PAGE);
	refused("PAGE_DATA");
	start();
	put_p2m();
	stream_write_record(&w, LIBXC_PAGE_DATA, far, 16, zero, STREAM_PAGE);
	refused("PAGE_DATA");
	start();
	put_p2m();
	stream_write_record(&w, LIBXC_PAGE_DATA, zero, 8, NULL, 0);
	refused("PAGE_DATA");
	start();
	stream_write_record(&w, LIBXC_PV_INFO, &narrow, sizeof(narrow), NULL, 0);
	refused("X86_PV_INFO");
	start();
	stream_write_record(&w, LIBXC_SHARED_INFO, zero, STREAM_PAGE - 8, NULL, 0);
	refused("SHARED_INFO");
	start();
	put_p2m();
	stream_write_record(&w, LIBXC_PV_VCPU_BASIC, zero, 100, NULL, 0);
	refused("X86_PV_VCPU_BASIC");
	start();
	stream_write_record(&w, LIBXC_CHECKPOINT, NULL, 0, NULL, 0);
	refused("CHECKPOINT");
	start();
	stream_write_record(&w, 0x33, NULL, 0, NULL, 0);
	refused("of an unknown type");
	start();
	stream_write_record(&w, LIBXC_STATIC_DATA_END, NULL, 0, NULL, 0);
	stream_write_record(&w, LIBXC_CPUID_POLICY, zero, 24, NULL, 0);
	refused("X86_CPUID_POLICY");
}
END_TEST

static uint64_t plus_ten(void *data, uint64_t frame)
{
	return frame == 13 ? ~0ull : frame + 10;
}

START_TEST(tables)
{
	uint64_t from[TABLE_ENTRIES] = { [0] = 5ull << 12 | 0x67, [1] = 6ull << 12, [2] = 1ull << 63 | 7ull << 12 | 0x25,
	                                 [260] = 13ull << 12 | 1 }, to[TABLE_ENTRIES];

	ck_assert_uint_eq(table_translate(from, to, 1, plus_ten, NULL), 260);
	ck_assert_uint_eq(table_translate(from, to, 4, plus_ten, NULL), TABLE_ENTRIES);
	ck_assert_uint_eq(to[0], 15ull << 12 | 0x67);
	ck_assert_uint_eq(to[1], from[1]);
	ck_assert_uint_eq(to[2], 1ull << 63 | 17ull << 12 | 0x25);
	ck_assert_uint_eq(to[260], 0);
}
END_TEST

START_TEST(xl_configuration)
{
	const char *own = "{\"name\": \"web1\", \"uuid\": \"d2c99634-b7db-4080-b779-31dd481eaf00\", \"memory\": 128, \"maxmem\": 256, "
	                  "\"vcpus\": 1, \"maxvcpus\": 2, \"kernel\": \"/k\", \"on_crash\": \"preserve\", "
	                  "\"disk\": [\"format=raw,vdev=xvda,access=ro,target=/d,x.img\", \"/e,qcow2,xvdb,w\"], \"vif\": [\"mac=00:16:3e:00:00:01,bridge=br0\"]}";
	struct pvctl_config *a, *b;
	char *text, *again;

	ck_assert_int_eq(pvctl_config_from_json("{\"name\": \"web1\"}", &a, &err), 0);
	pvctl_config_free(a);
	if (pvctl_config_from_json(own, &a, &err))
		ck_abort_msg("%s", err.msg);
	ck_assert_int_eq(libxl_json_make(a, 7, &text, &err), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"target_memkb\":131072"));
	ck_assert_ptr_nonnull(strstr(text, "\"vdev\":\"xvdb\""));
	if (libxl_json_parse(text, &b, &err))
		ck_abort_msg("%s", err.msg);
	ck_assert_int_eq(libxl_json_make(b, libxl_json_domid(text), &again, &err), 0);
	ck_assert_str_eq(text, again);
	ck_assert_str_eq(pvctl_config_get_str(b, "on_crash"), "preserve");
	pvctl_free(text);
	pvctl_free(again);
	pvctl_config_free(a);
	pvctl_config_free(b);
	ck_assert_int_eq(libxl_json_parse("{\"c_info\": {\"type\": \"hvm\"}, \"b_info\": {\"max_memkb\": 4096}}", &b, &err), -EPROTO);
	ck_assert_int_eq(libxl_json_parse("{\"c_info\": {\"name\": \"x\"}}", &b, &err), -EPROTO);
	ck_assert_int_lt(libxl_json_parse("[]", &b, &err), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("stream");
	SRunner *run = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, cut_anywhere);
	tcase_add_test(tc, order_and_size);
	tcase_add_test(tc, tables);
	tcase_add_test(tc, xl_configuration);
	suite_add_tcase(s, tc);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
