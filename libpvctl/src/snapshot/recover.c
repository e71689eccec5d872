/* SPDX-License-Identifier: MIT */
/*
 * What somebody left who was killed: a snapshot that was not there yet is none, one that was not there any more goes for good, and of a
 * clone that was not there yet nothing is left.
 */
#include "clone/definition.h"
#include "device/disk_spec.h"
#include "snapshot/private.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/fresh.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recovery {
	const char *node;
	struct pvctl *ctx;         /* NULL: no domain runs */
	struct images l;
};

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void discard(const struct snapshot_disk *d)
{
	unlink(d->fresh);
	if (strcmp(d->file, d->was))
		unlink(d->file);
}

/* The overlay was to take the image's name: it has it or not. */
static void recover_renamed(const struct snapshot_disk *d)
{
	if (same_file(d->head, d->file))
		discard(d);
	else if (access(d->file, F_OK))
		unlink(d->fresh);
	else
		(void)chmod(d->file, 0444);
}

/* What it is based on is written by nobody from now on. */
static void keep_overlay(const struct snapshot_disk *d)
{
	if (strcmp(d->file, d->was) && same_file(d->file, d->was))
		unlink(d->was);
	if (strcmp(d->file, d->was))
		(void)chmod(d->file, 0444);
}

/* It did not run, and its definition was to be told. If that has another disk by now it is the owner's to say what became of these. */
static void recover_stopped(const struct snapshot *s, const struct snapshot_disk *d, const char *node)
{
	uint32_t vdev;

	if (disk_vdev_parse(d->vdev, &vdev))
		return;
	if (definition_has(node, s->domain, vdev, d->head))
		keep_overlay(d);
	else if (definition_has(node, s->domain, vdev, d->was))
		discard(d);
}

/* The domain runs on what the disk was: its definition has been told of the overlay already, and is told back. */
static bool untell(const struct recovery *r, const struct snapshot *s, const struct snapshot_disk *d)
{
	struct pvctl_config *now;
	uint32_t domid, vdev;
	struct disk_spec spec;
	const char *item;
	int rc = -ENOENT;

	if (disk_vdev_parse(d->vdev, &vdev) || !definition_has(r->node, s->domain, vdev, d->head))
		return true;
	if (pvctl_domain_lookup(r->ctx, s->domain, &domid, NULL) || pvctl_domain_config(r->ctx, domid, &now, NULL))
		return false;
	for (size_t i = 0; rc == -ENOENT && (item = pvctl_config_get_item(now, "disk", i)); i++)
		if (!disk_spec_parse(item, &spec, NULL) && spec.vdev == vdev && same_file(spec.target, d->was))
			rc = definition_retarget(r->node, s->domain, vdev, d->head, item, NULL);
	pvctl_config_free(now);
	return !rc;
}

/* The overlay was to be another disk: who has which, tells. What nobody tells of, nobody loses. */
static void recover_other(const struct recovery *r, const struct snapshot *s, const struct snapshot_disk *d)
{
	const struct image *overlay = images_find(&r->l, d->head), *was = images_find(&r->l, d->was);

	if (overlay && overlay->runs[0])
		keep_overlay(d);
	else if (was && !strcmp(was->runs, s->domain) && untell(r, s, d))
		discard(d);
}

char *snapshot_stamp(const char *file)
{
	struct stat st;
	char *text;

	if (lstat(file, &st) || asprintf(&text, "%" PRIu64 " %" PRIu64 " %lld.%09ld", (uint64_t)st.st_ino, (uint64_t)st.st_size,
	                                 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec) < 0)
		return NULL;
	return text;
}

/* A copy that has run may have ended since, and its disk is its owner's: but one that was never written is nobody's loss. */
static void recover_copy(const struct snapshot_copy *c, const struct images *l)
{
	const struct image *i = images_find(l, c->file);
	CLEANUP_FREE char *now = snapshot_stamp(c->file);

	if (!(i && (i->runs[0] || i->has[0] || i->frozen)) && now && (!c->stamp[0] || !strcmp(c->stamp, now)))
		unlink(c->file);
}

static void recover_new(const struct recovery *r, const struct snapshot *s)
{
	for (size_t k = 0; k < s->n_disks; k++) {
		const struct snapshot_disk *d = &s->disk[k];

		if (!d->overlay)
			unlink(d->file);
		else if (!d->fresh[0])
			continue; /* it had come so far that the domain runs on the overlay */
		else if (!strcmp(d->head, d->was))
			recover_renamed(d);
		else if (s->stopped)
			recover_stopped(s, d, r->node);
		else
			recover_other(r, s, d);
	}
	for (size_t k = 0; k < s->n_copies; k++)
		recover_copy(&s->copy[k], &r->l);
}

static void recover_one(const struct recovery *r, const char *dir, bool was_there)
{
	struct snapshot s;

	if (!snapshot_load_dir(dir, &s, NULL)) {
		if (was_there)
			snapshot_drop_files(&s, &r->l);
		else
			recover_new(r, &s);
		snapshot_free(&s);
	}
	template_remove_dir(dir);
}

static bool left(const struct dirent *e)
{
	return !strncmp(e->d_name, SNAPSHOT_NEW, strlen(SNAPSHOT_NEW)) || !strncmp(e->d_name, SNAPSHOT_GONE, strlen(SNAPSHOT_GONE));
}

static void recover_all(const struct recovery *r, DIR *dir, const char *path)
{
	char full[SNAPSHOT_PATH];
	struct dirent *e;

	while ((e = readdir(dir)))
		if (left(e) && snprintf(full, sizeof(full), "%s/%s", path, e->d_name) < (int)sizeof(full))
			recover_one(r, full, !strncmp(e->d_name, SNAPSHOT_GONE, strlen(SNAPSHOT_GONE)));
}

/* 0: what can be known of who has which file is known. */
static int recovery_init(struct recovery *r, const char *node)
{
	const struct pvctl_open_opts open = { .size = sizeof(open), .node = node };
	int rc;

	*r = (struct recovery){ .node = node };
	rc = pvctl_open(&open, &r->ctx, NULL);
	return rc && rc != -ENOENT ? rc : images_collect(r->ctx, node, &r->l, NULL);
}

static void recovery_fini(struct recovery *r)
{
	images_free(&r->l);
	pvctl_close(r->ctx);
}

void snapshot_recover(const char *node, const char *path)
{
	struct dirent *e = NULL;
	DIR *dir = opendir(path);
	struct recovery r;

	while (dir && (e = readdir(dir)) && !left(e))
		;
	if (e) {
		if (!recovery_init(&r, node)) {
			rewinddir(dir);
			recover_all(&r, dir, path);
		}
		recovery_fini(&r);
	}
	if (dir)
		closedir(dir);
}

/* Seldom more than one: each looks anew. */
static void recover_clone(void *data, const char *dir, const char *name)
{
	struct recovery r;

	if (!recovery_init(&r, data))
		recover_one(&r, dir, false);
	recovery_fini(&r);
}

void snapshot_recover_clones(const char *node)
{
	char base[SNAPSHOT_PATH], own[64];

	snprintf(own, sizeof(own), "%s", node);
	if (!snapshot_clones_dir(node, base, NULL))
		fresh_sweep(base, SNAPSHOT_NEW, recover_clone, own);
}
