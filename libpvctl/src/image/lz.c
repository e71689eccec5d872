/* SPDX-License-Identifier: MIT */
/* The block formats whose framing the libraries leave to us: lz4 "legacy" and lzop, as the kernel's build makes them. */
#include "image/decompress.h"
#include <errno.h>
#include <lz4.h>
#include <lzo/lzo1x.h>
#include <string.h>

#define LZ4_LEGACY_MAGIC 0x184c2102u
#define LZ4_BLOCK (8u << 20)

#define LZOP_ADLER32_D 0x00000001u
#define LZOP_ADLER32_C 0x00000002u
#define LZOP_EXTRA_FIELD 0x00000040u
#define LZOP_CRC32_D 0x00000100u
#define LZOP_CRC32_C 0x00000200u
#define LZOP_FILTER 0x00000800u
#define LZOP_MAX_BLOCK (64u << 20)

int unpack_lz4(const uint8_t *in, size_t len, struct buf *out)
{
	const uint8_t *end = in + len;
	uint32_t n;
	int rc, got;

	if (len < 4)
		return -EINVAL;
	while (end - in >= 4) {
		memcpy(&n, in, 4);
		in += 4;
		if (n == LZ4_LEGACY_MAGIC)
			continue;
		if (n == 0)
			break;
		if (n > (size_t)(end - in) || n > (uint32_t)LZ4_COMPRESSBOUND(LZ4_BLOCK))
			return -EINVAL;
		rc = buf_reserve(out, out->limit - out->len < LZ4_BLOCK ? out->limit - out->len : LZ4_BLOCK);
		if (rc)
			return rc;
		got = LZ4_decompress_safe((const char *)in, (char *)out->data + out->len, (int)n,
		                          out->cap - out->len < LZ4_BLOCK ? (int)(out->cap - out->len) : (int)LZ4_BLOCK);
		if (got < 0)
			return out->limit - out->len < LZ4_BLOCK ? -E2BIG : -EINVAL;
		out->len += (size_t)got;
		in += n;
	}
	return out->len ? 0 : -EINVAL;
}

/* A cursor that remembers having run off the end. */
struct cursor {
	const uint8_t *p, *end;
	int bad;
};

static uint32_t be(struct cursor *c, size_t n)
{
	uint32_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->bad = 1;
		c->p = c->end;
		return 0;
	}
	while (n--)
		v = v << 8 | *c->p++;
	return v;
}

static void skip(struct cursor *c, size_t n)
{
	if ((size_t)(c->end - c->p) < n) {
		c->bad = 1;
		n = (size_t)(c->end - c->p);
	}
	c->p += n;
}

static int lzop_header(struct cursor *c, uint32_t *ret_flags)
{
	uint32_t version, flags;

	skip(c, 9);
	version = be(c, 2);
	skip(c, 2);
	if (version >= 0x0940)
		skip(c, 2);
	skip(c, 1);
	if (version >= 0x0940)
		skip(c, 1);
	flags = be(c, 4);
	if (flags & LZOP_FILTER)
		skip(c, 4);
	skip(c, 8);
	if (version >= 0x0940)
		skip(c, 4);
	skip(c, be(c, 1));
	skip(c, 4);
	if (flags & LZOP_EXTRA_FIELD) {
		skip(c, be(c, 4));
		skip(c, 4);
	}
	*ret_flags = flags;
	return c->bad ? -EINVAL : 0;
}

static int lzop_block(struct cursor *c, uint32_t flags, uint32_t dst, struct buf *out)
{
	uint32_t src = be(c, 4);
	lzo_uint got = dst;
	int rc;

	if (dst > LZOP_MAX_BLOCK || src > dst)
		return -EINVAL;
	skip(c, (flags & LZOP_ADLER32_D ? 4 : 0) + (flags & LZOP_CRC32_D ? 4 : 0));
	if (src < dst)
		skip(c, (flags & LZOP_ADLER32_C ? 4 : 0) + (flags & LZOP_CRC32_C ? 4 : 0));
	if (c->bad || src > (size_t)(c->end - c->p))
		return -EINVAL;
	rc = buf_reserve(out, dst);
	if (rc)
		return rc;
	if (src == dst)
		memcpy(out->data + out->len, c->p, dst);
	else if (lzo1x_decompress_safe(c->p, src, out->data + out->len, &got, NULL) != LZO_E_OK || got != dst)
		return -EINVAL;
	out->len += dst;
	c->p += src;
	return 0;
}

int unpack_lzo(const uint8_t *in, size_t len, struct buf *out)
{
	struct cursor c = { in, in + len, 0 };
	uint32_t flags, dst;
	int rc;

	rc = lzop_header(&c, &flags);
	while (!rc && (dst = be(&c, 4)) != 0)
		rc = lzop_block(&c, flags, dst, out);
	return rc ? rc : c.bad ? -EINVAL : 0;
}
