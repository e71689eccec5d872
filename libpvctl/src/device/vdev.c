/* SPDX-License-Identifier: MIT */
/* Names of disks as guests see them, to numbers as xen-vbd-interface(7) has them. */
#include "device/disk_spec.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XVD_MAJOR 202u
#define SD_MAJOR 8u
#define EXTENDED (1u << 28)
#define MAX_DISKS (1u << 20)

static int number(const char **at, uint32_t max, uint32_t *ret)
{
	uint32_t n = 0;
	const char *p = *at;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint32_t)(*p - '0');
		if (n > max)
			return -EINVAL;
	}
	*at = p;
	*ret = n;
	return 0;
}

/* a, b ... z, aa, ab ... */
static int letters(const char **at, uint32_t *ret)
{
	uint32_t n = 0;
	const char *p = *at;

	if (*p < 'a' || *p > 'z')
		return -EINVAL;
	for (; *p >= 'a' && *p <= 'z'; p++) {
		n = n * 26 + (uint32_t)(*p - 'a') + 1;
		if (n > MAX_DISKS)
			return -EINVAL;
	}
	*at = p;
	*ret = n - 1;
	return 0;
}

static int xvd(uint32_t disk, uint32_t part, uint32_t *ret)
{
	if (disk >= MAX_DISKS || part > 255)
		return -EINVAL;
	*ret = disk < 16 && part < 16 ? XVD_MAJOR << 8 | disk << 4 | part : EXTENDED | disk << 8 | part;
	return 0;
}

static int hd(uint32_t disk, uint32_t part, uint32_t *ret)
{
	if (disk > 3 || part > 63)
		return -EINVAL;
	*ret = (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
	return 0;
}

static int sd(uint32_t disk, uint32_t part, uint32_t *ret)
{
	if (disk > 15 || part > 15)
		return -EINVAL;
	*ret = SD_MAJOR << 8 | disk << 4 | part;
	return 0;
}

/* Small ones are what NetBSD's frontend is told: 0x0, 0x1. */
static int by_number(const char *name, uint32_t *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(name, &end, 0);
	if (errno || *end || n >= 2ul * EXTENDED)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

int disk_vdev_parse(const char *name, uint32_t *ret)
{
	uint32_t disk, part = 0;
	const char *at = name;
	bool with_p = false;

	if (*at >= '0' && *at <= '9')
		return by_number(name, ret);
	if (at[0] == 'd' && at[1] >= '0' && at[1] <= '9') {
		at++;
		if (number(&at, MAX_DISKS, &disk))
			return -EINVAL;
		with_p = *at == 'p';
		at += with_p;
		if (with_p && number(&at, 255, &part))
			return -EINVAL;
		return *at ? -EINVAL : xvd(disk, part, ret);
	}
	at += !strncmp(name, "xvd", 3) ? 3 : !strncmp(name, "sd", 2) || !strncmp(name, "hd", 2) ? 2 : 0;
	if (at == name || letters(&at, &disk))
		return -EINVAL;
	if (*at && (*at == '0' || number(&at, 255, &part) || *at))
		return -EINVAL;
	if (name[0] == 'x')
		return xvd(disk, part, ret);
	return name[0] == 's' ? sd(disk, part, ret) : hd(disk, part, ret);
}
