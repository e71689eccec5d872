/* SPDX-License-Identifier: MIT */
/*
 * A domain becomes what it was. Its new disks are made first; then it ends, if it runs; then they take the places of its own, which
 * keep a second name until it runs again. The snapshot itself is not touched: who is killed in between does it once more.
 */
#include "clone/definition.h"
#include "clone/identity.h"
#include "device/disk_image.h"
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

struct head {
	char *fresh, *before;      /* the new one, until it has its name; the old one's second name */
	bool made, kept, placed;
	int lock;                  /* on the old one: nobody begins to use it */
};
struct reverter {
	struct pvctl *ctx;
	const char *domain;
	struct pvctl_snapshot_revert_opts o;
	struct snapshot s;
	struct snapshot_hold hold;
	struct head *head;
	char dir[SNAPSHOT_PATH];
	uint32_t domid;            /* 0: it does not run */
	int memory;
};

static void step(const struct reverter *r, const char *name)
{
	if (r->o.step)
		r->o.step(r->o.step_data, name);
}

static int check_disk(const struct snapshot_disk *d, struct pvctl_error *err)
{
	struct pvctl_disk_image_info info = { .size = sizeof(info) };
	int rc = pvctl_disk_image_get(d->file, disk_format_name(d->format), &info, err);

	if (!rc && d->format != DISK_RAW)
		rc = disk_image_check(d->file, d->format, err);
	if (!rc && info.bytes != d->bytes)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%.600s has %llu bytes, not the %llu that it had when the snapshot was made", d->file,
		             (unsigned long long)info.bytes, (unsigned long long)d->bytes);
	return rc ? err_wrap(err, rc, "disk %s of the snapshot", d->vdev) : 0;
}

static int check_memory(struct pvctl *ctx, const struct snapshot *s, const char *dir, struct pvctl_error *err)
{
	struct template_file now;
	char path[SNAPSHOT_FILE_PATH];
	int rc;

	if (!s->memory.name[0])
		return 0;
	snapshot_path(dir, s->memory.name, path);
	rc = template_hash(ctx, path, &now, err);
	if (!rc && (now.bytes != s->memory.bytes || strcmp(now.sha256, s->memory.sha256)))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not what it was when the snapshot was made: its checksum differs", path);
	return rc;
}

/* ctx: for progress; may be NULL. */
static int check_all(struct pvctl *ctx, const struct snapshot *s, const char *dir, struct pvctl_error *err)
{
	int rc = check_memory(ctx, s, dir, err);

	for (size_t k = 0; k < s->n_disks && !rc; k++)
		rc = check_disk(&s->disk[k], err);
	return rc;
}

static int dir_of(const char *node, const char *domain, const char *name, char dir[SNAPSHOT_PATH], struct pvctl_error *err)
{
	char parent[SNAPSHOT_PATH];
	int rc = snapshot_domain_dir(node, domain, parent, err);

	if (!rc && snprintf(dir, SNAPSHOT_PATH, "%s/%s", parent, name) >= SNAPSHOT_PATH)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", parent);
	return rc;
}

int pvctl_snapshot_verify(const char *node, const char *domain, const char *name, struct pvctl_error *err)
{
	char dir[SNAPSHOT_PATH];
	struct snapshot s;
	int rc = snapshot_load(node, domain, name, &s, err);

	if (rc)
		return rc;
	rc = dir_of(node, domain, name, dir, err);
	rc = rc ? rc : check_all(NULL, &s, dir, err);
	snapshot_free(&s);
	return rc;
}

static int make_head(const struct snapshot_disk *d, struct head *h, struct pvctl_error *err)
{
	const struct pvctl_disk_copy_opts o = { .size = sizeof(o), .format = disk_format_name(d->format), .overlay = d->overlay };
	struct stat st;
	int rc;

	if (asprintf(&h->fresh, "%s.revert", d->head) < 0 || asprintf(&h->before, "%s.before", d->head) < 0)
		return err_nomem(err);
	/* Of somebody who did not come to the end. */
	unlink(h->fresh);
	rc = image_copy(d->file, h->fresh, true, &o, err);
	h->made = !rc;
	/* What it is made of cannot be written. */
	if (!rc && chmod(h->fresh, stat(d->head, &st) ? 0600 : st.st_mode & 07777))
		rc = err_os(err, errno, "%s", h->fresh);
	return rc;
}

static int lock_old(const struct reverter *r, const struct snapshot_disk *d, struct head *h, struct pvctl_error *err)
{
	if (access(d->head, F_OK))
		return 0;
	return r->domid ? image_open_ended(d->head, &h->lock, err) : image_open_locked(d->head, true, &h->lock, err);
}

static int place_head(const struct reverter *r, const struct snapshot_disk *d, struct head *h, struct pvctl_error *err)
{
	int rc = lock_old(r, d, h, err);

	if (rc)
		return rc;
	/* Of somebody who did not come to the end: then the disk itself is what he had put there, or what he had not replaced yet. */
	unlink(h->before);
	if (h->lock >= 0 && link(d->head, h->before))
		return err_os(err, errno, "%s", h->before);
	h->kept = h->lock >= 0;
	if (rename(h->fresh, d->head))
		return err_os(err, errno, "%s", d->head);
	h->placed = true;
	(void)fd_sync_parent(d->head);
	return 0;
}

static void put_back(struct reverter *r)
{
	for (size_t k = 0; k < r->s.n_disks; k++) {
		struct head *h = &r->head[k];

		if (h->placed && h->kept)
			(void)rename(h->before, r->s.disk[k].head);
		else if (h->placed)
			unlink(r->s.disk[k].head);
		else if (h->kept)
			unlink(h->before);
		if (h->made && !h->placed)
			unlink(h->fresh);
	}
}

static int plan(struct reverter *r, const char *name, struct pvctl_error *err)
{
	char path[SNAPSHOT_FILE_PATH];
	int rc = snapshot_hold(r->ctx->node, r->domain, false, &r->hold, err);

	rc = rc ? rc : snapshot_load(r->ctx->node, r->domain, name, &r->s, err);
	rc = rc ? rc : dir_of(r->ctx->node, r->domain, name, r->dir, err);
	rc = rc ? rc : check_all(r->ctx, &r->s, r->dir, err);
	if (rc)
		return rc;
	if (r->s.memory.name[0]) {
		snapshot_path(r->dir, r->s.memory.name, path);
		r->memory = open(path, O_RDONLY | O_CLOEXEC);
		if (r->memory < 0)
			return err_os(err, errno, "%s", path);
	}
	rc = pvctl_domain_lookup(r->ctx, r->domain, &r->domid, err);
	if (rc == -ESRCH) {
		r->domid = 0;
		rc = 0;
	}
	r->head = calloc(r->s.n_disks + 1, sizeof(*r->head));
	if (!r->head)
		return err_nomem(err);
	for (size_t k = 0; k < r->s.n_disks; k++)
		r->head[k].lock = -1;
	for (size_t k = 0; k < r->s.n_disks && !rc; k++)
		rc = make_head(&r->s.disk[k], &r->head[k], err);
	return rc;
}

static int new_generation(void *data, uint32_t domid, struct pvctl_error *err)
{
	return identity_generation(data, domid, err);
}

/* What it is from here on: with memory it goes on; of disks alone it boots, if it ran. */
static int start(struct reverter *r, uint32_t *ret_domid, struct pvctl_error *err)
{
	const struct pvctl_restore_opts restore = { .size = sizeof(restore), .paused = r->o.paused, .ready = new_generation, .ready_data = r->ctx };
	const struct pvctl_create_opts create = { .size = sizeof(create), .paused = r->o.paused };

	*ret_domid = 0;
	if (r->memory >= 0)
		return pvctl_domain_restore(r->ctx, r->memory, r->s.config, &restore, ret_domid, NULL, err);
	return r->domid ? pvctl_domain_create(r->ctx, r->s.config, &create, ret_domid, err) : 0;
}

static int define(const struct reverter *r, struct pvctl_error *err)
{
	struct disk_spec s;
	const char *item;
	int rc = 0;

	for (size_t i = 0; !rc && (item = pvctl_config_get_item(r->s.config, "disk", i)); i++)
		if (!disk_spec_parse(item, &s, NULL) && !s.readonly && s.target[0])
			rc = definition_retarget(r->ctx->node, r->domain, s.vdev, NULL, item, err);
	return rc;
}

static int replace(struct reverter *r, uint32_t *ret_domid, struct pvctl_error *err)
{
	int rc = 0;

	step(r, "staged");
	if (r->domid)
		rc = pvctl_domain_destroy(r->ctx, r->domid, NULL, err);
	if (rc)
		return rc;
	step(r, "ended");
	for (size_t k = 0; k < r->s.n_disks && !rc; k++)
		rc = place_head(r, &r->s.disk[k], &r->head[k], err);
	step(r, "placed");
	rc = rc ? rc : start(r, ret_domid, err);
	if (rc)
		return r->domid ? err_wrap(err, rc, "the domain has ended, and its disks are as they were then") : rc;
	step(r, "started");
	return 0;
}

static void reverter_free(struct reverter *r, int rc)
{
	if (rc && r->head)
		put_back(r);
	for (size_t k = 0; r->head && k < r->s.n_disks; k++) {
		if (!rc && r->head[k].kept)
			unlink(r->head[k].before);
		fd_unlock_close(r->head[k].lock);
		free(r->head[k].fresh);
		free(r->head[k].before);
	}
	free(r->head);
	if (r->memory >= 0)
		close(r->memory);
	snapshot_free(&r->s);
	snapshot_release(&r->hold);
}

int pvctl_snapshot_revert(struct pvctl *ctx, const char *domain, const char *name, const struct pvctl_snapshot_revert_opts *opts,
                          uint32_t *ret_domid, struct pvctl_error *err)
{
	struct reverter r = { .ctx = ctx, .domain = domain, .hold = { .base = -1, .own = -1 }, .memory = -1 };
	uint32_t domid = 0;
	int rc = opts_load(&r.o, sizeof(r.o), opts, err), defined = 0;

	rc = rc ? rc : plan(&r, name, err);
	rc = rc ? rc : replace(&r, &domid, err);
	if (!rc && (defined = define(&r, err)))
		defined = err_wrap(err, defined, "it is as it was, but its definition has other disks");
	if (!rc)
		*ret_domid = domid;
	reverter_free(&r, rc);
	return rc ? rc : defined;
}
