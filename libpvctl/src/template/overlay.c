/* SPDX-License-Identifier: MIT */
#include "device/qcow2.h"
#include "device/qemu_img.h"
#include "disk/image.h"
#include "template/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAYS_MAX 4096u
#define OVERLAY_MS 20000u

/* qemu-img may not make files: it gets an empty one. */
static int make_with(const struct qemu_img *q, const char *path, struct pvctl_error *err)
{
	char says[SAYS_MAX + 1];
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return err_os(err, errno, "%s", path);
	close(fd);
	rc = qemu_img_run(q, path, says, SAYS_MAX, err);
	if (rc)
		unlink(path);
	return rc;
}

/* -EINVAL: qemu-img has to look. */
static int make_plain(const char *base, const char *path)
{
	CLEANUP_FREE struct qcow2_plain *p = malloc(sizeof(*p));
	CLEANUP_CLOSE int fd = -1;
	char program[400];
	int rc;

	if (!p || qcow2_plain(base, p) || paths_find_program("qemu-img", program, sizeof(program)))
		return -EINVAL;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = qcow2_overlay(fd, base, DISK_QCOW2, p->bytes);
	if (rc)
		unlink(path);
	return rc;
}

int template_overlay(const char *base, const char *path, struct pvctl_error *err)
{
	const char *const args[] = { "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, "--", path, NULL };
	const struct qemu_img_file file[] = { { .path = base }, { .path = path, .write = true } };
	const struct qemu_img q = { .args = args, .file = file, .n_files = 2, .need = "templates need it", .limit_ms = OVERLAY_MS };

	int rc = make_plain(base, path);

	if (rc != -EINVAL)
		return rc ? err_os(err, -rc, "%s", path) : 0;
	return make_with(&q, path, err);
}

static int tick(void *ctx)
{
	return ctx_progress(ctx, "copying a disk", 0, 0);
}

/* Locks are somebody's who stands still, or ours: without. Else qemu-img takes its own, and who has one that forbids it is told of. */
static int convert(struct pvctl *ctx, const char *image, enum disk_format format, bool unlocked, const char *path, struct pvctl_error *err)
{
	CLEANUP_FREE char *source = NULL;
	int rc = unlocked ? image_unlocked(image, format, &source, err) : 0;
	const char *const without[] = { "convert", "-U", "--image-opts", "-O", "qcow2", "--", source, path, NULL };
	const char *const with[] = { "convert", "-f", disk_format_driver(format), "-O", "qcow2", "--", image, path, NULL };
	const struct qemu_img_file file[] = { { .path = image, .image = true }, { .path = path, .write = true } };
	const struct qemu_img q = { .args = unlocked ? without : with, .file = file, .n_files = 2, .need = "templates need it",
				    .tick = ctx ? tick : NULL, .tick_data = ctx };

	return rc ? rc : image_busy(make_with(&q, path, err), image, err);
}

int template_flatten(struct pvctl *ctx, const char *image, enum disk_format format, bool in_use, const char *path, struct pvctl_error *err)
{
	struct pvctl_error own;
	int lock = -1, rc = 0;

	err = err ? err : &own;
	if (!in_use && format == DISK_RAW)
		rc = image_open_locked(image, false, &lock, err);
	rc = rc ? rc : convert(ctx, image, format, in_use || lock >= 0, path, err);
	fd_unlock_close(lock);
	return rc;
}

int template_onto(struct pvctl *ctx, const char *base, const char *target, const char *driver, struct pvctl_error *err)
{
	/* -n: the target stays as large as it is, and must be large enough. */
	const char *const args[] = { "convert", "-n", "-f", "qcow2", "-O", driver, "--", base, target, NULL };
	const struct qemu_img_file file[] = { { .path = base }, { .path = target, .write = true } };
	const struct qemu_img q = { .args = args, .file = file, .n_files = 2, .need = "templates need it",
				    .tick = tick, .tick_data = ctx };
	char says[SAYS_MAX + 1];

	return qemu_img_run(&q, target, says, SAYS_MAX, err);
}
