/* SPDX-License-Identifier: MIT */
#include "image/bzimage.h"
#include "util/err.h"
#include <string.h>

/* Offsets of the x86 boot protocol's setup header (Linux: Documentation/x86/boot.rst). */
#define OFF_SETUP_SECTS 0x1f1
#define OFF_BOOT_FLAG 0x1fe
#define OFF_MAGIC 0x202
#define OFF_VERSION 0x206
#define OFF_LOADFLAGS 0x211
#define OFF_PAYLOAD_OFFSET 0x248
#define OFF_PAYLOAD_LENGTH 0x24c
#define HEADER_END 0x250
#define LOADED_HIGH 0x01
#define VERSION_PAYLOAD 0x0208 /* first with payload_offset */

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

bool bzimage_probe(const uint8_t *p, size_t len)
{
	return len >= HEADER_END && p[OFF_BOOT_FLAG] == 0x55 && p[OFF_BOOT_FLAG + 1] == 0xaa &&
	       memcmp(p + OFF_MAGIC, "HdrS", 4) == 0;
}

int bzimage_payload(const uint8_t *p, size_t len, size_t *ret_off, size_t *ret_len, struct pvctl_error *err)
{
	uint64_t off, n, setup;
	uint16_t version;

	if (!bzimage_probe(p, len))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "not a bzImage");
	memcpy(&version, p + OFF_VERSION, sizeof(version));
	if (version < VERSION_PAYLOAD)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_IMAGE,
		               "bzImage of boot protocol %u.%02u: older than 2.08, it does not say where its payload is",
		               version >> 8, version & 0xff);
	if (!(p[OFF_LOADFLAGS] & LOADED_HIGH))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "a zImage, not a bzImage");
	/* 0 means 4, for the sake of very old loaders. */
	setup = ((p[OFF_SETUP_SECTS] ? p[OFF_SETUP_SECTS] : 4u) + 1u) * 512u;
	off = setup + le32(p + OFF_PAYLOAD_OFFSET);
	n = le32(p + OFF_PAYLOAD_LENGTH);
	if (n < 8 || off > len || n > len - off)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "bzImage: its payload is outside the file (cut off?)");
	*ret_off = (size_t)off;
	*ret_len = (size_t)n;
	return 0;
}
