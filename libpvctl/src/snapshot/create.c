/* SPDX-License-Identifier: MIT */
/*
 * A domain at one moment, on disk. Its directory is called .new-* until all of it is there; then it is renamed, and that is when
 * there is a snapshot. Whatever ends us before: the domain goes on, on disks that are whole, and recover.c sees what is left.
 */
#include "clone/moment.h"
#include "disk/image.h"
#include "save/private.h"
#include "snapshot/private.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/grow.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct taker {
	struct pvctl *ctx;         /* NULL: it does not run */
	const char *node;
	struct pvctl_snapshot_opts o;
	struct pvctl_domain_info info;
	struct snapshot s;
	struct snapshot_hold hold;
	struct fork fork;
	struct moment moment;
	char *copy_name;
	int lock[SNAPSHOT_MAX_DISKS];
	size_t locks;
	char parent[SNAPSHOT_PATH], dir[SNAPSHOT_PATH], fresh[SNAPSHOT_PATH];
	bool made, named;
};

static int choose_name(struct taker *t, const char *name, struct pvctl_error *err)
{
	struct timespec now;
	struct tm tm;
	int rc = name ? snapshot_check_name(name, err) : 0;

	clock_gettime(CLOCK_REALTIME, &now);
	t->s.created_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (rc)
		return rc;
	t->named = name != NULL;
	if (name)
		snprintf(t->s.name, sizeof(t->s.name), "%s", name);
	else
		strftime(t->s.name, sizeof(t->s.name), "%Y%m%d-%H%M%S", localtime_r(&now.tv_sec, &tm));
	if (t->o.description && strlen(t->o.description) >= sizeof(t->s.description))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a description has at most %zu bytes", sizeof(t->s.description) - 1);
	snprintf(t->s.description, sizeof(t->s.description), "%s", t->o.description ? t->o.description : "");
	return 0;
}

static int plan_dir(struct taker *t, struct pvctl_error *err)
{
	if (snprintf(t->dir, sizeof(t->dir), "%s/%s", t->parent, t->s.name) >= (int)sizeof(t->dir) ||
	    snprintf(t->fresh, sizeof(t->fresh), "%s/" SNAPSHOT_NEW "XXXXXX", t->parent) >= (int)sizeof(t->fresh))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", t->parent);
	if (!access(t->dir, F_OK))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "domain \"%s\" has a snapshot \"%s\" already", t->s.domain, t->s.name);
	return 0;
}

/* Named by the second alone, the next one of that has a number. */
static int plan_dirs(struct taker *t, struct pvctl_error *err)
{
	size_t n = strlen(t->s.name);
	int rc = snapshot_domain_dir(t->node, t->s.domain, t->parent, err);

	rc = rc ? rc : plan_dir(t, err);
	for (unsigned int k = 2; rc == -EEXIST && !t->named && k < 1000; k++) {
		snprintf(t->s.name + n, sizeof(t->s.name) - n, "-%u", k);
		rc = plan_dir(t, err);
	}
	return rc;
}

static int plan_disks(struct taker *t, struct pvctl_error *err)
{
	struct pvctl_disk_image_info info;
	int rc;

	if (asprintf(&t->copy_name, "%s-%s", t->s.domain, t->s.name) < 0) {
		t->copy_name = NULL;
		return err_nomem(err);
	}
	t->fork = (struct fork){ .ctx = t->ctx, .domid = t->info.domid, .node = t->node, .name = t->s.domain, .dir = t->o.disks, .copy_name = &t->copy_name,
	                         .copies = 1, .keep = true, .say = t->o.say, .say_data = t->o.say_data };
	rc = fork_plan(&t->fork, t->s.config, err);
	if (!rc && t->fork.n > SNAPSHOT_MAX_DISKS)
		rc = err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "a snapshot has at most %u disks", SNAPSHOT_MAX_DISKS);
	t->s.disk = calloc(t->fork.n + 1, sizeof(*t->s.disk));
	if (!rc && !t->s.disk)
		rc = err_nomem(err);
	for (size_t i = 0; i < t->fork.n && !rc; i++) {
		const struct fork_disk *f = &t->fork.disk[i];
		struct snapshot_disk *d = &t->s.disk[t->s.n_disks];

		if (f->how == FORK_SHARED)
			continue;
		info = (struct pvctl_disk_image_info){ .size = sizeof(info) };
		rc = pvctl_disk_image_get(f->path, disk_format_name(f->spec.format), &info, err);
		snprintf(d->vdev, sizeof(d->vdev), "%s", f->spec.vdev_name);
		d->overlay = f->how != FORK_REFLINK;
		d->format = f->spec.format;
		d->bytes = info.bytes;
		snprintf(d->file, sizeof(d->file), "%s", !d->overlay ? f->copy[0] : f->base ? f->base : f->path);
		snprintf(d->head, sizeof(d->head), "%s", f->how == FORK_RETARGET ? f->own : f->path);
		snprintf(d->fresh, sizeof(d->fresh), "%s", d->overlay ? f->own : "");
		snprintf(d->was, sizeof(d->was), "%s", d->overlay ? f->path : "");
		t->s.n_disks++;
	}
	return rc ? rc : fork_set_disks(&t->fork, t->s.config, FORK_ITSELF, err);
}

/* What would refuse it, before anything is done. */
static int plan(struct taker *t, uint32_t domid, const char *name, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "kept in a snapshot", err);

	if (!rc && !t->o.no_memory)
		rc = refuse_pvh(t->ctx, domid, "snapshot with memory", err);
	rc = rc ? rc : pvctl_domain_get(t->ctx, domid, &t->info, err);
	snprintf(t->s.domain, sizeof(t->s.domain), "%s", t->info.name);
	rc = rc ? rc : choose_name(t, name, err);
	rc = rc ? rc : snapshot_hold(t->node, t->s.domain, false, &t->hold, err);
	rc = rc ? rc : plan_dirs(t, err);
	if (!rc && !t->o.no_memory)
		rc = domain_may_move(t->ctx, domid, err);
	rc = rc ? rc : save_config_now(t->ctx, domid, &t->s.config, err);
	rc = rc ? rc : plan_disks(t, err);
	if (!rc && t->o.no_memory && !t->s.n_disks)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain \"%s\" has no disk that it writes: there is nothing to keep without its memory",
		             t->s.domain);
	return rc;
}

/* The manifest goes first: it says what the files are that are made from here on. */
static int begin(struct taker *t, struct pvctl_error *err)
{
	char path[SNAPSHOT_FILE_PATH];
	int rc;

	if (!mkdtemp(t->fresh))
		return err_os(err, errno, "%s", t->parent);
	t->made = true;
	rc = snapshot_write(&t->s, t->fresh, err);
	if (rc || t->o.no_memory)
		return rc;
	snprintf(t->s.memory.name, sizeof(t->s.memory.name), SNAPSHOT_MEMORY);
	snapshot_path(t->fresh, SNAPSHOT_MEMORY, path);
	t->moment.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return t->moment.fd < 0 ? err_os(err, errno, "%s", path) : 0;
}

/* The domain runs again. */
static int finish(struct taker *t, struct pvctl_error *err)
{
	char path[SNAPSHOT_FILE_PATH];
	int rc = 0;

	fork_finish(&t->fork);
	moment_point(&t->moment, "finished");
	snapshot_path(t->fresh, SNAPSHOT_MEMORY, path);
	if (t->moment.fd >= 0 && fsync(t->moment.fd))
		rc = err_os(err, errno, "%s", path);
	if (!rc && t->moment.fd >= 0)
		rc = template_hash(t->ctx, path, &t->s.memory, err);
	if (!rc && t->moment.fd >= 0)
		(void)fchmod(t->moment.fd, 0400);
	for (size_t i = 0; i < t->s.n_disks && !rc; i++) {
		t->s.disk[i].fresh[0] = t->s.disk[i].was[0] = '\0';
		if (!t->s.disk[i].overlay && (rc = fd_sync_path(t->s.disk[i].file)))
			rc = err_os(err, -rc, "%s", t->s.disk[i].file);
		if (!t->s.disk[i].overlay)
			(void)chmod(t->s.disk[i].file, 0400);
	}
	rc = rc ? rc : snapshot_write(&t->s, t->fresh, err);
	moment_point(&t->moment, "written");
	if (!rc && rename(t->fresh, t->dir))
		rc = err_os(err, errno, "%s", t->dir);
	if (rc)
		return rc;
	t->made = false;
	(void)fd_sync_path(t->parent);
	moment_point(&t->moment, "published");
	return 0;
}

static void taker_free(struct taker *t)
{
	while (t->locks)
		fd_unlock_close(t->lock[--t->locks]);
	if (t->moment.fd >= 0)
		close(t->moment.fd);
	/* In doubt it says to recover.c what there is. */
	if (t->made && !fork_in_doubt(&t->fork))
		template_remove_dir(t->fresh);
	fork_free(&t->fork);
	free(t->copy_name);
	snapshot_free(&t->s);
	snapshot_release(&t->hold);
}

static int take(struct taker *t, struct pvctl_snapshot_stats *ret, int (*moment)(struct taker *t, struct pvctl_error *err), uint64_t start,
                struct pvctl_error *err)
{
	struct pvctl_snapshot_stats stats = { 0 };
	int rc = begin(t, err);

	if (!rc) {
		moment_point(&t->moment, "begun");
		rc = moment(t, err);
		if (!rc && (rc = finish(t, err)))
			fork_drop_copies(&t->fork);
	}
	snprintf(stats.name, sizeof(stats.name), "%s", t->s.name);
	stats.pause_ns = t->moment.pause_ns;
	stats.bytes = t->moment.bytes;
	stats.rounds = t->moment.rounds;
	stats.total_ns = ctx_now_ns() - start;
	if (!rc && ret)
		grow_out(ret, &stats, sizeof(stats));
	return rc;
}

static int taker_options(struct taker *t, const struct pvctl_snapshot_opts *opts, const struct pvctl_snapshot_stats *ret, struct pvctl_error *err)
{
	int rc = opts_load(&t->o, sizeof(t->o), opts, err);

	t->moment.suspend_timeout_ms = t->o.suspend_timeout_ms;
	t->moment.point = t->o.step;
	t->moment.point_data = t->o.step_data;
	return !rc && ret ? grow_check(ret, err) : rc;
}

static int take_running(struct taker *t, struct pvctl_error *err)
{
	char path[SNAPSHOT_FILE_PATH];
	int rc = moment_take(&t->moment, &t->fork, err);

	snapshot_path(t->dir, SNAPSHOT_MEMORY, path);
	return t->moment.fd >= 0 && fd_write_failed(rc) ? err_wrap(err, rc, "%s", path) : rc;
}

int pvctl_snapshot_create(struct pvctl *ctx, uint32_t domid, const char *name, const struct pvctl_snapshot_opts *opts,
                          struct pvctl_snapshot_stats *ret, struct pvctl_error *err)
{
	struct taker t = { .ctx = ctx, .node = ctx->node, .info.size = sizeof(t.info), .hold = { .base = -1, .own = -1 }, .moment.fd = -1 };
	uint64_t start = ctx_now_ns();
	int rc = taker_options(&t, opts, ret, err);

	if (rc)
		return rc;
	rc = plan(&t, domid, name, err);
	rc = rc ? rc : take(&t, ret, take_running, start, err);
	taker_free(&t);
	return rc;
}

/* ---- of one that does not run ---- */

static int must_not_run(struct taker *t, struct pvctl_error *err)
{
	const struct pvctl_open_opts open = { .size = sizeof(open), .node = t->node };
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc = pvctl_open(&open, &ctx, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = pvctl_domain_lookup(ctx, t->s.domain, &domid, err);
	pvctl_close(ctx);
	if (rc)
		return rc == -ESRCH ? 0 : rc;
	return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain \"%s\" runs", t->s.domain);
}

/* Who would start it meanwhile finds its disks in use. */
static int lock_disks(struct taker *t, struct pvctl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < t->fork.n && !rc; i++) {
		if (t->fork.disk[i].how == FORK_SHARED)
			continue;
		rc = image_open_locked(t->fork.disk[i].path, true, &t->lock[t->locks], err);
		t->locks += !rc;
	}
	return rc;
}

static int plan_stopped(struct taker *t, const char *domain, const char *name, struct pvctl_error *err)
{
	int rc = key_check_name("name", domain, err);

	snprintf(t->s.domain, sizeof(t->s.domain), "%s", domain);
	rc = rc ? rc : choose_name(t, name, err);
	rc = rc ? rc : pvctl_defined_get(t->node, domain, &t->s.config, err);
	rc = rc ? rc : snapshot_hold(t->node, domain, false, &t->hold, err);
	rc = rc ? rc : plan_dirs(t, err);
	rc = rc ? rc : must_not_run(t, err);
	rc = rc ? rc : plan_disks(t, err);
	if (!rc && !t->s.n_disks)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain \"%s\" does not run and has no disk that it writes: there is nothing to keep", domain);
	return rc ? rc : lock_disks(t, err);
}

static int take_stopped(struct taker *t, struct pvctl_error *err)
{
	int rc = fork_prepare(&t->fork, err);

	moment_point(&t->moment, "prepared");
	rc = rc ? rc : fork_switch(&t->fork, err);
	moment_point(&t->moment, "switched");
	if (rc)
		fork_undo(&t->fork);
	return rc;
}

int pvctl_snapshot_create_stopped(const char *node, const char *domain, const char *name, const struct pvctl_snapshot_opts *opts,
                                  struct pvctl_snapshot_stats *ret, struct pvctl_error *err)
{
	struct taker t = { .node = node ? node : "default", .s.stopped = true, .hold = { .base = -1, .own = -1 }, .moment.fd = -1 };
	uint64_t start = ctx_now_ns();
	int rc = taker_options(&t, opts, ret, err);

	if (rc)
		return rc;
	t.o.no_memory = 1;
	rc = plan_stopped(&t, domain, name, err);
	rc = rc ? rc : take(&t, ret, take_stopped, start, err);
	taker_free(&t);
	return rc;
}
