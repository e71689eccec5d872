/* SPDX-License-Identifier: MIT */
/* The file systems on the disk. */
#include "helper.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct volume volumes[MAX_FS];
unsigned int n_volumes;
static char foreign[400];    /* what was seen and is not read here */
static bool foreign_by_grub;

static int source_read(void *data, uint64_t offset, void *buf, size_t len)
{
	return disk_read(offset, buf, len);
}

static void note(const struct partition *p, const struct lvm_volume *lv, const char *name, bool grub)
{
	size_t used = strlen(foreign);
	char *at = foreign + used;

	if (used > sizeof(foreign) - 160)
		return;
	foreign_by_grub = foreign_by_grub || grub;
	if (lv)
		snprintf(at, sizeof(foreign) - used, "%sLVM's %.80s is %.60s", used ? ", " : "", lv->name, name);
	else if (p->number)
		snprintf(at, sizeof(foreign) - used, "%spartition %u is %.60s", used ? ", " : "", p->number, name);
	else
		snprintf(at, sizeof(foreign) - used, "%sit is %.60s", used ? ", " : "", name);
}

static bool try_fs(const struct partition *p, const struct lvm_volume *lv)
{
	struct volume *v = &volumes[n_volumes];
	const char *name;
	bool grub = false;

	if (n_volumes >= MAX_FS)
		return false;
	memset(v, 0, sizeof(*v));
	v->part = *p;
	v->lv = lv;
	if (ext_open(p->offset, p->bytes, &v->fs) == 0 || fat_open(p->offset, p->bytes, &v->fs) == 0 ||
	    iso_open(p->offset, p->bytes, &v->fs) == 0) {
		n_volumes++;
		return true;
	}
	name = foreign_name(p->offset, p->bytes, &grub);
	if (name)
		note(p, lv, name, grub);
	return name != NULL;
}

/* One physical volume: what it has is the rest of a boot disk. */
static int try_lvm(const struct partition *p)
{
	static struct lvm_volume lvs[LVM_MAX_VOLUMES];
	static bool taken;
	const struct part_source src = { source_read, NULL, disk_bytes() };
	unsigned int n, i;
	int rc = taken ? -ENOENT : lvm_read(&src, p->offset, p->bytes, lvs, &n);

	taken = taken || !rc;
	for (i = 0; !rc && i < n; i++) {
		struct partition inside = { p->number, 0, lvs[i].bytes, p->active };

		if (lvs[i].refused)
			note(p, &lvs[i], lvs[i].refused, true);
		else if ((inside.offset = disk_map(&lvs[i])))
			(void)try_fs(&inside, &lvs[i]);
	}
	return rc;
}

static void try_volume(const struct partition *p)
{
	int rc = try_lvm(p);

	if (rc == -ENOENT)
		(void)try_fs(p, NULL);
	else if (rc)
		note(p, NULL, rc == -E2BIG ? "LVM, beyond the limits" : "LVM, and damaged", true);
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
	char more[600];

	give_up(-ENOENT, "no file system that can be read (ext2, ext3, ext4, FAT or iso9660); partition table: %s, %u partitions%s",
	        partitions_name(table), n, volumes_foreign(more, sizeof(more)));
}

/* A CD's image may have a partition table for other uses; its own file system begins where the table is. */
static void try_hybrid(const struct partition *whole)
{
	struct volume *v = &volumes[n_volumes];

	for (unsigned int i = 0; i < n_volumes; i++)
		if (volumes[i].part.offset == 0)
			return;
	if (n_volumes < MAX_FS && iso_open(0, whole->bytes, &v->fs) == 0) {
		v->part = *whole;
		n_volumes++;
	}
}

static void find_at(uint64_t offset)
{
	struct partition p = { 0, offset, 0, false };

	if (offset >= disk_bytes())
		give_up(-EINVAL, "--offset=%llu: the disk has %llu bytes", (unsigned long long)offset,
		        (unsigned long long)disk_bytes());
	p.bytes = disk_bytes() - offset;
	try_volume(&p);
	if (n_volumes == 0)
		none_found(PART_NONE, 0);
}

void volumes_find(uint64_t offset)
{
	struct part_source src = { source_read, NULL, disk_bytes() };
	static struct partition part[PARTITIONS_MAX];
	const struct partition whole = { 0, 0, disk_bytes(), false };
	unsigned int n = 0, i;
	uint8_t magic[4];
	int table;

	if (disk_read(0, magic, sizeof(magic)))
		give_up(-EIO, "the disk cannot be read");
	if (memcmp(magic, "QFI\xfb", 4) == 0)
		give_up(-EINVAL, "this is a qcow2 image: its format must be told (format=qcow2; --format qcow2), as a guest could write "
			"another image's mark into a raw disk");
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
	else
		try_hybrid(&whole);
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
	if (strncmp(root, "lvm", 3) == 0)
		return v->lv && (strcmp(root, v->lv->grub) == 0 || strcmp(root, v->lv->grub_id) == 0);
	if (strncmp(root, "FILE=", 5) == 0)
		return v->fs.ops->kind(&v->fs, root + 5) == 1;
	/* hd0,gpt1, hd0,1; GRUB legacy's numbers are one less, and tried after the config's own volume */
	while (digits > root && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return *digits && digits > root && digits[-1] != 'd' && (uint32_t)atoi(digits) == v->part.number;
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
