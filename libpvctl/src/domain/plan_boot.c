/* SPDX-License-Identifier: MIT */
/* The kernel from the guest's own disk, for a new domain. */
#include "domain/plan_boot.h"
#include "bootloader/run.h"
#include "device/disk_spec.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

/* Whatever xl's users name, with or without a directory, is done by the built-in helper. */
int boot_check_name(const char *key, const char *value, struct pvctl_error *err)
{
	const char *slash = strrchr(value, '/');

	if (!value[0]) /* none */
		return 0;
	if (strcmp(slash ? slash + 1 : value, "pygrub") == 0 || strcmp(value, "pvctl") == 0)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": must be pygrub or pvctl", key, value);
}

int boot_check_args(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(values[i], "--entry=", 8) != 0 && strncmp(values[i], "--args=", 7) != 0 &&
		    strcmp(values[i], "-q") != 0 && strcmp(values[i], "--quiet") != 0)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.60s\": --entry=, --args= and --quiet are known",
			               key, values[i]);
	return 0;
}

static const char *boot_arg(const struct pvctl_config *c, const char *name)
{
	const struct config_value *v = config_value(c, "bootloader_args");
	size_t i;

	for (i = v ? v->n : 0; i-- > 0;)
		if (strncmp(v->list[i], name, strlen(name)) == 0)
			return v->list[i] + strlen(name);
	return NULL;
}

/* As xl has it: what the disk says first, then the configuration's own, then --args. */
static int join_cmdline(struct create_plan *p, const char *from_disk, struct pvctl_error *err)
{
	const char *own = p->cmdline ? p->cmdline : "", *args = boot_arg(p->config, "--args=");
	char *text;

	args = args ? args : "";
	if (asprintf(&text, "%s%s%s%s%s", from_disk, from_disk[0] && own[0] ? " " : "", own,
	             (from_disk[0] || own[0]) && args[0] ? " " : "", args) < 0)
		return err_nomem(err);
	free(p->cmdline);
	p->cmdline = text;
	return 0;
}

int boot_plan(struct create_plan *p, const struct log *log, struct pvctl_error *err)
{
	const struct config_value *disks = config_value(p->config, "disk");
	CLEANUP_FREE struct disk_spec *spec = malloc(sizeof(*spec));
	CLEANUP_FREE struct boot_result *r = malloc(sizeof(*r));
	int rc;

	if (!spec || !r)
		return err_nomem(err);
	if (!disks || disks->n == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "bootloader is set, but there is no disk to boot from");
	rc = disk_spec_parse(disks->list[0], spec, err);
	if (!rc)
		rc = boot_run(spec->target, boot_arg(p->config, "--entry="), false, 0, r, err);
	if (rc)
		return err_wrap(err, rc, "bootloader");
	rc = join_cmdline(p, r->entry[r->chosen].cmdline, err);
	if (!rc)
		rc = kernel_open_fd(r->kernel_fd, r->entry[r->chosen].kernel, log, &p->kernel, err);
	if (!rc && !pvctl_config_get_str(p->config, "ramdisk")) {
		p->ramdisk_fd = TAKE_FD(r->ramdisk_fd);
		p->ramdisk_bytes = r->ramdisk_bytes;
	}
	boot_result_fini(r);
	return rc;
}
