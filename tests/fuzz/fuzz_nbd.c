/* SPDX-License-Identifier: MIT */
/* The bootloader's NBD client: the input is all that the server says. */
#include "libpvctl/src/bootloader/nbd.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer { const uint8_t *data; size_t left, sent; };

static int on_send(void *data, const void *buf, size_t len)
{
	struct peer *p = data;

	p->sent += len;
	return 0;
}

static int on_recv(void *data, void *buf, size_t len)
{
	struct peer *p = data;

	if (len > p->left)
		return -EPIPE;
	memcpy(buf, p->data, len);
	p->data += len;
	p->left -= len;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t lens[] = { 1, 512, 70000, 4 };
	static uint8_t buf[70000];
	static struct boot_nbd n;
	struct peer p = { data, size, 0 };
	uint64_t at = 0;

	n = (struct boot_nbd){ .send = on_send, .recv = on_recv, .data = &p };
	if (boot_nbd_open(&n))
		return 0;
	for (unsigned int i = 0; i < 64; i++) {
		size_t len = lens[i % 4];

		if (n.bytes < len)
			break;
		at = (at * 3 + 12345) % (n.bytes - len + 1);
		if (boot_nbd_read(&n, at, buf, len) && !p.left)
			break;
		if (n.cache_len > BOOT_NBD_CACHE || n.cache_at > n.bytes || n.cache_len > n.bytes - n.cache_at)
			abort();
	}
	return 0;
}
