/* SPDX-License-Identifier: MIT */
/* FAT12, FAT16 and FAT32 with long names, for reading: after Microsoft's published specification. */
#include "helper.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIR_BYTES (2u << 20)
#define MAX_CLUSTER (1u << 16)
#define ATTR_LABEL 0x08
#define ATTR_DIR 0x10
#define ATTR_LONG 0x0f

struct fat {
	uint64_t offset, bytes, data_at, fat_at, root_at;
	uint32_t cluster_bytes, clusters, root_bytes, root_cluster;
	unsigned int bits;
};
struct fat_file { bool dir; uint32_t cluster, size; bool fixed_root; };
struct fat_walk { struct fat_file f; uint32_t cluster, left, steps; };

static uint32_t le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static int fat_read(const struct fat *f, uint64_t at, void *buf, size_t len)
{
	if (at > f->bytes || len > f->bytes - at)
		return -EIO;
	return disk_read(f->offset + at, buf, len);
}

/* 0: the chain's end. A chain is never longer than there are clusters: fat_next's caller counts. */
static int fat_next(const struct fat *f, uint32_t cluster, uint32_t *ret)
{
	uint64_t at = f->fat_at + (f->bits == 12 ? cluster + cluster / 2 : (uint64_t)cluster * (f->bits / 8));
	uint8_t e[4] = { 0 };
	uint32_t v;
	int rc = fat_read(f, at, e, f->bits == 32 ? 4 : 2);

	if (rc)
		return rc;
	v = f->bits == 32 ? le32(e) & 0x0fffffff : le16(e);
	if (f->bits == 12)
		v = cluster & 1 ? v >> 4 : v & 0xfff;
	*ret = v < 2 || v - 2 >= f->clusters ? 0 : v;
	return 0;
}

/* The next piece of a file: at most a cluster into buf; *ret_len 0 at the end. */
static int walk_next(const struct fat *f, struct fat_walk *w, uint8_t *buf, uint32_t *ret_len)
{
	uint32_t n = w->left < f->cluster_bytes ? w->left : f->cluster_bytes;
	int rc;

	*ret_len = 0;
	if (w->f.fixed_root) {
		n = f->root_bytes - w->steps < f->cluster_bytes ? f->root_bytes - w->steps : f->cluster_bytes;
		rc = n ? fat_read(f, f->root_at + w->steps, buf, n) : 0;
		w->steps += n;
		*ret_len = n;
		return rc;
	}
	if (n == 0 || w->cluster == 0)
		return w->f.dir || n == 0 ? 0 : -EIO;
	if (w->cluster < 2 || w->cluster - 2 >= f->clusters || ++w->steps > f->clusters)
		return -EIO;
	rc = fat_read(f, f->data_at + (uint64_t)(w->cluster - 2) * f->cluster_bytes, buf, n);
	if (!rc)
		rc = fat_next(f, w->cluster, &w->cluster);
	w->left -= n;
	*ret_len = n;
	return rc;
}

static void walk_init(struct fat_walk *w, const struct fat_file *file)
{
	*w = (struct fat_walk){ *file, file->cluster, file->dir ? MAX_DIR_BYTES : file->size, 0 };
}

static void short_name(const uint8_t *e, char name[16])
{
	unsigned int i, n = 0;

	for (i = 0; i < 8 && e[i] != ' '; i++)
		name[n++] = (char)tolower(e[i]);
	if (e[8] != ' ')
		name[n++] = '.';
	for (i = 8; i < 11 && e[i] != ' '; i++)
		name[n++] = (char)tolower(e[i]);
	name[n] = '\0';
}

/* A part of a long name: 13 UTF-16 units; what is not ASCII becomes a question mark. */
static void long_part(const uint8_t *e, char name[264])
{
	static const uint8_t where[] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	unsigned int i, at = ((e[0] & 0x3fu) - 1) * 13;
	uint32_t c;

	if ((e[0] & 0x3f) == 0 || at + 13 > 260)
		return;
	if (e[0] & 0x40)
		name[at + 13] = '\0';
	for (i = 0; i < 13; i++) {
		c = le16(e + where[i]);
		name[at + i] = c == 0 || c == 0xffff ? '\0' : c < 0x80 ? (char)c : '?';
	}
}

/* Calls each for every entry; a positive result ends the walk and is returned. */
static int each_file(const struct fat *f, const struct fat_file *dir,
                     int (*each)(void *arg, const char *name, const struct fat_file *), void *arg)
{
	static uint8_t buf[MAX_CLUSTER];
	char name[264] = "", alias[16];
	struct fat_walk w;
	uint32_t len, i;
	int rc;

	walk_init(&w, dir);
	while (!(rc = walk_next(f, &w, buf, &len)) && len) {
		for (i = 0; i + 32 <= len; i += 32) {
			const uint8_t *e = buf + i;
			struct fat_file found = { .dir = e[11] & ATTR_DIR, .size = le32(e + 28),
				.cluster = le16(e + 26) | (f->bits == 32 ? le16(e + 20) << 16 : 0) };

			if (e[0] == 0)
				return 0;
			if (e[0] != 0xe5 && e[11] == ATTR_LONG) {
				long_part(e, name);
				continue;
			}
			if (e[0] != 0xe5 && !(e[11] & ATTR_LABEL)) {
				short_name(e, alias);
				rc = each(arg, name[0] ? name : alias, &found);
				if (!rc && name[0] && strcasecmp(name, alias) != 0)
					rc = each(arg, alias, &found);
				if (rc)
					return rc;
			}
			name[0] = '\0';
		}
	}
	return rc;
}

struct wanted { const char *name; size_t len; struct fat_file file; };

static int is_wanted(void *arg, const char *name, const struct fat_file *file)
{
	struct wanted *w = arg;

	if (strlen(name) != w->len || strncasecmp(name, w->name, w->len) != 0)
		return 0;
	w->file = *file;
	return 1;
}

static int fat_lookup(const struct fat *f, const char *path, struct fat_file *ret)
{
	struct wanted w = { .file = { true, f->root_cluster, 0, f->bits != 32 } };
	unsigned int depth;
	int rc;

	for (depth = 0; depth < 32; depth++) {
		path += strspn(path, "/");
		if (!*path) {
			*ret = w.file;
			return 0;
		}
		if (!w.file.dir)
			return -ENOENT;
		w.name = path;
		w.len = strcspn(path, "/");
		path += w.len;
		/* ".." of a directory below the root names cluster 0. */
		if (w.file.cluster == 0 && f->bits == 32)
			w.file.cluster = f->root_cluster;
		rc = each_file(f, &w.file, is_wanted, &w);
		if (rc <= 0)
			return rc ? rc : -ENOENT;
	}
	return -ELOOP;
}

static int fat_kind(struct fs *fs, const char *path)
{
	struct fat_file file;

	return fat_lookup(fs->data, path, &file) ? 0 : file.dir ? 2 : 1;
}

static int fat_each_piece(struct fs *fs, const char *path, uint64_t max, int (*each)(void *arg, const void *p, size_t len), void *arg)
{
	static uint8_t buf[MAX_CLUSTER];
	const struct fat *f = fs->data;
	struct fat_file file;
	struct fat_walk w;
	uint32_t len;
	int rc = fat_lookup(f, path, &file);

	if (rc)
		return rc;
	if (file.dir)
		return -EINVAL;
	if (file.size > max)
		return -E2BIG;
	walk_init(&w, &file);
	while (!(rc = walk_next(f, &w, buf, &len)) && len && !(rc = each(arg, buf, len)))
		;
	return rc;
}

struct lister { int (*each)(void *arg, const char *name); void *arg; };

static int list_one(void *arg, const char *name, const struct fat_file *file)
{
	struct lister *l = arg;

	/* The 8.3 alias of a long name has a ~: once is enough. */
	return strchr(name, '~') ? 0 : l->each(l->arg, name);
}

static int fat_list(struct fs *fs, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	struct lister l = { each, arg };
	struct fat_file file;
	int rc = fat_lookup(fs->data, dir, &file);

	if (!rc)
		rc = file.dir ? each_file(fs->data, &file, list_one, &l) : -ENOENT;
	return rc;
}

static void fat_close(struct fs *fs)
{
	free(fs->data);
}

static const struct fs_ops fat_ops = { "fat", fat_each_piece, fat_kind, fat_list, fat_close };

/* The boot sector's numbers, each checked against the others and the partition. */
static bool fat_layout(struct fat *f, const uint8_t *b)
{
	uint32_t sector = le16(b + 11), per = b[13], reserved = le16(b + 14), fats = b[16], root = le16(b + 17);
	uint64_t total = le16(b + 19) ? le16(b + 19) : le32(b + 32);
	uint64_t each = le16(b + 22) ? le16(b + 22) : le32(b + 36), first;

	if (b[510] != 0x55 || b[511] != 0xaa || (b[0] != 0xeb && b[0] != 0xe9) || sector < 512 || sector > 4096 ||
	    (sector & (sector - 1)) || !per || (per & (per - 1)) || !reserved || !fats || fats > 2 || !each ||
	    sector * per > MAX_CLUSTER)
		return false;
	f->fat_at = (uint64_t)reserved * sector;
	f->root_at = f->fat_at + fats * each * sector;
	f->root_bytes = root * 32;
	first = reserved + fats * each + (root * 32 + sector - 1) / sector;
	if (total <= first || total * sector > f->bytes)
		return false;
	f->data_at = first * sector;
	f->cluster_bytes = sector * per;
	f->clusters = (uint32_t)((total - first) / per);
	f->bits = f->clusters < 4085 ? 12 : f->clusters < 65525 ? 16 : 32;
	f->root_cluster = f->bits == 32 ? le32(b + 44) : 0;
	return f->clusters && (f->bits == 32) == (root == 0);
}

int fat_open(uint64_t offset, uint64_t bytes, struct fs *ret)
{
	struct fat *f = calloc(1, sizeof(*f));
	uint8_t b[512];
	const uint8_t *id;

	if (!f)
		return -ENOMEM;
	f->offset = offset;
	f->bytes = bytes;
	if (fat_read(f, 0, b, sizeof(b)) || !fat_layout(f, b)) {
		free(f);
		return -ENOENT;
	}
	id = b + (f->bits == 32 ? 67 : 39);
	snprintf(ret->uuid, sizeof(ret->uuid), "%02X%02X-%02X%02X", id[3], id[2], id[1], id[0]);
	snprintf(ret->label, sizeof(ret->label), "%.11s", (const char *)id + 4);
	ret->label[11] = '\0';
	while (ret->label[0] && ret->label[strlen(ret->label) - 1] == ' ')
		ret->label[strlen(ret->label) - 1] = '\0';
	ret->ops = &fat_ops;
	ret->data = f;
	return 0;
}
