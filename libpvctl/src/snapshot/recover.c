/* SPDX-License-Identifier: MIT */
/* What somebody left who was killed: a snapshot that was not there yet is none, one that was not there any more goes for good. */
#include "clone/definition.h"
#include "device/disk_spec.h"
#include "snapshot/private.h"
#include "template/private.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The overlay was to be another disk: who has which, tells. What nobody tells of, nobody loses. */
static void recover_other(const struct snapshot_disk *d, const struct images *l)
{
	const struct image *overlay = images_find(l, d->head), *was = images_find(l, d->was);

	if (overlay && overlay->runs[0])
		keep_overlay(d);
	else if (was && was->runs[0] && !(overlay && overlay->has[0]))
		discard(d);
}

static void recover_new(const struct snapshot *s, const struct images *l, const char *node)
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
			recover_stopped(s, d, node);
		else
			recover_other(d, l);
	}
}

static void recover_one(const char *dir, bool was_there, const struct images *l, const char *node)
{
	struct snapshot s;

	if (!snapshot_load_dir(dir, &s, NULL)) {
		if (was_there)
			snapshot_drop_files(&s, l);
		else
			recover_new(&s, l, node);
		snapshot_free(&s);
	}
	template_remove_dir(dir);
}

static bool left(const struct dirent *e)
{
	return !strncmp(e->d_name, SNAPSHOT_NEW, strlen(SNAPSHOT_NEW)) || !strncmp(e->d_name, SNAPSHOT_GONE, strlen(SNAPSHOT_GONE));
}

static void recover_all(DIR *dir, const char *path, const struct images *l, const char *node)
{
	char full[SNAPSHOT_PATH];
	struct dirent *e;

	while ((e = readdir(dir)))
		if (left(e) && snprintf(full, sizeof(full), "%s/%s", path, e->d_name) < (int)sizeof(full))
			recover_one(full, !strncmp(e->d_name, SNAPSHOT_GONE, strlen(SNAPSHOT_GONE)), l, node);
}

void snapshot_recover(const char *node, const char *path)
{
	struct pvctl_open_opts open = { .size = sizeof(open), .node = node };
	struct images l = { .n = 0 };
	struct pvctl *ctx = NULL;
	struct dirent *e = NULL;
	DIR *dir = opendir(path);
	int rc;

	while (dir && (e = readdir(dir)) && !left(e))
		;
	if (e) {
		rc = pvctl_open(&open, &ctx, NULL);
		if ((!rc || rc == -ENOENT) && !images_collect(ctx, node, &l, NULL)) {
			rewinddir(dir);
			recover_all(dir, path, &l, node);
		}
		images_free(&l);
		pvctl_close(ctx);
	}
	if (dir)
		closedir(dir);
}
