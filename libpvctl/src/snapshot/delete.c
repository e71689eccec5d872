/* SPDX-License-Identifier: MIT */
/*
 * A snapshot goes. What others are based on is merged into them first: into an image that nobody writes as a copy, which takes its
 * place when it is whole (who has the old one open goes on with that, which has the same contents); into a disk in place, by
 * qemu-img, which changes what it is based on as the last. So each is right at every moment. Then the snapshot is renamed: that
 * is when there is none. Its files follow; recover.c does that for who does not come to the end.
 */
#include "disk/image.h"
#include "snapshot/private.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct deleter {
	const char *node;
	struct pvctl *ctx; /* NULL: no node runs */
	struct pvctl_snapshot_delete_opts o;
	struct snapshot s;
	struct images images;
	char dir[SNAPSHOT_PATH], gone[SNAPSHOT_PATH];
};

static void step(const struct deleter *d, const char *name)
{
	if (d->o.step)
		d->o.step(d->o.step_data, name);
}

static int tick(void *data)
{
	const struct deleter *d = data;

	return d->o.progress(d->o.progress_data, "merging", 0, 0);
}

static int check_child(const struct deleter *d, const struct snapshot_disk *disk, const struct image *c, struct pvctl_error *err)
{
	if (c->runs[0])
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "disk %s of domain \"%s\", which runs, is based on this snapshot: shut the domain down "
		               "first, or make another snapshot of it, which can take this one's place", disk->vdev, c->runs);
	if (c->stranger)
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "%.600s is based on this snapshot's disk %s, and is of no domain of this node's: delete it, "
		               "or make it stand alone (pvctl disk flatten)", c->path, disk->vdev);
	return 0;
}

/* Of a revert that did not come to its end: what it would have thrown away. */
static void tidy(const struct snapshot_disk *d)
{
	static const char *const tails[] = { ".revert", ".before" };
	char path[DISK_TARGET_MAX + 10];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", d->head, tails[i]);
		unlink(path);
	}
}

/* All that can be known before anything is changed. */
static int check(struct deleter *d, struct pvctl_error *err)
{
	int rc = images_collect(d->ctx, d->node, &d->images, err);

	for (size_t k = 0; k < d->s.n_disks && !rc; k++)
		tidy(&d->s.disk[k]);
	for (size_t k = 0; k < d->s.n_disks && !rc; k++) {
		rc = images_add_beside(&d->images, d->s.disk[k].file, err);
		rc = rc ? rc : images_add_beside(&d->images, d->s.disk[k].head, err);
	}
	for (size_t k = 0; k < d->s.n_disks && !rc; k++) {
		const struct image *c;
		size_t i = 0;

		while (!rc && (c = images_child(&d->images, d->s.disk[k].file, &i)))
			rc = check_child(d, &d->s.disk[k], c, err);
	}
	return rc;
}

/* path, based on "from" now, is based on what that is based on. */
static int rebase(struct deleter *d, const char *path, const struct image *from, struct pvctl_error *err)
{
	return image_rebase(path, from->path, from->base, from->base_format, d->o.progress ? tick : NULL, d, err);
}

static int merge_copy(struct deleter *d, const struct image *c, const struct image *from, struct pvctl_error *err)
{
	CLEANUP_FREE char *fresh = NULL;
	struct stat st;
	int rc;

	if (asprintf(&fresh, "%s" SNAPSHOT_MERGE, c->path) < 0) {
		fresh = NULL;
		return err_nomem(err);
	}
	/* Of somebody who did not come to the end. */
	unlink(fresh);
	rc = stat(c->path, &st) ? err_os(err, errno, "%s", c->path) : template_copy(c->path, fresh, UINT64_MAX, err);
	step(d, "copied");
	rc = rc ? rc : rebase(d, fresh, from, err);
	if (!rc && (rc = fd_sync_path(fresh)))
		rc = err_os(err, -rc, "%s", fresh);
	if (!rc && (chmod(fresh, st.st_mode & 07777) || rename(fresh, c->path)))
		rc = err_os(err, errno, "%s", c->path);
	if (rc)
		unlink(fresh);
	/* What it was based on goes, perhaps on another file system. */
	else if ((rc = fd_sync_parent(c->path)))
		rc = err_os(err, -rc, "%s", c->path);
	return rc;
}

static int merge_in_place(struct deleter *d, const struct image *c, const struct image *from, struct pvctl_error *err)
{
	int rc = rebase(d, c->path, from, err);

	if (!rc && (rc = fd_sync_path(c->path)))
		rc = err_os(err, -rc, "%s", c->path);
	return rc;
}

static int merge_disk(struct deleter *d, const struct snapshot_disk *disk, struct pvctl_error *err)
{
	const struct image *from = images_find(&d->images, disk->file), *c;
	size_t i = 0;
	int rc = 0;

	while (!rc && from && (c = images_child(&d->images, disk->file, &i))) {
		step(d, "merging");
		rc = c->has[0] ? merge_in_place(d, c, from, err) : merge_copy(d, c, from, err);
		step(d, "merged");
	}
	return rc;
}

void snapshot_drop_files(const struct snapshot *s, const struct images *l)
{
	struct stat st;

	for (size_t k = 0; k < s->n_disks; k++) {
		const char *file = s->disk[k].file;
		size_t i = 0;

		/* A device is what it was before. */
		if (!lstat(file, &st) && S_ISREG(st.st_mode) && !images_child(l, file, &i))
			unlink(file);
	}
}

static int drop(struct deleter *d, struct pvctl_error *err)
{
	struct images now;
	int rc;

	if (rename(d->dir, d->gone))
		return err_os(err, errno, "%s", d->dir);
	step(d, "gone");
	/* Who is based on what has changed. */
	rc = images_collect(d->ctx, d->node, &now, err);
	if (rc)
		return rc;
	for (size_t k = 0; k < d->s.n_disks && !rc; k++)
		rc = images_add_beside(&now, d->s.disk[k].file, err);
	if (!rc)
		snapshot_drop_files(&d->s, &now);
	images_free(&now);
	step(d, "dropped");
	if (!rc && (rc = template_remove_dir(d->gone)))
		rc = err_os(err, -rc, "%s", d->gone);
	return rc;
}

static int begin(struct deleter *d, const char *domain, const char *name, struct pvctl_error *err)
{
	struct pvctl_open_opts open = { .size = sizeof(open), .node = d->node };
	char parent[SNAPSHOT_PATH];
	int rc = snapshot_domain_dir(d->node, domain, parent, err);

	rc = rc ? rc : snapshot_load(d->node, domain, name, &d->s, err);
	if (rc)
		return rc;
	if (snprintf(d->dir, sizeof(d->dir), "%s/%s", parent, name) >= (int)sizeof(d->dir) ||
	    snprintf(d->gone, sizeof(d->gone), "%s/" SNAPSHOT_GONE "%s", parent, name) >= (int)sizeof(d->gone))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", parent);
	rc = pvctl_open(&open, &d->ctx, err);
	if (rc == -ENOENT) {
		d->ctx = NULL;
		rc = 0;
	}
	return rc;
}

int pvctl_snapshot_delete(const char *node, const char *domain, const char *name, const struct pvctl_snapshot_delete_opts *opts,
                          struct pvctl_error *err)
{
	struct deleter d = { .node = node };
	struct snapshot_hold hold = { .base = -1, .own = -1 };
	int rc = opts_load(&d.o, sizeof(d.o), opts, err);

	rc = rc ? rc : snapshot_hold(node, domain, true, &hold, err);
	rc = rc ? rc : begin(&d, domain, name, err);
	rc = rc ? rc : check(&d, err);
	for (size_t k = 0; k < d.s.n_disks && !rc; k++)
		rc = merge_disk(&d, &d.s.disk[k], err);
	rc = rc ? rc : drop(&d, err);
	images_free(&d.images);
	pvctl_close(d.ctx);
	snapshot_free(&d.s);
	snapshot_release(&hold);
	return rc;
}
