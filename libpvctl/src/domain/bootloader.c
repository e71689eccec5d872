/* SPDX-License-Identifier: MIT */
/* What a disk would boot, for programs. */
#include "bootloader/run.h"
#include "device/disk_image.h"
#include "domain/plan_boot.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include "util/paths.h"
#include <stddef.h>
#include <string.h>

struct pvctl_boot {
	struct boot_result r;
	struct pvctl_boot_entry entry[BOOT_MAX_ENTRIES];
};

static int open_judged(const struct boot_ask *ask, struct pvctl_boot **ret, struct pvctl_error *err)
{
	struct pvctl_boot *b = calloc(1, sizeof(*b));
	unsigned int i;
	int rc;

	if (!b)
		return err_nomem(err);
	rc = boot_run(ask, &b->r, err);
	if (rc) {
		free(b);
		return rc;
	}
	for (i = 0; i < b->r.n; i++) {
		const struct boot_entry *e = &b->r.entry[i];

		b->entry[i] = (struct pvctl_boot_entry){ sizeof(b->entry[i]), e->title, e->id, e->kernel, e->ramdisk, e->cmdline };
	}
	*ret = b;
	return 0;
}

/* An image that is not raw may name others. */
static int open_asked(struct boot_ask *ask, enum disk_format format, struct pvctl_boot **ret, struct pvctl_error *err)
{
	CLEANUP_FREE char *full = NULL;
	int rc;

	if (format == DISK_RAW)
		return open_judged(ask, ret, err);
	rc = paths_absolute("disk ", ask->disk, &full, err);
	rc = rc ? rc : disk_image_check(full, format, err);
	if (rc)
		return rc;
	ask->disk = full;
	ask->driver = disk_format_driver(format);
	return open_judged(ask, ret, err);
}

int pvctl_boot_open(const char *disk, const struct pvctl_boot_opts *opts, struct pvctl_boot **ret, struct pvctl_error *err)
{
	struct pvctl_boot_opts o;
	enum disk_format format = DISK_RAW;
	struct boot_ask ask;
	int rc = opts_load(&o, sizeof(o), opts, err);

	if (rc)
		return rc;
	if (o.format && disk_format_parse(o.format, &format))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the format must be raw, qcow, qcow2, vhd or qed, not \"%.40s\"", o.format);
	if (o.kernel && o.entry)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a kernel by its name needs no menu, so an entry has no meaning with it");
	ask = (struct boot_ask){
		.disk = disk, .entry = o.entry, .kernel = o.kernel, .ramdisk = o.ramdisk, .user = o.user,
		.offset_bytes = o.offset_bytes, .timeout_ms = o.timeout_ms, .list = o.list_only,
	};
	return open_asked(&ask, format, ret, err);
}

int pvctl_boot_open_config(const struct pvctl_config *c, const struct pvctl_boot_opts *opts, struct pvctl_boot **ret,
                           struct pvctl_error *err)
{
	const char *boot = pvctl_config_get_str(c, "bootloader");
	CLEANUP_FREE char *disk = malloc(BOOT_DISK_MAX);
	enum disk_format format = DISK_RAW;
	struct pvctl_boot_opts o;
	struct boot_ask ask;
	int rc = opts_load(&o, sizeof(o), opts, err);

	if (!disk)
		return err_nomem(err);
	if (!rc && (!boot || !boot[0] || pvctl_config_get_str(c, "kernel")))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the configuration has no bootloader");
	if (!rc)
		rc = boot_ask_of(c, disk, &ask, &format, NULL, err);
	if (rc)
		return err_wrap(err, rc, "bootloader");
	if (o.entry && !ask.kernel)
		ask.entry = o.entry;
	ask.list = o.list_only;
	ask.timeout_ms = o.timeout_ms;
	return open_asked(&ask, format, ret, err);
}

int pvctl_boot_get(const struct pvctl_boot *b, struct pvctl_boot_info *ret, struct pvctl_error *err)
{
	const struct pvctl_boot_info info = {
		.default_entry = b->r.default_entry, .chosen = b->r.chosen, .partition = b->r.partition,
		.config = b->r.source, .kernel_fd = b->r.chosen < 0 ? -1 : b->r.kernel_fd,
		.ramdisk_fd = b->r.chosen < 0 ? -1 : b->r.ramdisk_fd,
		.wait_s = b->r.wait_s,
	};
	int rc = grow_check(ret, err);

	if (!rc)
		grow_out(ret, &info, sizeof(info));
	return rc;
}

size_t pvctl_boot_entry_count(const struct pvctl_boot *b)
{
	return b->r.n;
}

const struct pvctl_boot_entry *pvctl_boot_entry_at(const struct pvctl_boot *b, size_t i)
{
	return i < b->r.n ? &b->entry[i] : NULL;
}

void pvctl_boot_free(struct pvctl_boot *b)
{
	if (!b)
		return;
	boot_result_fini(&b->r);
	free(b);
}
