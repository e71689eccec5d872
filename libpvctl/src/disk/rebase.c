/* SPDX-License-Identifier: MIT */
/* An overlay on something else, in place: what it had of its base is copied into it first, and then it says so, so that it is right at any moment. */
#include "ctx/ctx.h"
#include "device/disk_image.h"
#include "device/qemu_img.h"
#include "disk/image.h"
#include "util/err.h"
#include <string.h>

int image_rebase(const char *path, const char *from, const char *onto, enum disk_format format, int (*tick)(void *data), void *data,
                 struct pvctl_error *err)
{
	/* Writethrough: qemu-img writes the header at once, but where its copies are only at its end, unless each is complete when it returns. */
	const char *const based[] = { "rebase", "-q", "-t", "writethrough", "-f", "qcow2", "-F", disk_format_driver(format), "-b", onto, "--", path,
		                      NULL };
	const char *const alone[] = { "rebase", "-q", "-t", "writethrough", "-f", "qcow2", "-b", "", "--", path, NULL };
	const struct qemu_img_file file[] = { { .path = from, .image = true }, { .path = path, .write = true } };
	const struct qemu_img q = { .args = onto[0] ? based : alone, .file = file, .n_files = 2, .need = DISK_NEED, .tick = tick, .tick_data = data };
	struct pvctl_error own;

	/* What qemu-img says must be there to be judged. */
	err = err ? err : &own;
	return image_run(&q, path, err);
}

static int tick(void *data)
{
	const struct pvctl_disk_flatten_opts *o = data;

	return o->progress(o->progress_data, "disk", 0, 0);
}

int pvctl_disk_image_flatten(const char *path, const struct pvctl_disk_flatten_opts *opts, struct pvctl_error *err)
{
	struct pvctl_disk_image_info i = { .size = sizeof(i) };
	struct pvctl_disk_flatten_opts o;
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : pvctl_disk_image_get(path, "qcow2", &i, err);
	if (rc || !i.base[0])
		return rc;
	rc = disk_image_check(path, DISK_QCOW2, err);
	return rc ? rc : image_rebase(path, i.base, "", DISK_RAW, o.progress ? tick : NULL, &o, err);
}
