/* SPDX-License-Identifier: MIT */
/*
 * Images that are made of others. The new one has a name once it is whole and on disk: before, it is a file without
 * a name where the file system knows such, so that nothing is left of it whatever becomes of us.
 */
#include "ctx/ctx.h"
#include "device/disk_image.h"
#include "device/qcow2.h"
#include "device/qemu_img.h"
#include "disk/image.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/paths.h"
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MADE_MODE 0666 /* of the source's */

struct copy {
	struct pvctl_disk_copy_opts o;
	enum disk_format from_format, to_format;
	char *from;              /* absolute */
	const char *to;
	struct pvctl_disk_image_info info;
	bool in_use;             /* by a domain that is about to let go of it */
	int in, out;             /* in: locked by us; -1: qemu-img locks it */
	char temporary[DISK_TARGET_MAX + 16]; /* "": out has no name */
};

static int tick(void *data)
{
	const struct copy *c = data;
	struct stat st;
	uint64_t done = fstat(c->out, &st) ? 0 : (uint64_t)st.st_blocks * 512, total = c->info.allocated_bytes;

	return c->o.progress(c->o.progress_data, "disk", done < total ? done : total, total);
}

static int directory_of(const char *path, char *buf, size_t size, struct pvctl_error *err)
{
	const char *slash = strrchr(path, '/');

	if ((size_t)snprintf(buf, size, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") < size)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%.100s...: the path is too long", path);
}

static int begin_out(struct copy *c, struct pvctl_error *err)
{
	char dir[DISK_TARGET_MAX + 1];
	struct stat st;
	int rc = directory_of(c->to, dir, sizeof(dir), err);

	if (rc)
		return rc;
	if (!lstat(c->to, &st))
		return err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "%s exists already", c->to);
	c->out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (c->out >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR)
		return err_os(err, errno, "%s", c->to);
	snprintf(c->temporary, sizeof(c->temporary), "%s.part", c->to);
	c->out = open(c->temporary, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (c->out >= 0)
		return 0;
	rc = err_os(err, errno, "%s", c->temporary);
	c->temporary[0] = '\0';
	return rc;
}

static int give_name(struct copy *c, struct pvctl_error *err)
{
	char own[40], dir[DISK_TARGET_MAX + 1];
	CLEANUP_CLOSE int d = -1;
	struct stat st;

	if (!stat(c->from, &st) && S_ISREG(st.st_mode))
		(void)fchmod(c->out, st.st_mode & MADE_MODE);
	if (fsync(c->out))
		return err_os(err, errno, "%s", c->to);
	snprintf(own, sizeof(own), "/proc/self/fd/%d", c->out);
	/* Neither takes the place of what has come there meanwhile. */
	if (linkat(AT_FDCWD, c->temporary[0] ? c->temporary : own, AT_FDCWD, c->to, c->temporary[0] ? 0 : AT_SYMLINK_FOLLOW))
		return err_os(err, errno, "%s", c->to);
	if (!directory_of(c->to, dir, sizeof(dir), NULL))
		d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d >= 0)
		(void)fsync(d);
	return 0;
}

static int run(struct copy *c, const char *const *args, const char *source, struct pvctl_error *err)
{
	const struct qemu_img_file file[] = {
		{ .path = source, .image = true }, { .path = QEMU_IMG_OPENED, .write = true, .opened = true, .fd = c->out, .name = c->to },
	};
	const struct qemu_img q = { .args = args, .file = file, .n_files = 2, .need = DISK_NEED,
				    .tick = c->o.progress ? tick : NULL, .tick_data = c };

	return image_run(&q, source, err);
}

/* With -u the base is not opened: it may be in use, by the same domain. */
static int overlay_on(int out, const char *to, const char *base, enum disk_format format, uint64_t bytes, struct pvctl_error *err)
{
	char size[24], says[1024];
	const char *const args[] = { "create", "-q", "-u", "-f", "qcow2", "-F", disk_format_driver(format), "-b", base, "--",
				     QEMU_IMG_OPENED, size, NULL };
	const struct qemu_img_file file = { .path = QEMU_IMG_OPENED, .write = true, .opened = true, .fd = out, .name = to };
	const struct qemu_img q = { .args = args, .file = &file, .n_files = 1, .need = DISK_NEED, .limit_ms = 20000 };
	int rc;

	/* What will open it comes with it: one that nobody could use is not made. */
	if (!paths_find_program("qemu-img", says, sizeof(says))) {
		rc = qcow2_overlay(out, base, format, bytes);
		if (rc != -EINVAL)
			return rc ? err_os(err, -rc, "%s", to) : 0;
	}
	snprintf(size, sizeof(size), "%" PRIu64, bytes);
	return qemu_img_run(&q, base, says, sizeof(says) - 1, err);
}

static int convert(struct copy *c, struct pvctl_error *err)
{
	CLEANUP_FREE char *source = NULL;
	const char *args[16];
	unsigned int n = 0;
	int rc = 0;

	args[n++] = "convert";
	if (c->o.compress)
		args[n++] = "-c";
	if (c->in >= 0) {
		rc = image_unlocked(c->from, c->from_format, &source, err);
		args[n++] = "--image-opts";
	} else {
		args[n++] = "-f";
		args[n++] = disk_format_driver(c->from_format);
	}
	args[n++] = "-O";
	args[n++] = disk_format_driver(c->to_format);
	args[n++] = "--";
	args[n++] = source ? source : c->from;
	args[n++] = QEMU_IMG_OPENED;
	args[n] = NULL;
	return rc ? rc : run(c, args, c->from, err);
}

/* As they are, byte for byte: what is based on another image would be still, and is not copied so. */
static bool reflink(const struct copy *c)
{
	return c->in >= 0 && c->from_format == c->to_format && !c->o.compress && !c->info.is_device && !ioctl(c->out, FICLONE, c->in);
}

static int make(struct copy *c, struct pvctl_error *err)
{
	int rc;

	/* Of other formats qemu-img takes QEMU's locks. */
	rc = !c->in_use && (c->o.overlay || c->from_format == DISK_RAW) ? image_open_locked(c->from, false, &c->in, err) : 0;
	if (rc)
		return rc;
	if (c->o.overlay)
		return overlay_on(c->out, c->to, c->from, c->from_format, c->info.bytes, err);
	return reflink(c) ? 0 : convert(c, err);
}

static int check(struct copy *c, struct pvctl_error *err)
{
	int rc = image_format(c->o.format, &c->from_format, err);

	rc = rc ? rc : image_format(c->o.overlay ? "qcow2" : c->o.to_format ? c->o.to_format : c->o.format, &c->to_format, err);
	if (rc)
		return rc;
	if (c->o.overlay && c->o.to_format && strcmp(c->o.to_format, "qcow2"))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "an overlay is of format qcow2");
	if (c->o.compress && (c->o.overlay || c->to_format != DISK_QCOW2))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "only whole images of format qcow2 can be compressed");
	/* An overlay names its base by that. */
	rc = paths_absolute("disk ", c->from, &c->from, err);
	if (!rc && strlen(c->to) > DISK_TARGET_MAX)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%.100s...: the path is too long", c->to);
	rc = rc ? rc : pvctl_disk_image_get(c->from, c->o.format, &c->info, err);
	if (!rc && (!c->info.bytes || c->info.bytes % 512))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\": its size, %" PRIu64 ", is not a multiple of 512 (an image of another "
		             "format needs that said: --format qcow2)", c->from, c->info.bytes);
	return rc || c->from_format == DISK_RAW ? rc : disk_image_check(c->from, c->from_format, err);
}

int image_copy(const char *from, const char *to, bool in_use, const struct pvctl_disk_copy_opts *opts, struct pvctl_error *err)
{
	struct copy c = { .to = to, .in_use = in_use, .in = -1, .out = -1, .info.size = sizeof(c.info) };
	struct pvctl_error own;
	char *name = NULL;
	int rc = opts_load(&c.o, sizeof(c.o), opts, err);

	if (rc)
		return rc;
	err = err ? err : &own;
	c.from = (char *)(uintptr_t)from;
	rc = check(&c, err);
	name = c.from == from ? NULL : c.from;
	rc = rc ? rc : begin_out(&c, err);
	rc = rc ? rc : make(&c, err);
	rc = rc ? rc : give_name(&c, err);
	if (c.temporary[0])
		unlink(c.temporary);
	fd_unlock_close(c.in);
	if (c.out >= 0)
		close(c.out);
	free(name);
	return rc;
}

int pvctl_disk_image_copy(const char *from, const char *to, const struct pvctl_disk_copy_opts *opts, struct pvctl_error *err)
{
	return image_copy(from, to, false, opts, err);
}
