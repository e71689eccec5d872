/* SPDX-License-Identifier: MIT */
/* The kernel from the guest's own disk, for a new domain. */
#include "domain/plan_boot.h"
#include "bootloader/run.h"
#include "device/disk_spec.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

_Static_assert(BOOT_DISK_MAX == DISK_TARGET_MAX + 1, "one name of a disk");

int boot_ask_of(const struct pvctl_config *c, char disk[BOOT_DISK_MAX], struct boot_ask *ret, enum disk_format *ret_format,
                struct boot_args *ret_args, struct pvctl_error *err)
{
	const struct config_value *disks = config_value(c, "disk"), *args = config_value(c, "bootloader_args");
	CLEANUP_FREE struct disk_spec *spec = malloc(sizeof(*spec));
	struct boot_args a = { 0 };
	int rc;

	if (!spec)
		return err_nomem(err);
	if (!disks || disks->n == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "bootloader is set, but there is no disk to boot from");
	rc = disk_spec_parse(disks->list[0], spec, err);
	if (!rc && args)
		rc = boot_args_parse("bootloader_args", (const char *const *)args->list, args->n, &a, err);
	if (rc)
		return rc;
	if (!spec->target[0])
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "bootloader: the first disk, %s, is a drive without a medium", spec->vdev_name);
	if (spec->script[0])
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "bootloader: what the first disk, %s, is, a script says when the domain is there: "
		               "firmware=\"pvgrub64\" reads it, inside the domain, or set kernel and ramdisk", spec->vdev_name);
	memcpy(disk, spec->target, BOOT_DISK_MAX);
	*ret = (struct boot_ask){
		.disk = disk, .entry = a.entry, .kernel = a.kernel, .ramdisk = a.ramdisk, .offset_bytes = a.offset_bytes,
		.user = pvctl_config_get_str(c, "bootloader_user"),
	};
	*ret_format = spec->format;
	if (ret_args)
		*ret_args = a;
	return 0;
}

/* As xl has it: what the disk says first, then the configuration's own, then --args. */
static int join_cmdline(struct create_plan *p, const char *from_disk, const char *args, struct pvctl_error *err)
{
	const char *own = p->cmdline ? p->cmdline : "";
	char *text;

	args = args ? args : "";
	if (asprintf(&text, "%s%s%s%s%s", from_disk, from_disk[0] && own[0] ? " " : "", own,
	             (from_disk[0] || own[0]) && args[0] ? " " : "", args) < 0)
		return err_nomem(err);
	free(p->cmdline);
	p->cmdline = text;
	return 0;
}

int boot_plan(struct create_plan *p, const char *entry, const struct log *log, struct pvctl_error *err)
{
	CLEANUP_FREE struct boot_result *r = malloc(sizeof(*r));
	CLEANUP_FREE char *disk = malloc(BOOT_DISK_MAX);
	enum disk_format format;
	struct boot_args args;
	struct boot_ask ask;
	int rc;

	if (!r || !disk)
		return err_nomem(err);
	rc = boot_ask_of(p->config, disk, &ask, &format, &args, err);
	if (rc)
		return rc;
	if (entry && ask.kernel)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "bootloader_args has --kernel, so there is no menu to take an entry of");
	if (entry)
		ask.entry = entry;
	/* The plan has judged it, with all disks. */
	ask.driver = format == DISK_RAW ? NULL : disk_format_driver(format);
	rc = boot_run(&ask, r, err);
	if (rc)
		return err_wrap(err, rc, "bootloader");
	rc = join_cmdline(p, r->entry[r->chosen].cmdline, args.args, err);
	if (!rc)
		rc = kernel_open_fd(r->kernel_fd, r->entry[r->chosen].kernel, log, &p->kernel, err);
	if (!rc && !pvctl_config_get_str(p->config, "ramdisk")) {
		p->ramdisk_fd = TAKE_FD(r->ramdisk_fd);
		p->ramdisk_bytes = r->ramdisk_bytes;
	}
	boot_result_fini(r);
	return rc;
}
