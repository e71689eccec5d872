/* SPDX-License-Identifier: MIT */
/* After the NBD project's doc/proto.md: fixed newstyle, NBD_OPT_EXPORT_NAME, simple replies. */
#include "bootloader/nbd.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MAGIC 0x4e42444d41474943ull        /* "NBDMAGIC" */
#define OPTION_MAGIC 0x49484156454f5054ull /* "IHAVEOPT" */
#define REQUEST_MAGIC 0x25609513u
#define REPLY_MAGIC 0x67446698u
#define FIXED_NEWSTYLE 1u
#define NO_ZEROES 2u
#define OPT_EXPORT_NAME 1u
#define CMD_READ 0u
#define MAX_REQUEST (1u << 20)

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

int boot_nbd_open(struct boot_nbd *n)
{
	uint8_t hello[18], ask[20], disk[10];
	unsigned int flags;
	int rc = n->recv(n->data, hello, sizeof(hello));

	n->handle = n->cache_at = n->cache_len = 0;
	if (rc)
		return rc;
	flags = (unsigned int)hello[16] << 8 | hello[17];
	if (get64(hello) != MAGIC || get64(hello + 8) != OPTION_MAGIC || !(flags & FIXED_NEWSTYLE) || !(flags & NO_ZEROES))
		return -EPROTO;
	put32(ask, FIXED_NEWSTYLE | NO_ZEROES);
	put64(ask + 4, OPTION_MAGIC);
	put32(ask + 12, OPT_EXPORT_NAME);
	put32(ask + 16, 0);
	rc = n->send(n->data, ask, sizeof(ask));
	rc = rc ? rc : n->recv(n->data, disk, sizeof(disk));
	if (!rc && get64(disk) > INT64_MAX)
		rc = -EPROTO;
	if (!rc)
		n->bytes = get64(disk);
	return rc;
}

static int fetch(struct boot_nbd *n, uint64_t offset, void *buf, size_t len)
{
	uint8_t ask[28] = { 0 }, reply[16];
	int rc;

	put32(ask, REQUEST_MAGIC);
	put32(ask + 4, CMD_READ);
	put64(ask + 8, ++n->handle);
	put64(ask + 16, offset);
	put32(ask + 24, (uint32_t)len);
	rc = n->send(n->data, ask, sizeof(ask));
	rc = rc ? rc : n->recv(n->data, reply, sizeof(reply));
	if (rc)
		return rc;
	if (get32(reply) != REPLY_MAGIC || get64(reply + 8) != n->handle)
		return -EPROTO;
	/* With an error comes no data. */
	return get32(reply + 4) ? -EIO : n->recv(n->data, buf, len);
}

static int fill(struct boot_nbd *n, uint64_t offset)
{
	uint64_t at = offset - offset % BOOT_NBD_CACHE;
	size_t len = n->bytes - at < BOOT_NBD_CACHE ? (size_t)(n->bytes - at) : BOOT_NBD_CACHE;
	int rc;

	n->cache_len = 0;
	rc = fetch(n, at, n->cache, len);
	if (rc)
		return rc;
	n->cache_at = at;
	n->cache_len = len;
	return 0;
}

int boot_nbd_read(struct boot_nbd *n, uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		bool kept = offset >= n->cache_at && offset - n->cache_at < n->cache_len;
		size_t part = len < MAX_REQUEST ? len : MAX_REQUEST;
		int rc = 0;

		if (!kept && len >= BOOT_NBD_CACHE) {
			rc = fetch(n, offset, p, part);
		} else {
			rc = kept ? 0 : fill(n, offset);
			if (!rc && part > n->cache_len - (size_t)(offset - n->cache_at))
				part = n->cache_len - (size_t)(offset - n->cache_at);
			if (!rc)
				memcpy(p, n->cache + (offset - n->cache_at), part);
		}
		if (rc)
			return rc;
		p += part;
		offset += part;
		len -= part;
	}
	return 0;
}
