/* SPDX-License-Identifier: MIT */
/* A template from a configuration, its disks, and the domain that has them. */
#include "device/disk_image.h"
#include "device/vif_spec.h"
#include "domain/private.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/fresh.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct maker {
	struct pvctl *ctx;
	const struct pvctl_config *from;
	struct pvctl_template_make_opts o;
	struct manifest m;
	char dir[TEMPLATE_PATH];
};

static void unset(struct pvctl_config *c, const char *key)
{
	struct config_value *v = &c->value[config_find(key, NULL)];

	for (size_t i = 0; i < v->n; i++)
		free(v->list[i]);
	free(v->list);
	free(v->str);
	*v = (struct config_value){ .set = false };
}

/* Addresses are of one domain alone. */
static int strip_macs(struct pvctl_config *c, struct pvctl_error *err)
{
	char text[VIF_SPEC_MAX + 1], *list[64] = { NULL };
	struct vif_spec s;
	const char *item;
	size_t n = 0;
	int rc = 0;

	while (!rc && n < 64 && (item = pvctl_config_get_item(c, "vif", n))) {
		rc = vif_spec_parse(item, &s, err);
		s.has_mac = false;
		s.script[0] = '\0';
		if (!rc)
			vif_spec_format(&s, text);
		if (!rc && !(list[n++] = strdup(text)))
			rc = err_nomem(err);
	}
	if (!rc && n)
		rc = pvctl_config_set_list(c, "vif", (const char *const *)list, n, err);
	while (n)
		free(list[--n]);
	return rc;
}

static int add_file(struct maker *k, const char *key, const char *name, struct template_file *f, struct pvctl_error *err)
{
	const char *path = pvctl_config_get_str(k->from, key);
	char to[TEMPLATE_FILE_PATH];
	int rc;

	if (!path)
		return 0;
	snprintf(f->name, sizeof(f->name), "%s", name);
	template_path(k->dir, name, to);
	rc = template_copy(path, to, UINT64_MAX, err);
	unset(k->m.config, key);
	return rc;
}

static int add_disk(struct maker *k, const char *text, struct pvctl_error *err)
{
	struct template_disk *d = &k->m.disk[k->m.n_disks];
	char to[TEMPLATE_FILE_PATH];
	struct disk_spec s;
	int rc = disk_spec_parse(text, &s, err);

	/* Drives are for media that come and go. */
	if (rc || s.cdrom || !s.target[0])
		return rc;
	if (s.script[0])
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "disk %s is made by a script, and cannot be part of a template", s.vdev_name);
	if (k->m.n_disks == TEMPLATE_MAX_DISKS)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "a template has at most %d disks", TEMPLATE_MAX_DISKS);
	k->m.n_disks++;
	snprintf(d->vdev, sizeof(d->vdev), "%s", s.vdev_name);
	d->readonly = s.readonly;
	snprintf(d->file.name, sizeof(d->file.name), "%s.qcow2", s.vdev_name);
	template_path(k->dir, d->file.name, to);
	if (s.format != DISK_RAW)
		rc = disk_image_check(s.target, s.format, err);
	return rc ? rc : template_flatten(k->ctx, s.target, s.format, k->o.domid != 0, to, err);
}

static int add_memory(struct maker *k, struct pvctl_error *err)
{
	const struct pvctl_save_opts save = { .size = sizeof(save), .leave = PVCTL_SAVE_SUSPENDED };
	char path[TEMPLATE_FILE_PATH];
	int fd, rc;

	snprintf(k->m.memory.name, sizeof(k->m.memory.name), "memory.save");
	template_path(k->dir, k->m.memory.name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_os(err, errno, "%s", path);
	rc = pvctl_domain_save(k->ctx, k->o.domid, fd, &save, NULL, err);
	close(fd);
	return fd_write_failed(rc) ? err_wrap(err, rc, "%s", path) : rc;
}

static int add_disks(struct maker *k, struct pvctl_error *err)
{
	const char *text;
	int rc = 0;

	for (size_t i = 0; !rc && (text = pvctl_config_get_item(k->from, "disk", i)); i++)
		rc = add_disk(k, text, err);
	return rc;
}

/* What is copied is of one moment: a domain that runs stands still meanwhile. */
static int add_state(struct maker *k, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_error ignored;
	bool stopped = false;
	int rc = 0;

	if (k->o.domid) {
		rc = pvctl_domain_get(k->ctx, k->o.domid, &info, err);
		stopped = !rc && info.state != PVCTL_STATE_SHUTDOWN && info.state != PVCTL_STATE_DYING;
		if (!rc && k->o.warm && !stopped)
			rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u does not run: there is no memory to take along", k->o.domid);
	}
	if (rc)
		return rc;
	if (stopped)
		rc = k->o.warm ? add_memory(k, err) : pvctl_domain_suspend(k->ctx, k->o.domid, 0, err);
	ctx_step(k->ctx, "saved");
	if (rc)
		return rc;
	/* Who serves an image that is not raw has a part of it in its own memory until it ends; the domain's memory knows it as written. */
	rc = stopped ? pvctl_domain_release_disks(k->ctx, k->o.domid, err) : 0;
	ctx_step(k->ctx, "released");
	rc = rc ? rc : add_disks(k, err);
	ctx_step(k->ctx, "copied");
	if (stopped && pvctl_domain_resume(k->ctx, k->o.domid, rc ? &ignored : err) && !rc)
		rc = -EIO;
	ctx_step(k->ctx, "resumed");
	return rc;
}

static int finish(struct maker *k, struct pvctl_error *err)
{
	CLEANUP_FREE char *text = NULL;
	char path[TEMPLATE_FILE_PATH];
	struct template_file *f;
	struct iovec v;
	int rc = 0;

	for (size_t i = 0; !rc && (f = manifest_file(&k->m, i)); i++) {
		template_path(k->dir, f->name, path);
		rc = template_hash(k->ctx, path, f, err);
		if (!rc && chmod(path, 0400))
			rc = err_os(err, errno, "%s", path);
		/* What guests flush to disks that are based on it is worth nothing without it. */
		if (!rc && (rc = fd_sync_path(path)))
			rc = err_os(err, -rc, "%s", path);
	}
	rc = rc ? rc : manifest_format(&k->m, &text, err);
	if (rc)
		return rc;
	v = (struct iovec){ text, strlen(text) };
	rc = fd_write_durable(k->dir, TEMPLATE_MANIFEST, &v, 1);
	return rc ? err_os(err, -rc, "%s/" TEMPLATE_MANIFEST, k->dir) : 0;
}

static int fill(struct maker *k, const char *name, struct pvctl_error *err)
{
	static const char *const own[] = { "name", "uuid", "disk", "p9", "channel", "firmware" };
	struct timespec now;
	int rc = config_copy(k->from, &k->m.config, err);

	if (rc)
		return rc;
	clock_gettime(CLOCK_REALTIME, &now);
	k->m.created_unix_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	snprintf(k->m.name, sizeof(k->m.name), "%s", name);
	snprintf(k->m.description, sizeof(k->m.description), "%s", k->o.description ? k->o.description : "");
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		unset(k->m.config, own[i]);
	rc = strip_macs(k->m.config, err);
	rc = rc ? rc : add_file(k, "kernel", "kernel", &k->m.kernel, err);
	rc = rc ? rc : add_file(k, "ramdisk", "ramdisk", &k->m.ramdisk, err);
	rc = rc ? rc : add_state(k, err);
	return rc ? rc : finish(k, err);
}

int pvctl_template_make(struct pvctl *ctx, const char *name, const struct pvctl_config *from,
                        const struct pvctl_template_make_opts *opts, struct pvctl_error *err)
{
	struct maker k = { .ctx = ctx, .from = from };
	char dir[TEMPLATE_PATH], base[TEMPLATE_PATH];
	int rc = opts_load(&k.o, sizeof(k.o), opts, err), lock;

	if (!rc && (k.o.domid || k.o.warm) && !ctx)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "of a domain, on no node");
	if (!rc && k.o.warm && !k.o.domid)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "warm: only a domain that runs has memory to take along");
	if (!rc && k.o.warm)
		rc = refuse_pvh(ctx, k.o.domid, "template with memory", err);
	rc = rc ? rc : template_dir(name, dir, err);
	rc = rc ? rc : template_base(base, err);
	if (!rc && !access(dir, F_OK))
		rc = err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "there is a template \"%s\" already", name);
	if (rc)
		return rc;
	template_sweep();
	rc = fresh_make(base, TEMPLATE_NEW, k.dir, sizeof(k.dir), &lock);
	if (rc)
		return err_os(err, -rc, "%s", base);
	ctx_step(ctx, "begun");
	rc = fill(&k, name, err);
	ctx_step(ctx, "filled");
	if (!rc && rename(k.dir, dir))
		rc = err_os(err, errno, "%s", dir);
	ctx_step(ctx, "published");
	if (rc)
		template_remove_dir(k.dir);
	else
		(void)fd_sync_path(base);
	fd_unlock_close(lock);
	manifest_free(&k.m);
	return rc;
}
