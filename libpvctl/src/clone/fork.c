/* SPDX-License-Identifier: MIT */
#include "clone/fork.h"
#include "clone/definition.h"
#include "device/disk.h"
#include "disk/image.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int directory_of(const struct fork *f, const struct fork_disk *d, char **ret, struct pvctl_error *err)
{
	if (f->dir) {
		char *full = realpath(f->dir, NULL);

		if (!full)
			return err_os(err, errno, "%s", f->dir);
		*ret = full;
		return 0;
	}
	*ret = strndup(d->path, (size_t)(strrchr(d->path, '/') - d->path));
	return *ret ? 0 : err_nomem(err);
}

/* Does the file system share blocks? On a file that is never seen. */
static bool can_reflink(const char *path, const char *dir)
{
	CLEANUP_CLOSE int in = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = open(dir[0] ? dir : "/", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return in >= 0 && out >= 0 && !ioctl(out, FICLONE, in);
}

#define STAMP_DIGITS 17u

static int name_file(char **ret, const char *dir, const char *name, const struct fork *f, const struct fork_disk *d, const char *tail,
                     struct pvctl_error *err)
{
	if (asprintf(ret, "%s/%s-%s-%s%s", dir, name, d->spec.vdev_name, f->stamp, tail) < 0) {
		*ret = NULL;
		return err_nomem(err);
	}
	if (strlen(*ret) > DISK_TARGET_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s: %.100s...: the path is too long", d->spec.vdev_name, *ret);
	return access(*ret, F_OK) ? 0 : err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "%s exists already: try again in a second", *ret);
}

bool fork_has_named(const char *file)
{
	static const char *const tails[] = { "-base.qcow2", "-base.img", ".qcow2", ".img" };
	size_t len = strlen(file), n;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		n = strlen(tails[i]);
		if (len > n + STAMP_DIGITS && !strcmp(file + len - n, tails[i]))
			return file[len - n - STAMP_DIGITS - 1] == '-' && strspn(file + len - n - STAMP_DIGITS, "0123456789") == STAMP_DIGITS;
	}
	return false;
}

static int name_files(struct fork *f, struct fork_disk *d, bool is_device, struct pvctl_error *err)
{
	CLEANUP_FREE char *dir = NULL, *beside = NULL;
	const char *tail = ".qcow2";
	int rc = directory_of(f, d, &dir, err);

	if (rc)
		return rc;
	if (!is_device && can_reflink(d->path, dir)) {
		d->how = FORK_REFLINK;
		tail = d->spec.format == DISK_RAW ? ".img" : tail;
	} else {
		d->how = d->spec.format == DISK_QCOW2 && !is_device ? FORK_SWAP : FORK_RETARGET;
		rc = name_file(&d->own, dir, f->name, f, d, tail, err);
	}
	beside = strndup(d->path, (size_t)(strrchr(d->path, '/') - d->path));
	if (!rc && !beside)
		rc = err_nomem(err);
	/* Where it is: a second name in another directory may be another file system's. So is the overlay that takes its name. */
	if (!rc && d->how == FORK_SWAP) {
		free(d->own);
		rc = name_file(&d->own, beside, f->name, f, d, tail, err);
	}
	if (!rc && d->how != FORK_REFLINK && !is_device)
		rc = name_file(&d->base, beside, f->name, f, d, d->spec.format == DISK_RAW ? "-base.img" : "-base.qcow2", err);
	for (uint32_t k = 0; !rc && k < f->copies; k++)
		rc = name_file(&d->copy[k], dir, f->copy_name[k], f, d, tail, err);
	return rc;
}

static int plan_disk(struct fork *f, struct fork_disk *d, const char *text, struct pvctl_error *err)
{
	struct stat st;
	int rc = disk_spec_parse(text, &d->spec, err);

	if (rc)
		return rc;
	d->copy = calloc(f->copies + 1, sizeof(*d->copy));
	d->item = strdup(text);
	if (!d->copy || !d->item)
		return err_nomem(err);
	if (d->spec.readonly || !d->spec.target[0])
		return 0;
	if (d->spec.script[0])
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "disk %s is made by a script, which cannot make another of the same contents: detach "
		               "it first (pvctl block-detach)", d->spec.vdev_name);
	d->path = realpath(d->spec.target, NULL);
	if (!d->path || stat(d->path, &st))
		return err_os(err, errno, "disk \"%.600s\"", d->spec.target);
	if (S_ISBLK(st.st_mode) && !f->dir)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s is the device \"%.600s\": what is written from now on needs a directory to be "
		               "in (--disks DIRECTORY)", d->spec.vdev_name, d->spec.target);
	rc = fork_note(d, err);
	return rc ? rc : name_files(f, d, S_ISBLK(st.st_mode), err);
}

int fork_plan(struct fork *f, const struct pvctl_config *config, struct pvctl_error *err)
{
	const struct config_value *list = config_value(config, "disk");
	struct timespec now;
	struct tm tm;
	size_t n;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	n = strftime(f->stamp, sizeof(f->stamp), "%Y%m%d%H%M%S", gmtime_r(&now.tv_sec, &tm));
	snprintf(f->stamp + n, sizeof(f->stamp) - n, "%03ld", now.tv_nsec / 1000000);
	if (!list || !list->list)
		return 0;
	f->disk = calloc(list->n + 1, sizeof(*f->disk));
	if (!f->disk)
		return err_nomem(err);
	for (f->n = 0; f->n < list->n && !rc; f->n++)
		rc = plan_disk(f, &f->disk[f->n], list->list[f->n], err);
	return rc;
}

/* A specification of the same disk on another file. */
static void spec_on(const struct fork_disk *d, const char *path, bool overlay, char text[DISK_SPEC_MAX + 1])
{
	struct disk_spec s = d->spec;

	if (overlay) {
		s.format = DISK_QCOW2;
		s.backend = DISK_BACKEND_ANY;
	}
	snprintf(s.target, sizeof(s.target), "%s", path);
	disk_spec_format(&s, text);
}

static int overlay(const struct fork_disk *d, const char *path, struct pvctl_error *err)
{
	const struct pvctl_disk_copy_opts o = { .size = sizeof(o), .format = disk_format_name(d->spec.format), .overlay = 1 };

	return image_copy(d->base ? d->base : d->path, path, true, &o, err);
}

static int prepare_disk(struct fork *f, struct fork_disk *d, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	int rc = 0;

	if (d->how == FORK_SHARED || d->how == FORK_REFLINK)
		return 0;
	if (d->base && link(d->path, d->base))
		return err_os(err, errno, "disk %s: a second name for its image, %s", d->spec.vdev_name, d->base);
	d->linked = d->base != NULL;
	rc = overlay(d, d->own, err);
	d->own_made = !rc;
	for (; !rc && !f->keep && d->copies_made < f->copies; d->copies_made += !rc)
		rc = overlay(d, d->copy[d->copies_made], err);
	spec_on(d, d->own, true, text);
	if (!rc && f->ctx)
		rc = transport_allow(f->ctx->t, "disk", text, err);
	if (!rc && d->how == FORK_RETARGET) {
		rc = definition_retarget(f->node, f->name, d->spec.vdev, d->path, text, err);
		d->defined = !rc;
	}
	return rc;
}

int fork_prepare(struct fork *f, struct pvctl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < f->n && !rc; i++)
		rc = prepare_disk(f, &f->disk[i], err);
	f->prepared = !rc;
	return rc;
}

bool fork_has_copies(const struct fork *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->disk[i].how == FORK_REFLINK)
			return false;
	return true;
}

static int reflink(const char *from, const char *to, struct pvctl_error *err)
{
	CLEANUP_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (in < 0 || out < 0)
		return err_os(err, errno, "%s", in < 0 ? from : to);
	if (!ioctl(out, FICLONE, in))
		return 0;
	int e = errno;

	unlink(to);
	return err_os(err, e, "%s", to);
}

static int retarget(const struct fork *f, const struct fork_disk *d, const char *text, struct pvctl_error *err)
{
	CLEANUP_BUF struct buf body = { 0 };
	struct proto_device p = { .domid = f->domid, .class_id = PROTO_CLASS_DISK, .devid = d->spec.vdev };

	if (buf_add(&body, &p, sizeof(p)) || buf_add(&body, text, strlen(text)))
		return err_nomem(err);
	return ctx_request(f->ctx, PROTO_DEVICE_RETARGET, body.data, body.len, err);
}

static int switch_disk(struct fork *f, struct fork_disk *d, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	int rc = 0;

	switch (d->how) {
	case FORK_REFLINK:
		for (; !rc && d->copies_made < f->copies; d->copies_made += !rc)
			rc = reflink(d->path, d->copy[d->copies_made], err);
		return rc;
	case FORK_SWAP:
		if (rename(d->own, d->path))
			return err_os(err, errno, "%s", d->path);
		break;
	case FORK_RETARGET:
		/* Of one that does not run the definition is all that there is to tell. */
		if (!f->ctx)
			break;
		spec_on(d, d->own, true, text);
		rc = retarget(f, d, text, err);
		d->doubtful = rc != 0;
		if (rc)
			return rc;
		break;
	default:
		return 0;
	}
	d->switched = true;
	return 0;
}

int fork_switch(struct fork *f, struct pvctl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < f->n && !rc; i++)
		rc = switch_disk(f, &f->disk[i], err);
	return rc;
}

void fork_drop_copies(struct fork *f)
{
	for (size_t i = 0; i < f->n; i++)
		while (f->disk[i].copies_made)
			unlink(f->disk[i].copy[--f->disk[i].copies_made]);
}

static void undo_disk(struct fork *f, struct fork_disk *d)
{
	char text[DISK_SPEC_MAX + 1];

	/* The domain may run on it already: a daemon that lost us lets it. */
	if (d->switched || d->doubtful)
		return;
	disk_spec_format(&d->spec, text);
	if (d->defined && definition_retarget(f->node, f->name, d->spec.vdev, d->own, text, NULL))
		return;
	d->defined = false;
	if (d->own_made)
		unlink(d->own);
	if (d->linked)
		unlink(d->base);
	d->own_made = d->linked = false;
}

static void tell(const struct fork *f, const struct fork_disk *d)
{
	CLEANUP_FREE char *line = NULL;
	int n;

	if (!f->say || !d->switched)
		return;
	if (d->how == FORK_SWAP)
		n = asprintf(&line, "disk %s of %s: %s is an overlay from now on; what it is based on is %s, which must not be changed",
		             d->spec.vdev_name, f->name, d->path, d->base);
	else
		n = asprintf(&line, "disk %s of %s: it is %s (qcow2) from now on, and a config file has to say so; what it is based on is %s, "
		             "which must not be changed", d->spec.vdev_name, f->name, d->own, d->base ? d->base : d->path);
	if (n >= 0)
		f->say(f->say_data, line);
}

void fork_finish(struct fork *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fork_disk *d = &f->disk[i];

		if (d->switched && d->how == FORK_RETARGET && d->base)
			unlink(d->path);
		if (d->switched && d->base)
			(void)chmod(d->base, 0444);
		/* What the guest flushes from now on is found by these names. */
		if (d->switched)
			(void)fd_sync_parent(d->path);
		tell(f, d);
	}
}

void fork_undo(struct fork *f)
{
	for (size_t i = 0; i < f->n; i++)
		undo_disk(f, &f->disk[i]);
	fork_drop_copies(f);
	fork_finish(f);
}

bool fork_in_doubt(const struct fork *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->disk[i].doubtful)
			return true;
	return false;
}

static const char *file_of(const struct fork_disk *d, uint32_t copy)
{
	if (copy != FORK_ITSELF)
		return d->how == FORK_SHARED ? d->spec.target : d->copy[copy];
	return d->how == FORK_RETARGET ? d->own : d->spec.target;
}

int fork_set_disks(const struct fork *f, struct pvctl_config *c, uint32_t copy, struct pvctl_error *err)
{
	char (*text)[DISK_SPEC_MAX + 1] = calloc(f->n + 1, sizeof(*text));
	const char **list = calloc(f->n + 1, sizeof(*list));
	int rc = text && list ? 0 : err_nomem(err);

	for (size_t i = 0; i < f->n && !rc; i++) {
		const struct fork_disk *d = &f->disk[i];

		spec_on(d, file_of(d, copy), d->how == FORK_RETARGET || (d->how == FORK_SWAP && copy != FORK_ITSELF), text[i]);
		list[i] = text[i];
	}
	if (!rc && f->n)
		rc = pvctl_config_set_list(c, "disk", list, f->n, err);
	free(text);
	free(list);
	return rc;
}

void fork_free(struct fork *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct fork_disk *d = &f->disk[i];

		for (uint32_t k = 0; d->copy && k < f->copies; k++)
			free(d->copy[k]);
		free(d->copy);
		free(d->item);
		free(d->path);
		free(d->base);
		free(d->own);
	}
	free(f->disk);
	f->disk = NULL;
	f->n = 0;
}
