/* SPDX-License-Identifier: MIT */
/* Which files are disks of the node's domains, and which of them are based on which: before one of them goes. */
#include "device/qcow2.h"
#include "snapshot/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_MAX 64

void images_free(struct images *l)
{
	while (l->n)
		free(l->image[--l->n].path);
	free(l->image);
	l->image = NULL;
}

struct image *images_find(const struct images *l, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		if (l->image[i].dev == st.st_dev && l->image[i].ino == st.st_ino)
			return &l->image[i];
	return NULL;
}

/* What is not there is nobody's disk. *ret: the one that it is; valid until another is added. */
static int add(struct images *l, const char *path, enum disk_format format, struct image **ret, struct pvctl_error *err)
{
	struct image *more = images_find(l, path), *i;
	struct stat st;

	*ret = more;
	if (more || stat(path, &st))
		return 0;
	more = reallocarray(l->image, l->n + 1, sizeof(*more));
	if (!more)
		return err_nomem(err);
	l->image = more;
	i = &l->image[l->n];
	*i = (struct image){ .path = realpath(path, NULL), .dev = st.st_dev, .ino = st.st_ino, .format = format };
	if (!i->path)
		return err_os(err, errno, "%s", path);
	l->n++;
	/* Of other formats nothing of ours is based on anything. */
	if (format != DISK_QCOW2 || qcow2_base(i->path, i->base, &i->base_format))
		i->base[0] = '\0';
	*ret = i;
	return 0;
}

/* And all that it is based on, which nobody writes. */
static int add_chain(struct images *l, const char *path, enum disk_format format, const char *runs, const char *has, struct pvctl_error *err)
{
	char next[DISK_TARGET_MAX + 1];
	struct image *i;
	int rc = add(l, path, format, &i, err);

	if (rc || !i)
		return rc;
	if (runs)
		snprintf(i->runs, sizeof(i->runs), "%s", runs);
	if (has)
		snprintf(i->has, sizeof(i->has), "%s", has);
	for (int k = 0; !rc && i && i->base[0] && k < CHAIN_MAX; k++) {
		strcpy(next, i->base);
		rc = add(l, next, i->base_format, &i, err);
		if (!rc && i)
			i->frozen = true;
	}
	return rc;
}

static int add_config(struct images *l, const struct pvctl_config *c, const char *runs, struct pvctl_error *err)
{
	const char *item, *name = pvctl_config_get_str(c, "name");
	struct disk_spec s;
	int rc = 0;

	for (size_t i = 0; !rc && (item = pvctl_config_get_item(c, "disk", i)); i++)
		if (!disk_spec_parse(item, &s, NULL) && s.target[0] && !s.script[0])
			rc = add_chain(l, s.target, s.format, runs, name, err);
	return rc;
}

static int add_running(struct images *l, struct pvctl *ctx, struct pvctl_error *err)
{
	const struct pvctl_domain_info *d;
	struct pvctl_domain_list *list;
	struct pvctl_config *c;
	int rc = pvctl_domain_list(ctx, &list, err), one;

	if (rc)
		return rc;
	for (size_t i = 0; !rc && (d = pvctl_domain_list_at(list, i)); i++) {
		if (!d->domid)
			continue;
		one = pvctl_domain_config(ctx, d->domid, &c, err);
		/* One that has ended meanwhile has no disk any more. */
		if (one == -ESRCH || one == -ENOENT)
			continue;
		rc = one ? one : add_config(l, c, d->name, err);
		if (!one)
			pvctl_config_free(c);
	}
	pvctl_domain_list_free(list);
	return rc;
}

static int add_defined(struct images *l, const char *node, struct pvctl_error *err)
{
	const struct pvctl_defined_info *d;
	struct pvctl_defined_list *list;
	struct pvctl_config *c;
	int rc = pvctl_defined_list(node, &list, err);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && (d = pvctl_defined_list_at(list, i)); i++) {
		if (pvctl_defined_get(node, d->name, &c, NULL))
			continue;
		rc = add_config(l, c, NULL, err);
		pvctl_config_free(c);
	}
	pvctl_defined_list_free(list);
	return rc;
}

struct collect { struct images *l; struct pvctl_error *err; };

static int add_snapshot(void *data, const char *dir, struct snapshot *s)
{
	const struct collect *c = data;
	struct image *i;
	int rc = 0;

	for (size_t k = 0; k < s->n_disks && !rc; k++) {
		const struct snapshot_disk *d = &s->disk[k];

		rc = add_chain(c->l, d->file, d->format, NULL, NULL, c->err);
		i = rc ? NULL : images_find(c->l, d->file);
		if (i)
			i->frozen = true;
		rc = rc ? rc : add_chain(c->l, d->head, d->overlay ? DISK_QCOW2 : d->format, NULL, s->domain, c->err);
	}
	return rc;
}

int images_collect(struct pvctl *ctx, const char *node, struct images *ret, struct pvctl_error *err)
{
	struct images l = { .n = 0 };
	struct collect c = { &l, err };
	int rc = ctx ? add_running(&l, ctx, err) : 0;

	rc = rc ? rc : add_defined(&l, node, err);
	rc = rc ? rc : snapshot_each(node, NULL, add_snapshot, &c, err);
	if (rc)
		images_free(&l);
	else
		*ret = l;
	return rc;
}

/* A merge that nobody came to the end of: who asks is alone, and begins anew. */
static bool drop_half_merged(const struct images *l, const char *path)
{
	char of[DISK_TARGET_MAX + 260];
	size_t n = strlen(path), tail = strlen(SNAPSHOT_MERGE);

	if (n <= tail || strcmp(path + n - tail, SNAPSHOT_MERGE))
		return false;
	snprintf(of, sizeof(of), "%.*s", (int)(n - tail), path);
	return images_find(l, of) && !unlink(path);
}

/* A guest can write such a header into a raw disk: those that are known to be something else are not asked for one. */
static int add_stranger(struct images *l, const char *path, struct pvctl_error *err)
{
	char base[DISK_TARGET_MAX + 1];
	enum disk_format format;
	struct stat st;
	struct image *i;
	int rc;

	if (drop_half_merged(l, path) || lstat(path, &st) || !S_ISREG(st.st_mode) || images_find(l, path) || qcow2_base(path, base, &format) || !base[0])
		return 0;
	rc = add(l, path, DISK_QCOW2, &i, err);
	if (!rc && i)
		i->stranger = true;
	return rc;
}

int images_add_beside(struct images *l, const char *path, struct pvctl_error *err)
{
	char dir[DISK_TARGET_MAX + 1], full[DISK_TARGET_MAX + 260];
	struct dirent *e;
	int rc = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	d = opendir(dir[0] ? dir : "/");
	while (d && !rc && (e = readdir(d))) {
		snprintf(full, sizeof(full), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			rc = add_stranger(l, full, err);
	}
	if (d)
		closedir(d);
	return rc;
}

struct image *images_child(const struct images *l, const char *path, size_t *i)
{
	struct stat want, st;

	if (stat(path, &want))
		return NULL;
	for (; *i < l->n; ++*i)
		if (l->image[*i].base[0] && !stat(l->image[*i].base, &st) && st.st_dev == want.st_dev && st.st_ino == want.st_ino)
			return &l->image[(*i)++];
	return NULL;
}
