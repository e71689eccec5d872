/* SPDX-License-Identifier: MIT */
#include "device/qcow2.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_MAX 65536u
#define V2_LENGTH 72u
#define SIZE_AT 24u
#define V3_LENGTH 104u
#define EXT_END 0u
#define EXT_BASE_FORMAT 0xe2792acau
#define EXT_FEATURE_NAMES 0x6803f857u
#define NAME_MAX_BYTES 1023u       /* of what it is based on, as QEMU has it */
#define NEW_CLUSTER_BITS 16u
#define NEW_L1_MAX (1u << 22)      /* entries: QEMU takes no longer table */

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
	size_t at = be32_at(head + 4) >= 3 && len >= V3_LENGTH ? be32_at(head + 100) : V2_LENGTH;

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

int qcow2_bytes(const char *path, uint64_t *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint8_t size[8];
	int rc = fd < 0 ? -errno : fd_pread_all(fd, size, sizeof(size), SIZE_AT);

	if (!rc)
		*ret = be64_at(size);
	return rc;
}

/* A table of the image: whole, and where a cluster may begin. */
static bool lies_in(uint64_t at, uint64_t bytes, uint32_t cluster_bits, uint64_t file_bytes)
{
	if (!at || at & ((1ull << cluster_bits) - 1))
		return false;
	return !file_bytes || (at <= file_bytes && bytes <= file_bytes - at);
}

/* Of extensions only the base's format, once, and names for people. */
static bool plain_extensions(const uint8_t *head, size_t at, size_t end)
{
	unsigned int formats = 0;

	while (at < end) {
		uint32_t type, n;

		if (end - at < 8)
			return false;
		type = be32_at(head + at);
		n = be32_at(head + at + 4);
		at += 8;
		if (type == EXT_END)
			return true;
		if (n > end - at || (type != EXT_BASE_FORMAT && type != EXT_FEATURE_NAMES) || (type == EXT_BASE_FORMAT && formats++))
			return false;
		at += ((size_t)n + 7) & ~(size_t)7;
	}
	return at == end;
}

/* Where it has one, it is named by a path: QEMU takes what has a colon before its first slash for a protocol. */
static bool plain_base(const uint8_t *head, size_t len)
{
	uint64_t at = be64_at(head + 8);
	uint32_t n = be32_at(head + 16);

	if (!at)
		return true;
	if (!n || n > NAME_MAX_BYTES || at > len || n > len - at)
		return false;
	for (uint32_t i = 0; i < n && head[at + i] != '/'; i++)
		if (head[at + i] == ':')
			return false;
	return true;
}

int qcow2_plain_of(const void *data, size_t len, uint64_t file_bytes, const char *path, struct qcow2_plain *ret)
{
	uint32_t version, bits, length = V2_LENGTH;
	const uint8_t *head = data;
	uint64_t bytes, base;
	int rc;

	if (len < V3_LENGTH || memcmp(head, "QFI\xfb", 4))
		return -EINVAL;
	version = be32_at(head + 4);
	bits = be32_at(head + 20);
	bytes = be64_at(head + SIZE_AT);
	base = be64_at(head + 8);
	if (version == 3)
		length = be32_at(head + 100);
	if ((version != 2 && version != 3) || bits < 9 || bits > 21 || !bytes || bytes % 512 || bytes > INT64_MAX || be32_at(head + 32))
		return -EINVAL;
	if (version == 3 && (be64_at(head + 72) || be32_at(head + 96) > 6 || length < V3_LENGTH || length % 8))
		return -EINVAL;
	if (len > 1u << bits)
		len = 1u << bits;
	if (length > len || (base && base < length) || !plain_base(head, len) || !plain_extensions(head, length, base ? base : len))
		return -EINVAL;
	if (be32_at(head + 36) < (bytes - 1) / (1ull << (2 * bits - 3)) + 1)
		return -EINVAL;
	if (!lies_in(be64_at(head + 40), be32_at(head + 36) * 8ull, bits, file_bytes) ||
	    !lies_in(be64_at(head + 48), (uint64_t)be32_at(head + 56) << bits, bits, file_bytes))
		return -EINVAL;
	ret->bytes = bytes;
	ret->base_format = DISK_RAW;
	rc = qcow2_base_of(head, len, path, ret->base, &ret->base_format);
	return rc || (ret->base[0] && ret->base[0] != '/') ? -EINVAL : 0;
}

int qcow2_plain(const char *path, struct qcow2_plain *ret)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	CLEANUP_FREE uint8_t *head = malloc(HEAD_MAX);
	struct stat st;
	ssize_t n;

	if (fd < 0 || !head || fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return -EINVAL;
	n = pread(fd, head, HEAD_MAX, 0);
	return n <= 0 ? -EINVAL : qcow2_plain_of(head, (size_t)n, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, path, ret);
}

/* ---- a new one ---- */

static void put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* Clusters: the header; the table of counts; counts; the first level of the map, with nothing in it. */
int qcow2_overlay_of(const char *base, enum disk_format format, uint64_t bytes, struct qcow2_new *ret)
{
	const uint64_t each = (uint64_t)QCOW2_NEW_CLUSTER / 8 * QCOW2_NEW_CLUSTER, l1 = (bytes + each - 1) / each;
	const uint64_t clusters = 3 + (l1 * 8 + QCOW2_NEW_CLUSTER - 1) / QCOW2_NEW_CLUSTER;
	const char *driver = disk_format_driver(format);
	size_t n = strlen(base), at = V3_LENGTH;
	uint8_t *h = ret->head;

	if (base[0] != '/' || n > NAME_MAX_BYTES || !bytes || bytes % 512 || l1 > NEW_L1_MAX || clusters * 2 > QCOW2_NEW_MAX)
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	memcpy(h, "QFI\xfb", 4);
	put32(h + 4, 3);
	put32(h + 16, (uint32_t)n);
	put32(h + 20, NEW_CLUSTER_BITS);
	put64(h + SIZE_AT, bytes);
	put32(h + 36, (uint32_t)l1);
	put64(h + 40, 3ull * QCOW2_NEW_CLUSTER);
	put64(h + 48, 1ull * QCOW2_NEW_CLUSTER);
	put32(h + 56, 1);
	put32(h + 96, 4); /* counts of 16 bits */
	put32(h + 100, V3_LENGTH);
	put32(h + at, EXT_BASE_FORMAT);
	put32(h + at + 4, (uint32_t)strlen(driver));
	memcpy(h + at + 8, driver, strlen(driver));
	at += 8 + ((strlen(driver) + 7) & ~(size_t)7) + 8; /* and their end */
	put64(h + 8, at);
	memcpy(h + at, base, n);
	put64(ret->table, 2ull * QCOW2_NEW_CLUSTER);
	for (uint64_t i = 0; i < clusters; i++)
		ret->counts[2 * i + 1] = 1;
	ret->bytes = clusters * QCOW2_NEW_CLUSTER;
	return 0;
}

static int put(int fd, const void *p, size_t len, off_t at)
{
	ssize_t n = pwrite(fd, p, len, at);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

int qcow2_overlay(int fd, const char *base, enum disk_format format, uint64_t bytes)
{
	struct qcow2_new n;
	int rc = qcow2_overlay_of(base, format, bytes, &n);

	if (!rc && ftruncate(fd, (off_t)n.bytes))
		rc = -errno;
	rc = rc ? rc : put(fd, n.table, sizeof(n.table), QCOW2_NEW_CLUSTER);
	rc = rc ? rc : put(fd, n.counts, sizeof(n.counts), 2 * QCOW2_NEW_CLUSTER);
	return rc ? rc : put(fd, n.head, sizeof(n.head), 0);
}
