/* SPDX-License-Identifier: MIT */
/*
 * An image may be based on another, which is opened by the name that is in it. Only what libpvctl judged is
 * followed: a base whose format the image names. Of a raw one nothing is read: its guest wrote it.
 */
#include "chain.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_CHAIN 32
#define MAX_NAME 1023u
#define MAX_EXTENSIONS 64
#define QCOW_MAGIC 0x514649fbu      /* "QFI\xfb" */
#define QED_MAGIC 0x00444551u       /* "QED", little-endian */
#define EXT_BASE_FORMAT 0xe2792acau

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool read_name(int fd, uint64_t at, uint32_t len, char name[MAX_NAME + 1])
{
	if (!at || !len || len > MAX_NAME || at > INT64_MAX || pread(fd, name, len, (off_t)at) != (ssize_t)len)
		return false;
	name[len] = '\0';
	return strlen(name) == len;
}

/* "" when it is not told. */
static void base_format(int fd, uint32_t version, uint32_t at, char format[16])
{
	uint8_t h[8];

	format[0] = '\0';
	if (version < 3)
		at = 72;
	for (int i = 0; i < MAX_EXTENSIONS && pread(fd, h, sizeof(h), at) == sizeof(h); i++) {
		uint32_t type = be32(h), len = be32(h + 4);

		if (!type || len > 65536)
			return;
		if (type == EXT_BASE_FORMAT && len < 16 && pread(fd, format, len, at + 8) == (ssize_t)len) {
			format[len] = '\0';
			return;
		}
		at += 8 + ((len + 7) & ~7u);
	}
}

/* The next of the chain: its name, and whether there may be one after it. */
static bool find_base(int fd, char name[MAX_NAME + 1], bool *ret_more)
{
	uint8_t h[104] = { 0 };
	char format[16] = "";

	if (pread(fd, h, sizeof(h), 0) < 72)
		return false;
	*ret_more = false;
	if (le32(h) == QED_MAGIC)
		return read_name(fd, le32(h + 56), le32(h + 60), name);
	if (be32(h) != QCOW_MAGIC || be32(h + 4) > 3)
		return false;
	if (be32(h + 4) > 1)
		base_format(fd, be32(h + 4), be32(h + 100), format);
	*ret_more = format[0] && strcmp(format, "raw");
	return read_name(fd, (uint64_t)be32(h + 8) << 32 | be32(h + 12), be32(h + 16), name);
}

/* As QEMU does: beside the image that names it. */
static char *beside(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');
	char *path;

	if (name[0] == '/' || !slash)
		return strdup(name);
	return asprintf(&path, "%.*s%s", (int)(slash + 1 - image), image, name) < 0 ? NULL : path;
}

void chain_open(const char *path, bool writable)
{
	char name[MAX_NAME + 1];
	bool more = true;

	for (int i = 0; i < MAX_CHAIN && path; i++) {
		/* O_NONBLOCK: a FIFO must not hold it up. What cannot be opened the program will say. */
		int fd = open(path, (writable && !i ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY);

		if (fd < 0 && !i) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			exit(1);
		}
		if (fd < 0)
			return;
		jail_open(fd, path);
		/* The last is opened as well. */
		if (!more || !find_base(fd, name, &more))
			return;
		path = beside(path, name);
	}
}
