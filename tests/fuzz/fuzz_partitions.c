/* SPDX-License-Identifier: MIT */
/* Partition tables: the input is the disk's beginning, and the first two bytes its size in 64 KiB. */
#include "libpvctl/src/bootloader/partitions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input { const uint8_t *data; size_t size; };

static int read_disk(void *data, uint64_t offset, void *buf, size_t len)
{
	const struct input *in = data;
	size_t n = offset >= in->size ? 0 : in->size - offset < len ? in->size - offset : len;

	memset(buf, 0, len);
	memcpy(buf, in->data + (n ? offset : 0), n);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data + 2, size - 2 };
	struct part_source src = { read_disk, &in, 0 };
	struct partition p[PARTITIONS_MAX];
	unsigned int n, i;

	if (size < 2)
		return 0;
	src.bytes = ((uint64_t)data[0] | (uint64_t)data[1] << 8) << 16;
	if (partitions_read(&src, p, &n) < 0)
		return 0;
	for (i = 0; i < n; i++)
		if (n > PARTITIONS_MAX || !p[i].bytes || p[i].offset >= src.bytes || p[i].bytes > src.bytes - p[i].offset)
			abort();
	return 0;
}
