/* SPDX-License-Identifier: MIT */
#include "stream/writer.h"
#include <endian.h>
#include <errno.h>
#include <string.h>

static int put(struct stream_writer *w, struct iovec *v, int n)
{
	uint64_t len = 0;
	int i, rc;

	for (i = 0; i < n; i++)
		len += v[i].iov_len;
	rc = w->sink.write(w->sink.data, v, n);
	if (!rc)
		w->offset += len;
	return rc;
}

int stream_write_start(struct stream_writer *w, uint32_t type, const char *json, uint32_t xen_major, uint32_t xen_minor)
{
	uint32_t json_len = (uint32_t)strlen(json) + 1;
	struct xl_head xl = { .byte_order = XL_BYTE_ORDER, .mandatory_flags = XL_FLAG_JSON | XL_FLAG_STREAM_V2,
	                      .optional_len = (uint32_t)sizeof(json_len) + json_len };
	struct libxl_head libxl = { htobe64(LIBXL_IDENT), htobe32(LIBXL_VERSION), 0 };
	struct record_head libxc = { .type = LIBXL_LIBXC_CONTEXT };
	struct libxc_image_head image = { .marker = LIBXC_MARKER, .id = htobe32(LIBXC_ID), .version = htobe32(LIBXC_VERSION) };
	struct libxc_domain_head domain = { .type = type, .page_shift = 12, .xen_major = xen_major, .xen_minor = xen_minor };
	struct iovec v[] = {
		{ &xl, sizeof(xl) }, { &json_len, sizeof(json_len) }, { (void *)(uintptr_t)json, json_len },
		{ &libxl, sizeof(libxl) }, { &libxc, sizeof(libxc) }, { &image, sizeof(image) }, { &domain, sizeof(domain) },
	};

	if (json_len > STREAM_MAX_CONFIG - sizeof(json_len))
		return -E2BIG;
	memcpy(xl.magic, XL_MAGIC, XL_MAGIC_LEN);
	return put(w, v, (int)(sizeof(v) / sizeof(v[0])));
}

int stream_write_record(struct stream_writer *w, uint32_t type, const void *a, size_t a_len, const void *b, size_t b_len)
{
	static const uint8_t zero[8];
	struct record_head h = { .type = type, .len = (uint32_t)(a_len + b_len) };
	struct iovec v[] = {
		{ &h, sizeof(h) }, { (void *)(uintptr_t)a, a_len }, { (void *)(uintptr_t)b, b_len },
		{ (void *)(uintptr_t)zero, RECORD_PADDED(h.len) - h.len },
	};

	if (a_len > UINT32_MAX - 8 - b_len)
		return -E2BIG;
	return put(w, v, 4);
}

int stream_write_pages(struct stream_writer *w, const uint64_t *pfns, uint32_t count, struct iovec *data, int n)
{
	struct { struct record_head h; struct rec_pages p; } head = { { .type = LIBXC_PAGE_DATA }, { .count = count } };
	uint64_t pages = 0, list[2 + STREAM_WRITE_PAGES];
	int i;

	if (!count || count > STREAM_WRITE_PAGES)
		return -EINVAL;
	for (i = 1; i < n; i++)
		pages += data[i].iov_len / STREAM_PAGE;
	head.h.len = (uint32_t)(sizeof(head.p) + count * 8ull + pages * STREAM_PAGE);
	memcpy(list, &head, sizeof(head));
	memcpy(list + 2, pfns, count * 8ull);
	data[0] = (struct iovec){ list, (2 + count) * 8ull };
	return put(w, data, n);
}

int stream_write_end(struct stream_writer *w)
{
	struct record_head libxc = { .type = LIBXC_END }, libxl = { .type = LIBXL_END };
	struct iovec v[] = { { &libxc, sizeof(libxc) }, { &libxl, sizeof(libxl) } };

	return put(w, v, 2);
}
