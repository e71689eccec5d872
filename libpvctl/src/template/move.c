/* SPDX-License-Identifier: MIT */
/* A template to and from another directory. What comes in may be anybody's: it is copied first, and then looked at. */
#include "device/disk_image.h"
#include "template/private.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/fresh.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* It would lead to files that are not the template's. */
static int no_link(const char *path, struct pvctl_error *err)
{
	struct stat st;

	if (lstat(path, &st))
		return err_os(err, errno, "%s", path);
	return S_ISREG(st.st_mode) ? 0 : err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is no regular file", path);
}

static int copy_file(struct pvctl *ctx, const char *from, const char *to, const struct template_file *f, struct pvctl_error *err)
{
	char source[TEMPLATE_FILE_PATH], target[TEMPLATE_FILE_PATH];
	struct template_file now;
	int rc;

	template_path(from, f->name, source);
	template_path(to, f->name, target);
	rc = no_link(source, err);
	rc = rc ? rc : template_copy(source, target, f->bytes, err);
	rc = rc ? rc : template_hash(ctx, target, &now, err);
	if (!rc && (now.bytes != f->bytes || strcmp(now.sha256, f->sha256)))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not what the manifest says: its checksum differs", source);
	if (!rc && chmod(target, 0400))
		rc = err_os(err, errno, "%s", target);
	if (!rc && (rc = fd_sync_path(target)))
		rc = err_os(err, -rc, "%s", target);
	return rc;
}

static int copy_files(struct pvctl *ctx, const char *from, const char *to, struct pvctl_error *err)
{
	char source[TEMPLATE_FILE_PATH], target[TEMPLATE_FILE_PATH];
	struct template_file *f;
	struct manifest m;
	int rc;

	template_path(from, TEMPLATE_MANIFEST, source);
	template_path(to, TEMPLATE_MANIFEST, target);
	rc = no_link(source, err);
	rc = rc ? rc : template_copy(source, target, TEMPLATE_MANIFEST_MAX, err);
	rc = rc ? rc : template_load(to, &m, err);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && (f = manifest_file(&m, i)); i++)
		rc = copy_file(ctx, from, to, f, err);
	for (size_t i = 0; i < m.n_disks && !rc; i++) {
		template_path(to, m.disk[i].file.name, target);
		rc = disk_image_check_alone(target, err);
	}
	manifest_free(&m);
	template_path(to, TEMPLATE_MANIFEST, target);
	if (!rc && ((rc = fd_sync_path(target)) || (rc = fd_sync_path(to))))
		rc = err_os(err, -rc, "%s", target);
	return rc;
}

/* parent/last appears as a whole, or not at all. In a directory of somebody else's, what was left there is for him to see. */
static int copy_dir(struct pvctl *ctx, const char *from, const char *parent, const char *last, struct pvctl_error *err)
{
	char fresh[TEMPLATE_PATH], to[TEMPLATE_PATH];
	int rc, lock;

	if (snprintf(to, sizeof(to), "%s/%s", parent, last) >= (int)sizeof(to) || strlen(from) >= TEMPLATE_PATH)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", strlen(from) >= TEMPLATE_PATH ? from : parent);
	if (!access(to, F_OK))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "%s is there already", to);
	rc = fresh_make(parent, TEMPLATE_NEW, fresh, sizeof(fresh), &lock);
	if (rc)
		return err_os(err, -rc, "%s", parent);
	rc = copy_files(ctx, from, fresh, err);
	if (!rc && rename(fresh, to))
		rc = err_os(err, errno, "%s", to);
	if (rc)
		template_remove_dir(fresh);
	else
		(void)fd_sync_path(parent);
	fd_unlock_close(lock);
	return rc;
}

int pvctl_template_export(struct pvctl *ctx, const char *name, const char *dir, struct pvctl_error *err)
{
	char from[TEMPLATE_PATH];
	struct manifest m;
	int held, rc = template_hold(name, false, &held, err);

	if (rc)
		return rc;
	rc = template_read(name, &m, err);
	if (!rc)
		manifest_free(&m);
	rc = rc ? rc : template_dir(name, from, err);
	rc = rc ? rc : copy_dir(ctx, from, dir, name, err);
	fd_unlock_close(held);
	return rc;
}

int pvctl_template_import(struct pvctl *ctx, const char *dir, const char *name, struct pvctl_error *err)
{
	char base[TEMPLATE_PATH], to[TEMPLATE_PATH];
	int rc = template_dir(name, to, err);

	rc = rc ? rc : template_base(base, err);
	template_sweep();
	return rc ? rc : copy_dir(ctx, dir, base, name, err);
}
