/* SPDX-License-Identifier: MIT */
/*
 * iso9660 with Rock Ridge or Joliet through libarchive, which reads an image from its beginning to its end: once for
 * the names, then once for each file that is wanted.
 */
#include "helper.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_NAMES 60000u
#define MAX_NAME_BYTES (8u << 20)
#define MAX_PATH 1024u
#define CHUNK (64u << 10)
#define VOLUME_AT 0x8000u     /* the first volume descriptor */

/* The names in the order of the image. A hard link is one to the whole path, a symbolic one to what it says. */
struct name { char *path, *target; bool dir, file, hard; };
struct iso { uint64_t offset, bytes; struct name *name; unsigned int n; size_t name_bytes; };
struct cursor { const struct iso *iso; uint64_t at; uint8_t buf[CHUNK]; };

/* ---- what libarchive calls ---- */
static la_ssize_t on_read(struct archive *a, void *data, const void **ret)
{
	struct cursor *c = data;
	uint64_t left = c->iso->bytes - c->at;
	size_t n = left < CHUNK ? (size_t)left : CHUNK;

	if (disk_read(c->iso->offset + c->at, c->buf, n)) {
		archive_set_error(a, EIO, "the disk cannot be read");
		return -1;
	}
	c->at += n;
	*ret = c->buf;
	return (la_ssize_t)n;
}

static la_int64_t on_skip(struct archive *a, void *data, la_int64_t n)
{
	struct cursor *c = data;
	uint64_t left = c->iso->bytes - c->at, by = n < 0 ? 0 : (uint64_t)n;

	by = by < left ? by : left;
	c->at += by;
	return (la_int64_t)by;
}

static la_int64_t on_seek(struct archive *a, void *data, la_int64_t offset, int whence)
{
	struct cursor *c = data;
	la_int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? (la_int64_t)c->at : (la_int64_t)c->iso->bytes;
	la_int64_t to;

	if (__builtin_add_overflow(from, offset, &to) || to < 0 || (uint64_t)to > c->iso->bytes)
		return ARCHIVE_FATAL;
	c->at = (uint64_t)to;
	return to;
}

static int fold(struct archive *a)
{
	return archive_errno(a) == ENOMEM ? -ENOMEM : -EIO;
}

static int start(const struct iso *iso, struct cursor **ret_cursor, struct archive **ret)
{
	struct cursor *c = malloc(sizeof(*c));
	struct archive *a = archive_read_new();
	int rc = c && a ? 0 : -ENOMEM;

	if (!rc) {
		c->iso = iso;
		c->at = 0;
		if (archive_read_support_format_iso9660(a) != ARCHIVE_OK || archive_read_set_read_callback(a, on_read) != ARCHIVE_OK ||
		    archive_read_set_skip_callback(a, on_skip) != ARCHIVE_OK || archive_read_set_seek_callback(a, on_seek) != ARCHIVE_OK ||
		    archive_read_set_callback_data(a, c) != ARCHIVE_OK || archive_read_open1(a) != ARCHIVE_OK)
			rc = fold(a);
	}
	if (rc) {
		if (a)
			archive_read_free(a);
		free(c);
		return rc;
	}
	*ret_cursor = c;
	*ret = a;
	return 0;
}

static void stop(struct cursor *c, struct archive *a)
{
	archive_read_free(a);
	free(c);
}

/* 1: there is one. */
static int next(struct archive *a, struct archive_entry **ret)
{
	int rc = archive_read_next_header(a, ret);

	/* A warning is about a name's characters. */
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN ? 1 : rc == ARCHIVE_EOF ? 0 : fold(a);
}

/* ---- the names ---- */
static int keep(struct iso *iso, const char *text, char **ret)
{
	size_t len = strlen(text);

	iso->name_bytes += len + 1;
	if (len >= MAX_PATH || iso->name_bytes > MAX_NAME_BYTES)
		return -E2BIG;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int add_name(struct iso *iso, struct archive_entry *e)
{
	const char *path = archive_entry_pathname(e), *hard = archive_entry_hardlink(e), *soft = archive_entry_symlink(e);
	struct name *n, *more;
	int rc;

	if (iso->n == MAX_NAMES)
		return -E2BIG;
	if (!(iso->n & (iso->n - 1))) {
		more = realloc(iso->name, (iso->n ? 2ul * iso->n : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		iso->name = more;
	}
	n = &iso->name[iso->n++];
	memset(n, 0, sizeof(*n));
	/* Its place counts all the same. */
	rc = keep(iso, path ? path : "", &n->path);
	n->dir = archive_entry_filetype(e) == AE_IFDIR;
	n->file = archive_entry_filetype(e) == AE_IFREG;
	n->hard = hard != NULL;
	if (!rc && (hard || soft))
		rc = keep(iso, hard ? hard : soft, &n->target);
	return rc;
}

static int load_names(struct iso *iso)
{
	struct archive_entry *e;
	struct cursor *c;
	struct archive *a;
	int rc = start(iso, &c, &a);

	if (rc)
		return rc;
	while ((rc = next(a, &e)) == 1)
		if ((rc = add_name(iso, e)))
			break;
	stop(c, a);
	return rc;
}

/* Without a leading "/", "./" and such. */
static int tidy(const char *path, char out[MAX_PATH])
{
	size_t n = 0, len;

	out[0] = '\0';
	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.'))
			continue;
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && out[--n] != '/')
				;
			out[n] = '\0';
			continue;
		}
		if (n + len + 2 > MAX_PATH)
			return -ENAMETOOLONG;
		if (n)
			out[n++] = '/';
		memcpy(out + n, path, len);
		n += len;
		out[n] = '\0';
	}
	return 0;
}

/* Without Rock Ridge names are in capitals. */
static const struct name *find(const struct iso *iso, const char *path)
{
	for (unsigned int i = 0; i < iso->n; i++)
		if (!strcmp(iso->name[i].path, path))
			return &iso->name[i];
	for (unsigned int i = 0; i < iso->n; i++)
		if (!strcasecmp(iso->name[i].path, path))
			return &iso->name[i];
	return NULL;
}

/* path becomes what the link at its first `len' bytes says, with what follows them. */
static int follow(const struct name *link, size_t len, char path[MAX_PATH])
{
	char next_path[3 * MAX_PATH];
	const char *slash = strrchr(link->path, '/');
	int dir = slash && !link->hard && link->target[0] != '/' ? (int)(slash - link->path) : 0;

	snprintf(next_path, sizeof(next_path), "%.*s/%s/%s", dir, link->path, link->target, path + len);
	return tidy(next_path, path);
}

/* NULL: there is no such file or directory. */
static const struct name *lookup(const struct iso *iso, const char *path)
{
	char now[MAX_PATH], part[MAX_PATH];
	const struct name *n;
	unsigned int links = 0;
	size_t len = 0;

	if (tidy(path, now))
		return NULL;
	while (now[len]) {
		len += strspn(now + len, "/");
		len += strcspn(now + len, "/");
		snprintf(part, sizeof(part), "%.*s", (int)len, now);
		n = find(iso, part);
		if (!n)
			return NULL;
		if (n->target) {
			if (++links > MAX_LINKS || follow(n, len, now))
				return NULL;
			len = 0;
		} else if (!now[len]) {
			return n;
		}
	}
	return find(iso, ".");
}

static int iso_kind(struct fs *fs, const char *path)
{
	const struct name *n = lookup(fs->data, path);

	return !n ? 0 : n->dir ? 2 : n->file;
}

/* ---- the files ---- */
static int iso_each_piece(struct fs *fs, const char *path, uint64_t max, int (*each)(void *arg, const void *p, size_t len), void *arg)
{
	const struct iso *iso = fs->data;
	const struct name *n = lookup(iso, path);
	struct archive_entry *e = NULL;
	struct cursor *c;
	struct archive *a;
	uint64_t total = 0;
	const void *p;
	int64_t at;
	size_t len;
	int rc;

	if (!n || !n->file)
		return n ? -EINVAL : -ENOENT;
	rc = start(iso, &c, &a);
	if (rc)
		return rc;
	for (long i = n - iso->name; i >= 0 && (rc = next(a, &e)) == 1; i--)
		;
	if (rc == 1)
		rc = (uint64_t)archive_entry_size(e) > max ? -E2BIG : 0;
	else
		rc = rc ? rc : -EIO;
	while (!rc) {
		int more = archive_read_data_block(a, &p, &len, &at);

		if (more == ARCHIVE_EOF)
			break;
		/* What has holes is no kernel. */
		if (more != ARCHIVE_OK || at < 0 || (uint64_t)at != total)
			rc = fold(a);
		else if (len > max - total)
			rc = -E2BIG;
		else
			rc = each(arg, p, len);
		total += len;
	}
	if (!rc && total != (uint64_t)archive_entry_size(e))
		rc = -EIO;
	stop(c, a);
	return rc;
}

static int iso_list(struct fs *fs, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	const struct iso *iso = fs->data;
	const struct name *d = lookup(iso, dir);
	size_t len;
	int rc = 0;

	if (!d || !d->dir)
		return -ENOENT;
	len = strcmp(d->path, ".") ? strlen(d->path) : 0;
	for (unsigned int i = 0; !rc && i < iso->n; i++) {
		const char *p = iso->name[i].path;

		if (len && (strncmp(p, d->path, len) || p[len] != '/'))
			continue;
		p += len ? len + 1 : 0;
		if (*p && strcmp(p, ".") && !strchr(p, '/'))
			rc = each(arg, p);
	}
	return rc;
}

static void iso_free(struct iso *iso)
{
	for (unsigned int i = 0; i < iso->n; i++) {
		free(iso->name[i].path);
		free(iso->name[i].target);
	}
	free(iso->name);
	free(iso);
}

static void iso_close(struct fs *fs)
{
	iso_free(fs->data);
}

static const struct fs_ops iso_ops = { "iso9660", iso_each_piece, iso_kind, iso_list, iso_close };

/* As GRUB and blkid have it: the date of the last change, or of the making, with dashes. */
static void put_identity(const uint8_t *pvd, struct fs *fs)
{
	const char *date = (const char *)pvd + (pvd[830] > '0' ? 830 : 813);
	unsigned int n = 32;

	snprintf(fs->uuid, sizeof(fs->uuid), "%.4s-%.2s-%.2s-%.2s-%.2s-%.2s-%.2s", date, date + 4, date + 6, date + 8, date + 10,
	         date + 12, date + 14);
	while (n && pvd[40 + n - 1] == ' ')
		n--;
	snprintf(fs->label, sizeof(fs->label), "%.*s", (int)n, (const char *)pvd + 40);
}

int iso_open(uint64_t offset, uint64_t bytes, struct fs *ret)
{
	uint8_t pvd[2048];
	struct iso *iso;
	int rc;

	if (bytes < VOLUME_AT + sizeof(pvd) || disk_read(offset + VOLUME_AT, pvd, sizeof(pvd)) || memcmp(pvd, "\1CD001\1", 7) != 0)
		return -ENOENT;
	iso = calloc(1, sizeof(*iso));
	if (!iso)
		return -ENOMEM;
	iso->offset = offset;
	iso->bytes = bytes;
	rc = load_names(iso);
	if (rc) {
		iso_free(iso);
		return rc;
	}
	put_identity(pvd, ret);
	ret->ops = &iso_ops;
	ret->data = iso;
	return 0;
}
