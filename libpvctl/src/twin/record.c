/* SPDX-License-Identifier: MIT */
#include "twin/record.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/fresh.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

static void add_disk(struct snapshot *s, const struct fork_disk *f, bool switched)
{
	struct snapshot_disk *d = &s->disk[s->n_disks++];

	*d = (struct snapshot_disk){ .overlay = true, .format = f->spec.format, .bytes = f->bytes };
	snprintf(d->vdev, sizeof(d->vdev), "%s", f->spec.vdev_name);
	snprintf(d->file, sizeof(d->file), "%s", f->base ? f->base : f->path);
	snprintf(d->head, sizeof(d->head), "%s", f->how == FORK_RETARGET ? f->own : f->path);
	if (switched)
		return;
	snprintf(d->fresh, sizeof(d->fresh), "%s", f->own);
	snprintf(d->was, sizeof(d->was), "%s", f->path);
}

static int add_copy(struct snapshot *s, const char *file, bool switched, struct pvctl_error *err)
{
	struct snapshot_copy *c = &s->copy[s->n_copies++];

	c->file = strdup(file);
	c->stamp = switched ? snapshot_stamp(file) : strdup("");
	return c->file && c->stamp ? 0 : err_nomem(err);
}

static int fill(struct snapshot *s, const struct fork *f, bool switched, struct pvctl_error *err)
{
	int rc = 0;

	snprintf(s->domain, sizeof(s->domain), "%s", f->name);
	snprintf(s->name, sizeof(s->name), "clone");
	s->disk = calloc(f->n + 1, sizeof(*s->disk));
	s->copy = calloc(f->n * f->copies + 1, sizeof(*s->copy));
	if (!s->disk || !s->copy)
		return err_nomem(err);
	for (size_t i = 0; i < f->n && !rc; i++) {
		const struct fork_disk *d = &f->disk[i];

		if (d->how != FORK_SHARED && d->how != FORK_REFLINK)
			add_disk(s, d, switched);
		for (uint32_t k = 0; d->how != FORK_SHARED && k < f->copies && !rc; k++)
			rc = add_copy(s, d->copy[k], switched, err);
	}
	return rc;
}

/* Not on stable storage: that a process was killed is what it is for. */
static int write_record(const struct record *r, const struct fork *f, const struct pvctl_config *config, bool switched, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	struct snapshot s = { .n_disks = 0 };
	struct iovec v;
	int rc = config_copy(config, &s.config, err);

	rc = rc ? rc : fill(&s, f, switched, err);
	rc = rc ? rc : snapshot_format(&s, &text, err);
	snapshot_free(&s);
	if (rc)
		return rc;
	v = (struct iovec){ text, strlen(text) };
	rc = fd_write_atomic(r->dir, SNAPSHOT_MANIFEST, &v, 1);
	return rc ? err_os(err, -rc, "%s/" SNAPSHOT_MANIFEST, r->dir) : 0;
}

int record_begin(struct record *r, const struct fork *f, const struct pvctl_config *config, struct pvctl_error *err)
{
	char base[SNAPSHOT_PATH];
	int rc = snapshot_clones_dir(f->node, base, err);

	if (rc)
		return rc;
	snapshot_recover_clones(f->node);
	rc = fresh_make(base, SNAPSHOT_NEW, r->dir, sizeof(r->dir), &r->lock);
	if (rc)
		return err_os(err, -rc, "%s", base);
	rc = write_record(r, f, config, false, err);
	if (rc)
		record_end(r, false);
	return rc;
}

int record_switched(struct record *r, const struct fork *f, const struct pvctl_config *config, struct pvctl_error *err)
{
	return write_record(r, f, config, true, err);
}

void record_end(struct record *r, bool keep)
{
	if (r->lock >= 0 && !keep)
		template_remove_dir(r->dir);
	fd_unlock_close(r->lock);
	r->lock = -1;
}
