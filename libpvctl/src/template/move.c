/* SPDX-License-Identifier: MIT */
/* A template to and from another directory. What comes in may be anybody's: it is copied first, and then looked at. */
#include "device/disk_image.h"
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

#define MANIFEST_MAX (1u << 20)

/* It would lead to files that are not the template's. */
static int no_link(const char *path, struct pvctl_error *err)
{
	struct stat st;

	if (lstat(path, &st))
		return err_os(err, errno, "%s", path);
	return S_ISREG(st.st_mode) ? 0 : err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is no regular file", path);
}

/* Files that are no disks come first. */
static size_t named(const struct manifest *m)
{
	return (size_t)(m->kernel.name[0] != '\0') + (m->ramdisk.name[0] != '\0') + (m->memory.name[0] != '\0');
}

static int copy_files(const char *from, const char *to, struct pvctl *ctx, struct pvctl_error *err)
{
	char source[TEMPLATE_PATH + 80], target[TEMPLATE_PATH + 80];
	CLEANUP_FREE char *text = NULL;
	struct template_file *f, now;
	struct manifest m;
	int rc;

	snprintf(source, sizeof(source), "%s/manifest.json", from);
	snprintf(target, sizeof(target), "%s/manifest.json", to);
	rc = no_link(source, err);
	rc = rc ? rc : template_copy(source, target, MANIFEST_MAX, err);
	if (rc)
		return rc;
	rc = fd_read_text(target, MANIFEST_MAX, &text);
	if (rc)
		return err_os(err, -rc, "%s", target);
	rc = manifest_parse(text, &m, err);
	if (rc)
		return err_wrap(err, rc, "%s", source);
	for (size_t i = 0; !rc && (f = manifest_file(&m, i)); i++) {
		snprintf(source, sizeof(source), "%s/%s", from, f->name);
		snprintf(target, sizeof(target), "%s/%s", to, f->name);
		rc = no_link(source, err);
		rc = rc ? rc : template_copy(source, target, f->bytes, err);
		rc = rc ? rc : template_hash(ctx, target, &now, err);
		if (!rc && (now.bytes != f->bytes || strcmp(now.sha256, f->sha256)))
			rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s is not what the manifest says: its checksum differs", source);
		if (!rc && i >= named(&m))
			rc = disk_image_check_alone(target, err);
		if (!rc && chmod(target, 0400))
			rc = err_os(err, errno, "%s", target);
	}
	manifest_free(&m);
	return rc;
}

/* parent/last appears as a whole, or not at all. */
static int copy_dir(struct pvctl *ctx, const char *from, const char *parent, const char *last, struct pvctl_error *err)
{
	char fresh[TEMPLATE_PATH], to[TEMPLATE_PATH];
	int rc;

	if (snprintf(to, sizeof(to), "%s/%s", parent, last) >= (int)sizeof(to) ||
	    snprintf(fresh, sizeof(fresh), "%s/.new-XXXXXX", parent) >= (int)sizeof(fresh) || strlen(from) >= TEMPLATE_PATH)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the path is too long", strlen(from) >= TEMPLATE_PATH ? from : parent);
	if (!access(to, F_OK))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "%s is there already", to);
	if (!mkdtemp(fresh))
		return err_os(err, errno, "%s", parent);
	rc = copy_files(from, fresh, ctx, err);
	if (!rc && rename(fresh, to))
		rc = err_os(err, errno, "%s", to);
	if (rc)
		template_remove_dir(fresh);
	return rc;
}

int pvctl_template_export(struct pvctl *ctx, const char *name, const char *dir, struct pvctl_error *err)
{
	char from[TEMPLATE_PATH];
	struct manifest m;
	int rc = template_read(name, &m, err);

	if (rc)
		return rc;
	manifest_free(&m);
	rc = template_dir(name, from, err);
	return rc ? rc : copy_dir(ctx, from, dir, name, err);
}

int pvctl_template_import(struct pvctl *ctx, const char *dir, const char *name, struct pvctl_error *err)
{
	char base[TEMPLATE_PATH], to[TEMPLATE_PATH];
	int rc = template_dir(name, to, err);

	rc = rc ? rc : template_base(base, err);
	return rc ? rc : copy_dir(ctx, dir, base, name, err);
}
