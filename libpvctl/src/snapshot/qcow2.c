/* SPDX-License-Identifier: MIT */
#include "snapshot/private.h"
#include "util/cleanup.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 65536u
#define V2_LENGTH 72u
#define EXT_END 0u
#define EXT_BASE_FORMAT 0xe2792acau

static uint32_t be32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t be64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

/* In the names of QEMU's drivers. */
static int format_of(const uint8_t *name, size_t len, enum disk_format *ret)
{
	for (int f = DISK_RAW; f <= DISK_QED; f++) {
		const char *driver = disk_format_driver((enum disk_format)f);

		if (strlen(driver) == len && !memcmp(driver, name, len)) {
			*ret = (enum disk_format)f;
			return 0;
		}
	}
	return -EINVAL;
}

static int find_format(const uint8_t *head, size_t len, enum disk_format *ret)
{
	size_t at = be32_at(head + 4) >= 3 && len >= 104 ? be32_at(head + 100) : V2_LENGTH;

	while (at + 8 <= len) {
		uint32_t type = be32_at(head + at), n = be32_at(head + at + 4);

		at += 8;
		if (type == EXT_END || n > len - at)
			break;
		if (type == EXT_BASE_FORMAT)
			return format_of(head + at, n, ret);
		at += ((size_t)n + 7) & ~(size_t)7;
	}
	return -EINVAL;
}

int qcow2_base_of(const void *data, size_t len, const char *path, char base[DISK_TARGET_MAX + 1], enum disk_format *ret_format)
{
	const uint8_t *head = data;
	const char *slash = strrchr(path, '/');
	uint64_t at;
	uint32_t n;
	int dir = slash ? (int)(slash - path) + 1 : 0;

	if (len < V2_LENGTH || memcmp(head, "QFI\xfb", 4))
		return -EINVAL;
	at = be64_at(head + 8);
	n = be32_at(head + 16);
	base[0] = '\0';
	if (!at)
		return 0;
	if (!n || at > len || n > len - at || memchr(head + at, '\0', n))
		return -EINVAL;
	/* As QEMU has it, a name without a slash in front is beside the image. */
	if (head[at] == '/')
		dir = 0;
	if ((size_t)dir + n > DISK_TARGET_MAX)
		return -ENAMETOOLONG;
	snprintf(base, DISK_TARGET_MAX + 1, "%.*s%.*s", dir, path, (int)n, (const char *)head + at);
	return find_format(head, len, ret_format);
}

int qcow2_base(const char *path, char base[DISK_TARGET_MAX + 1], enum disk_format *ret_format)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	CLEANUP_FREE uint8_t *head = malloc(HEAD_MAX);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = head ? pread(fd, head, HEAD_MAX, 0) : -1;
	return n < 0 ? -EIO : qcow2_base_of(head, (size_t)n, path, base, ret_format);
}
