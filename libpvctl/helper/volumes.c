/* SPDX-License-Identifier: MIT */
/* The disk, and the file systems on it. */
#include "helper.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct volume volumes[MAX_FS];
unsigned int n_volumes;
static uint64_t disk_size;
static char foreign[200];    /* what was seen and is not read here */
static bool foreign_by_grub;

int disk_open(void)
{
	off_t end = lseek(HELPER_DISK_FD, 0, SEEK_END);

	if (end <= 0)
		return -EINVAL;
	disk_size = (uint64_t)end;
	return 0;
}

int disk_read(uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;

	if (offset > disk_size || len > disk_size - offset)
		return -EIO;
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

static int source_read(void *data, uint64_t offset, void *buf, size_t len)
{
	return disk_read(offset, buf, len);
}

static void note_foreign(const struct partition *p)
{
	size_t used = strlen(foreign);
	bool grub = false;
	const char *name = foreign_name(p->offset, p->bytes, &grub);

	if (!name || used > sizeof(foreign) - 60)
		return;
	foreign_by_grub = foreign_by_grub || grub;
	if (p->number)
		snprintf(foreign + used, sizeof(foreign) - used, "%spartition %u is %s", used ? ", " : "", p->number, name);
	else
		snprintf(foreign + used, sizeof(foreign) - used, "it is %s", name);
}

static void try_volume(const struct partition *p)
{
	struct volume *v = &volumes[n_volumes];

	if (n_volumes >= MAX_FS)
		return;
	memset(v, 0, sizeof(*v));
	v->part = *p;
	if (ext_open(p->offset, p->bytes, &v->fs) == 0 || fat_open(p->offset, p->bytes, &v->fs) == 0)
		n_volumes++;
	else
		note_foreign(p);
}

const char *volumes_foreign(char *buf, size_t size)
{
	if (!foreign[0])
		return "";
	snprintf(buf, size, "; %s, which is not read here%s", foreign,
	         foreign_by_grub ? " (firmware=\"pvgrub64\" reads it, inside the domain)" : "");
	return buf;
}

static void none_found(int table, unsigned int n)
{
	char more[320];

	give_up(-ENOENT, "no file system that can be read (ext2, ext3, ext4 or FAT); partition table: %s, %u partitions%s",
	        partitions_name(table), n, volumes_foreign(more, sizeof(more)));
}

static void find_at(uint64_t offset)
{
	struct partition p = { 0, offset, 0, false };

	if (offset >= disk_size)
		give_up(-EINVAL, "--offset=%llu: the disk has %llu bytes", (unsigned long long)offset,
		        (unsigned long long)disk_size);
	p.bytes = disk_size - offset;
	try_volume(&p);
	if (n_volumes == 0)
		none_found(PART_NONE, 0);
}

void volumes_find(uint64_t offset)
{
	struct part_source src = { source_read, NULL, disk_size };
	static struct partition part[PARTITIONS_MAX];
	const struct partition whole = { 0, 0, disk_size, false };
	unsigned int n = 0, i;
	uint8_t magic[4];
	int table;

	if (disk_read(0, magic, sizeof(magic)))
		give_up(-EIO, "the disk cannot be read");
	if (memcmp(magic, "QFI\xfb", 4) == 0)
		give_up(-EINVAL, "this is a qcow2 image; a raw disk is needed");
	if (offset)
		return find_at(offset);
	table = partitions_read(&src, part, &n);
	if (table < 0)
		give_up(table, "the partition table cannot be read");
	for (i = 0; i < n; i++) /* the active one first */
		if (part[i].active)
			try_volume(&part[i]);
	for (i = 0; i < n; i++)
		if (!part[i].active)
			try_volume(&part[i]);
	if (n_volumes == 0)
		try_volume(&whole);
	if (n_volumes == 0)
		none_found(table, n);
}

static bool is_root(struct volume *v, const char *root)
{
	const char *digits = root + strlen(root);

	if (strncmp(root, "UUID=", 5) == 0)
		return strcasecmp(root + 5, v->fs.uuid) == 0;
	if (strncmp(root, "LABEL=", 6) == 0)
		return strcmp(root + 6, v->fs.label) == 0;
	if (strncmp(root, "FILE=", 5) == 0)
		return v->fs.ops->kind(&v->fs, root + 5) == 1;
	/* hd0,gpt1, hd0,1; GRUB legacy's numbers are one less, and tried after the config's own volume */
	while (digits > root && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return digits > root && digits[-1] != 'd' && (uint32_t)atoi(digits) == v->part.number;
}

struct volume *volumes_with_file(struct volume *home, const char *root, const char *path)
{
	unsigned int i;

	for (i = 0; root && i < n_volumes; i++)
		if (is_root(&volumes[i], root) && volumes[i].fs.ops->kind(&volumes[i].fs, path) == 1)
			return &volumes[i];
	if (home && home->fs.ops->kind(&home->fs, path) == 1)
		return home;
	for (i = 0; i < n_volumes; i++)
		if (volumes[i].fs.ops->kind(&volumes[i].fs, path) == 1)
			return &volumes[i];
	return NULL;
}
