/* SPDX-License-Identifier: MIT */
/* A saved domain from memory: read to its end or its first error, and what is in its configuration. */
#include "save/private.h"
#include "stream/reader.h"
#include "stream/table.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes { const uint8_t *at; size_t left; };

static int give(void *data, struct iovec *v, int n)
{
	struct bytes *b = data;

	for (int i = 0; i < n; i++) {
		if (v[i].iov_len > b->left)
			return -ENODATA;
		memcpy(v[i].iov_base, b->at, v[i].iov_len);
		b->at += v[i].iov_len;
		b->left -= v[i].iov_len;
	}
	return 0;
}

static uint64_t same(void *data, uint64_t frame)
{
	return frame & 1 ? ~0ull : frame;
}

static void look(struct stream_reader *r, struct pvctl_error *err)
{
	uint64_t page[512], to[512];
	struct iovec v = { page, sizeof(page) };
	volatile uint8_t sum = 0;

	/* All that it says is there may be read. */
	for (uint32_t i = 0; r->rec.body && i < r->rec.len; i++)
		sum += r->rec.body[i];
	if (r->rec.type == LIBXC_PAGE_DATA && r->rec.pages && !stream_reader_pages(r, &v, 1, err))
		(void)table_translate(page, to, page[0] & 7, same, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	const struct stream_source src = { give, &b };
	struct pvctl_error err = { 0 };
	struct pvctl_config *c;
	struct stream_reader r;
	char *text;
	int rc;

	rc = stream_reader_open(&r, &src, &err);
	if (!rc && !libxl_json_parse(r.config, &c, &err)) {
		if (!libxl_json_make(c, libxl_json_domid(r.config), &text, &err))
			pvctl_free(text);
		pvctl_config_free(c);
	}
	while (!rc) {
		rc = stream_reader_next(&r, &err);
		if (rc <= 0)
			break;
		look(&r, &err);
		rc = 0;
	}
	if (rc < 0 && !err.msg[0])
		abort();
	stream_reader_close(&r);
	return 0;
}
