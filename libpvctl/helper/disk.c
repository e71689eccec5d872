/* SPDX-License-Identifier: MIT */
/* The one disk: a file, a block device, or an image that qemu-nbd serves. Above it, the volumes of LVM's that are on it. */
#include "bootloader/nbd.h"
#include "helper.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Offsets that no disk has. */
#define MAP_BASE (1ull << 62)
#define MAP_SHIFT 56
#define MAX_MAPS 32u
_Static_assert(LVM_MAX_BYTES < 1ull << MAP_SHIFT, "a volume fits");

static uint64_t disk_size;
static bool is_nbd;
static const struct lvm_volume *maps[MAX_MAPS];
static unsigned int n_maps;

static int nbd_send(void *data, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = send(HELPER_DISK_FD, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int nbd_recv(void *data, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(HELPER_DISK_FD, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static struct boot_nbd server = { .send = nbd_send, .recv = nbd_recv };

int disk_open(bool nbd)
{
	off_t end;

	is_nbd = nbd;
	if (nbd) {
		if (boot_nbd_open(&server))
			give_up(-EIO, "qemu-nbd does not serve the image");
		disk_size = server.bytes;
		return disk_size ? 0 : -EINVAL;
	}
	end = lseek(HELPER_DISK_FD, 0, SEEK_END);
	if (end <= 0)
		return -EINVAL;
	disk_size = (uint64_t)end;
	return 0;
}

uint64_t disk_bytes(void)
{
	return disk_size;
}

static int read_nbd(uint64_t offset, void *buf, size_t len)
{
	int rc = boot_nbd_read(&server, offset, buf, len);

	if (rc && rc != -EIO)
		give_up(-EIO, "qemu-nbd ended while the image was read: it is damaged");
	return rc;
}

static int read_file(uint64_t offset, uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = pread(HELPER_DISK_FD, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_plain(uint64_t offset, void *buf, size_t len)
{
	if (offset > disk_size || len > disk_size - offset)
		return -EIO;
	return is_nbd ? read_nbd(offset, buf, len) : read_file(offset, buf, len);
}

static int read_mapped(const struct lvm_volume *v, uint64_t at, uint8_t *p, size_t len)
{
	if (at > v->bytes || len > v->bytes - at)
		return -EIO;
	while (len) {
		uint64_t bytes, from = lvm_where(v, at, &bytes);
		size_t part = bytes < len ? (size_t)bytes : len;
		int rc = read_plain(from, p, part);

		if (rc)
			return rc;
		p += part;
		at += part;
		len -= part;
	}
	return 0;
}

int disk_read(uint64_t offset, void *buf, size_t len)
{
	uint64_t map = (offset - MAP_BASE) >> MAP_SHIFT;

	if (offset < MAP_BASE)
		return read_plain(offset, buf, len);
	return map < n_maps ? read_mapped(maps[map], (offset - MAP_BASE) & ((1ull << MAP_SHIFT) - 1), buf, len) : -EIO;
}

uint64_t disk_map(const struct lvm_volume *v)
{
	if (n_maps == MAX_MAPS)
		return 0;
	maps[n_maps] = v;
	return MAP_BASE + ((uint64_t)n_maps++ << MAP_SHIFT);
}

int write_at(int fd, const void *p, size_t len, uint64_t at)
{
	const uint8_t *from = p;

	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EFBIG ? -E2BIG : -ENOSPC;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}
