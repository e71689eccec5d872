/* SPDX-License-Identifier: MIT */
#include "image/decompress.h"
#include "util/err.h"
#include <bzlib.h>
#include <limits.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define STEP (1u << 20)                /* least room made at a time */
#define XZ_MEMORY_LIMIT (256ull << 20)

static const struct {
	enum compression c;
	uint8_t len, magic[9];
	const char *name;
} formats[] = {
	{ COMPRESSION_GZIP, 2, { 0x1f, 0x8b }, "gzip" },
	{ COMPRESSION_BZIP2, 3, "BZh", "bzip2" },
	{ COMPRESSION_XZ, 6, { 0xfd, '7', 'z', 'X', 'Z', 0 }, "xz" },
	{ COMPRESSION_LZMA, 3, { 0x5d, 0, 0 }, "lzma" },
	{ COMPRESSION_LZO, 9, { 0x89, 'L', 'Z', 'O', 0, '\r', '\n', 0x1a, '\n' }, "lzo" },
	{ COMPRESSION_LZ4, 4, { 0x02, 0x21, 0x4c, 0x18 }, "lz4" },
	{ COMPRESSION_ZSTD, 4, { 0x28, 0xb5, 0x2f, 0xfd }, "zstd" },
};
#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

enum compression decompress_detect(const uint8_t *p, size_t len)
{
	unsigned int i;

	for (i = 0; i < N_FORMATS; i++)
		if (len >= formats[i].len && memcmp(p, formats[i].magic, formats[i].len) == 0)
			return formats[i].c;
	return COMPRESSION_NONE;
}

const char *decompress_name(enum compression c)
{
	unsigned int i;

	for (i = 0; i < N_FORMATS; i++)
		if (formats[i].c == c)
			return formats[i].name;
	return "uncompressed";
}

size_t decompress_limit(size_t len)
{
	size_t limit;

	if (__builtin_mul_overflow(len, (size_t)200, &limit) || limit > DECOMPRESS_LIMIT - (64u << 20))
		return DECOMPRESS_LIMIT;
	return limit + (64u << 20);
}

/* Free room behind out->len, at least a byte, up to INT_MAX. */
static int room(struct buf *out, size_t *ret)
{
	size_t left = out->limit - out->len;
	int rc;

	if (out->len == out->cap) {
		rc = buf_reserve(out, left && left < STEP ? left : STEP);
		if (rc)
			return rc;
	}
	*ret = out->cap - out->len;
	if (*ret > INT_MAX)
		*ret = INT_MAX;
	return 0;
}

static int unpack_gzip(const uint8_t *in, size_t len, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)len };
	int rc, st = Z_OK;
	size_t n;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return -ENOMEM;
	do {
		rc = room(out, &n);
		if (rc)
			break;
		z.next_out = out->data + out->len;
		z.avail_out = (uInt)n;
		st = inflate(&z, Z_NO_FLUSH);
		out->len += n - z.avail_out;
		if (st != Z_OK && st != Z_STREAM_END)
			rc = st == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
	} while (!rc && st != Z_STREAM_END);
	inflateEnd(&z);
	return rc;
}

static int unpack_bzip2(const uint8_t *in, size_t len, struct buf *out)
{
	bz_stream z = { .next_in = (char *)(uintptr_t)in, .avail_in = (unsigned int)len };
	int rc, st = BZ_OK;
	size_t n;

	if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK)
		return -ENOMEM;
	do {
		rc = room(out, &n);
		if (rc)
			break;
		z.next_out = (char *)out->data + out->len;
		z.avail_out = (unsigned int)n;
		st = BZ2_bzDecompress(&z);
		out->len += n - z.avail_out;
		if (st == BZ_OK && z.avail_in == 0 && z.avail_out)
			rc = -EINVAL; /* cut off: the library would wait for more */
		else if (st != BZ_OK && st != BZ_STREAM_END)
			rc = st == BZ_MEM_ERROR ? -ENOMEM : -EINVAL;
	} while (!rc && st != BZ_STREAM_END);
	BZ2_bzDecompressEnd(&z);
	return rc;
}

static int unpack_lzma(enum compression c, const uint8_t *in, size_t len, struct buf *out)
{
	lzma_stream z = LZMA_STREAM_INIT;
	lzma_ret st;
	size_t n;
	int rc;

	st = c == COMPRESSION_XZ ? lzma_stream_decoder(&z, XZ_MEMORY_LIMIT, 0) : lzma_alone_decoder(&z, XZ_MEMORY_LIMIT);
	if (st != LZMA_OK)
		return -ENOMEM;
	z.next_in = in;
	z.avail_in = len;
	do {
		rc = room(out, &n);
		if (rc)
			break;
		z.next_out = out->data + out->len;
		z.avail_out = n;
		st = lzma_code(&z, LZMA_RUN);
		out->len += n - z.avail_out;
		if (st == LZMA_OK && z.avail_in == 0 && z.avail_out)
			rc = -EINVAL;
		else if (st == LZMA_MEM_ERROR || st == LZMA_MEMLIMIT_ERROR)
			rc = -ENOMEM;
		else if (st != LZMA_OK && st != LZMA_STREAM_END)
			rc = -EINVAL;
	} while (!rc && st != LZMA_STREAM_END);
	lzma_end(&z);
	return rc;
}

static int unpack_zstd(const uint8_t *in, size_t len, struct buf *out)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer src = { in, len, 0 };
	size_t n, left = 1, before;
	int rc = 0;

	if (!z)
		return -ENOMEM;
	while (left) {
		ZSTD_outBuffer dst;

		rc = room(out, &n);
		if (rc)
			break;
		dst = (ZSTD_outBuffer){ out->data + out->len, n, 0 };
		before = src.pos;
		left = ZSTD_decompressStream(z, &dst, &src);
		out->len += dst.pos;
		if (ZSTD_isError(left) || (left && dst.pos == 0 && src.pos == before))
			rc = -EINVAL;
		if (rc)
			break;
	}
	ZSTD_freeDCtx(z);
	return rc;
}

static int unpack(enum compression c, const uint8_t *in, size_t len, struct buf *out)
{
	switch (c) {
	case COMPRESSION_GZIP: return unpack_gzip(in, len, out);
	case COMPRESSION_BZIP2: return unpack_bzip2(in, len, out);
	case COMPRESSION_LZMA: case COMPRESSION_XZ: return unpack_lzma(c, in, len, out);
	case COMPRESSION_ZSTD: return unpack_zstd(in, len, out);
	case COMPRESSION_LZ4: return unpack_lz4(in, len, out);
	case COMPRESSION_LZO: return unpack_lzo(in, len, out);
	default: return -EINVAL;
	}
}

int decompress(enum compression c, const uint8_t *in, size_t len, size_t hint, struct buf *out,
               struct pvctl_error *err)
{
	int rc;

	out->len = 0;
	if (!out->limit)
		out->limit = decompress_limit(len);
	if (len > INT_MAX)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_IMAGE, "a packed image of more than 2 GiB");
	/* One byte more than announced, so that the end is seen without growing. */
	if (hint && hint < out->limit && buf_reserve(out, hint + 1))
		return err_nomem(err);
	rc = unpack(c, in, len, out);
	if (rc == -E2BIG)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_IMAGE, "%s: unpacks to more than %zu MiB", decompress_name(c),
		               out->limit >> 20);
	if (rc == -ENOMEM)
		return err_nomem(err);
	if (rc)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "%s: the packed data is damaged or cut off", decompress_name(c));
	return 0;
}

int decompress_payload(const uint8_t *in, size_t len, struct buf *out, struct pvctl_error *err)
{
	enum compression c = decompress_detect(in, len);
	uint32_t size;
	int rc;

	if (c == COMPRESSION_NONE || len < 8)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE, "the kernel is packed in an unknown way");
	memcpy(&size, in + len - 4, sizeof(size));
	rc = decompress(c, in, c == COMPRESSION_GZIP ? len : len - 4, size, out, err);
	if (rc)
		return rc;
	if (out->len != size)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "%s: unpacks to %zu bytes, %u are announced",
		               decompress_name(c), out->len, size);
	return 0;
}
