/* SPDX-License-Identifier: MIT */
#include "stream/reader.h"
#include "stream/records.h"
#include "util/err.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_bytes(struct stream_reader *r, void *p, size_t len)
{
	struct iovec v = { p, len };
	int rc = len ? r->src.read(r->src.data, &v, 1) : 0;

	if (!rc)
		r->offset += len;
	return rc;
}

static int broken(const struct stream_reader *r, struct pvctl_error *err, int rc, const char *what)
{
	if (rc == -ENODATA)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "%s at offset 0x%llx: the stream ends here", what,
		               (unsigned long long)r->offset);
	return err_os(err, -rc, "%s at offset 0x%llx: reading", what, (unsigned long long)r->offset);
}

int stream_fail(const struct stream_reader *r, struct pvctl_error *err, int code, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, code, PVCTL_ORIGIN_IMAGE, "record %s at offset 0x%llx: %s", stream_record_name(r->libxl, r->rec.type),
	               (unsigned long long)r->rec.offset, text);
}

int stream_wrap(const struct stream_reader *r, struct pvctl_error *err, int code)
{
	return err_wrap(err, code, "record %s at offset 0x%llx", stream_record_name(r->libxl, r->rec.type),
	                (unsigned long long)r->rec.offset);
}

static int record_broken(const struct stream_reader *r, struct pvctl_error *err, int rc)
{
	if (rc == -ENODATA)
		return stream_fail(r, err, -EPROTO, "the stream ends here");
	return stream_fail(r, err, rc, "reading: %s", strerror(-rc));
}

static int skip(struct stream_reader *r, uint64_t len)
{
	uint8_t waste[4096];
	size_t n;
	int rc = 0;

	for (; len && !rc; len -= n) {
		n = len < sizeof(waste) ? (size_t)len : sizeof(waste);
		rc = read_bytes(r, waste, n);
	}
	return rc;
}

static int head_fail(const struct stream_reader *r, struct pvctl_error *err, const char *what, const char *why)
{
	return err_set(err, -EPROTO, PVCTL_ORIGIN_IMAGE, "%s before offset 0x%llx: %s", what, (unsigned long long)r->offset, why);
}

/* A length and that many bytes of JSON; more may follow it one day. */
static int read_config(struct stream_reader *r, uint32_t all, struct pvctl_error *err)
{
	uint32_t len = 0;
	int rc = 0;

	if (all > STREAM_MAX_CONFIG)
		return head_fail(r, err, "xl's header", "its configuration is too long");
	if (all >= sizeof(len))
		rc = read_bytes(r, &len, sizeof(len));
	if (!rc && all >= sizeof(len) && len > all - sizeof(len))
		return head_fail(r, err, "xl's header", "its configuration is longer than what holds it");
	if (rc)
		return broken(r, err, rc, "xl's configuration");
	r->config = calloc(1, (size_t)len + 1);
	if (!r->config)
		return err_nomem(err);
	rc = read_bytes(r, r->config, len);
	if (!rc)
		rc = skip(r, all >= sizeof(len) ? all - sizeof(len) - len : all);
	return rc ? broken(r, err, rc, "xl's configuration") : 0;
}

static int read_xl(struct stream_reader *r, struct pvctl_error *err)
{
	struct xl_head h;
	int rc = read_bytes(r, &h, sizeof(h));

	if (rc)
		return broken(r, err, rc, "xl's header");
	if (memcmp(h.magic, XL_MAGIC, XL_MAGIC_LEN) != 0)
		return head_fail(r, err, "xl's header", "this is no saved domain");
	if (h.byte_order != XL_BYTE_ORDER)
		return head_fail(r, err, "xl's header", "it is of a machine with another byte order");
	if (h.mandatory_flags & ~(XL_FLAG_JSON | XL_FLAG_STREAM_V2))
		return head_fail(r, err, "xl's header", "it asks for what is not known here");
	if (!(h.mandatory_flags & XL_FLAG_STREAM_V2))
		return head_fail(r, err, "xl's header", "it is of a release before Xen 4.6");
	rc = read_config(r, h.optional_len, err);
	if (!rc && !(h.mandatory_flags & XL_FLAG_JSON))
		r->config[0] = '\0';
	return rc;
}

static int read_libxl(struct stream_reader *r, struct pvctl_error *err)
{
	struct libxl_head h;
	int rc = read_bytes(r, &h, sizeof(h));

	if (rc)
		return broken(r, err, rc, "libxl's header");
	if (be64toh(h.ident) != LIBXL_IDENT || be32toh(h.version) != LIBXL_VERSION)
		return head_fail(r, err, "libxl's header", "not a libxl stream of version 2");
	if (be32toh(h.options) != 0)
		return head_fail(r, err, "libxl's header", "big-endian, or converted from a legacy stream");
	return 0;
}

static int read_libxc(struct stream_reader *r, struct pvctl_error *err)
{
	struct libxc_image_head h;
	struct libxc_domain_head d;
	int rc = read_bytes(r, &h, sizeof(h));

	if (!rc)
		rc = read_bytes(r, &d, sizeof(d));
	if (rc)
		return broken(r, err, rc, "libxc's headers");
	r->version = be32toh(h.version);
	if (h.marker != LIBXC_MARKER || be32toh(h.id) != LIBXC_ID || (r->version != 2 && r->version != 3))
		return head_fail(r, err, "libxc's headers", "not a libxc stream of version 2 or 3");
	if (be16toh(h.options) & LIBXC_OPT_BIG_ENDIAN)
		return head_fail(r, err, "libxc's headers", "big-endian");
	if (d.type != LIBXC_DOMAIN_PV && d.type != LIBXC_DOMAIN_HVM)
		return head_fail(r, err, "libxc's headers", "neither a PV nor a PVH domain");
	if (d.page_shift != 12)
		return head_fail(r, err, "libxc's headers", "pages are not of 4 KiB");
	r->hvm = d.type == LIBXC_DOMAIN_HVM;
	/* It names its pages without a list. */
	r->info = r->p2m = r->hvm;
	return 0;
}

static int grow(struct stream_reader *r, size_t len, struct pvctl_error *err)
{
	size_t cap = (len + STREAM_PAGE) & ~(size_t)(STREAM_PAGE - 1);
	uint8_t *p;

	if (cap <= r->cap)
		return 0;
	p = realloc(r->buf, cap);
	if (!p)
		return err_nomem(err);
	r->buf = p;
	r->cap = cap;
	return 0;
}

static int read_head(struct stream_reader *r, struct pvctl_error *err)
{
	struct record_head h;
	int rc;

	memset(&r->rec, 0, sizeof(r->rec));
	r->rec.offset = r->offset;
	rc = read_bytes(r, &h, sizeof(h));
	if (rc)
		return broken(r, err, rc, "the next record");
	r->rec.type = h.type;
	r->rec.len = h.len;
	return 0;
}

static int read_body(struct stream_reader *r, uint64_t len, struct pvctl_error *err)
{
	int rc = grow(r, len, err);

	if (rc)
		return rc;
	rc = read_bytes(r, r->buf, len);
	if (rc)
		return record_broken(r, err, rc);
	r->rec.body = r->buf;
	return 0;
}

/* The list alone; the pages stay in the stream for stream_reader_pages. */
static int read_pages_head(struct stream_reader *r, struct pvctl_error *err)
{
	const struct rec_pages *p;
	uint64_t len = r->rec.len;
	uint32_t i, count, data = 0;
	int rc;

	if (len < sizeof(*p))
		return stream_fail(r, err, -EPROTO, "too short");
	rc = read_body(r, sizeof(*p), err);
	if (rc)
		return rc;
	count = ((const struct rec_pages *)(const void *)r->buf)->count;
	if (!count || count > r->max_pages || len < sizeof(*p) + count * 8ull)
		return stream_fail(r, err, -EPROTO, "%u pages do not fit its %llu bytes", count, (unsigned long long)len);
	rc = grow(r, sizeof(*p) + count * 8ull, err);
	if (rc)
		return rc;
	r->rec.body = r->buf;
	p = (const struct rec_pages *)(const void *)r->buf;
	rc = read_bytes(r, r->buf + sizeof(*p), count * 8ull);
	if (rc)
		return record_broken(r, err, rc);
	for (i = 0; i < count; i++) {
		if (!pfn_type_known(PFN_TYPE(p->pfn[i])) || PFN_RESERVED(p->pfn[i]))
			return stream_fail(r, err, -EPROTO, "page %u of it is of no known type", i);
		if (r->hvm && pfn_type_level(PFN_TYPE(p->pfn[i])))
			return stream_fail(r, err, -EPROTO, "page %u of it is a page table, of which the domain has its own", i);
		if (PFN_NUMBER(p->pfn[i]) >= STREAM_MAX_PFNS)
			return stream_fail(r, err, -EPROTO, "pfn 0x%llx is too large", (unsigned long long)PFN_NUMBER(p->pfn[i]));
		data += (uint32_t)pfn_type_has_data(PFN_TYPE(p->pfn[i]));
	}
	if (len != sizeof(*p) + count * 8ull + (uint64_t)data * STREAM_PAGE)
		return stream_fail(r, err, -EPROTO, "%llu bytes are not what %u pages with data need", (unsigned long long)len, data);
	r->rec.len = (uint32_t)(sizeof(*p) + count * 8ull);
	r->rec.pages = r->pages_left = data;
	return 0;
}

static int read_libxc_record(struct stream_reader *r, struct pvctl_error *err)
{
	int rc = stream_check_record(r, err);

	if (rc < 0)
		return rc;
	if (rc == STREAM_PASS_OVER) {
		rc = skip(r, RECORD_PADDED(r->rec.len));
		return rc ? record_broken(r, err, rc) : 0;
	}
	if (r->rec.type == LIBXC_PAGE_DATA)
		return read_pages_head(r, err);
	rc = read_body(r, RECORD_PADDED(r->rec.len), err);
	return rc ? rc : stream_check_body(r, err);
}

/* Behind the domain's own state. What an emulator has there is of no use without it, and is never a PV or PVH guest's. */
static int read_tail(struct stream_reader *r, struct pvctl_error *err)
{
	int rc;

	for (;;) {
		rc = read_head(r, err);
		if (rc)
			return rc;
		if (r->rec.type == LIBXL_END)
			return r->rec.len ? stream_fail(r, err, -EPROTO, "it has a body") : 0;
		if (r->rec.type != LIBXL_EMULATOR_XENSTORE_DATA && !(r->rec.type & RECORD_OPTIONAL))
			return stream_fail(r, err, -EPROTO, "not for a PV or PVH domain");
		if (r->rec.len > STREAM_MAX_CONFIG)
			return stream_fail(r, err, -EPROTO, "too long");
		rc = skip(r, RECORD_PADDED(r->rec.len));
		if (rc)
			return record_broken(r, err, rc);
	}
}

int stream_reader_next(struct stream_reader *r, struct pvctl_error *err)
{
	int rc = 0;

	if (r->pages_left) {
		rc = skip(r, (uint64_t)r->pages_left * STREAM_PAGE);
		r->pages_left = 0;
		if (rc)
			return record_broken(r, err, rc);
	}
	if (r->ended)
		return 0;
	rc = read_head(r, err);
	if (!rc)
		rc = read_libxc_record(r, err);
	if (rc)
		return rc;
	if (r->rec.type != LIBXC_END)
		return 1;
	r->libxl = r->ended = true;
	return read_tail(r, err);
}

int stream_reader_pages(struct stream_reader *r, struct iovec *v, int n, struct pvctl_error *err)
{
	uint64_t len = 0;
	int i, rc;

	for (i = 0; i < n; i++)
		len += v[i].iov_len;
	if (len % STREAM_PAGE || len / STREAM_PAGE > r->pages_left)
		return stream_fail(r, err, -EINVAL, "more pages than it has");
	rc = r->src.read(r->src.data, v, n);
	if (rc)
		return record_broken(r, err, rc);
	r->offset += len;
	r->pages_left -= (uint32_t)(len / STREAM_PAGE);
	return 0;
}

int stream_reader_open(struct stream_reader *r, const struct stream_source *src, struct pvctl_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->src = *src;
	r->max_pages = STREAM_MAX_PAGES;
	rc = read_xl(r, err);
	if (!rc)
		rc = read_libxl(r, err);
	r->libxl = true;
	if (!rc)
		rc = read_head(r, err);
	if (!rc && (r->rec.type != LIBXL_LIBXC_CONTEXT || r->rec.len))
		rc = stream_fail(r, err, -EPROTO, "the domain's state was to begin here");
	r->libxl = false;
	return rc ? rc : read_libxc(r, err);
}

void stream_reader_close(struct stream_reader *r)
{
	free(r->config);
	free(r->buf);
	memset(r, 0, sizeof(*r));
}
