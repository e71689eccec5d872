/* SPDX-License-Identifier: MIT */
/* The table of configuration keys: one row each, with its form and range. */
#include "cpuid/cpuid.h"
#include "device/disk.h"
#include "device/lists.h"
#include "device/vif.h"
#include "domain/plan_boot.h"
#include "domain/private.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>
#include <xen/xen.h>

static int not_yet(const char *key, const char *value, struct pvctl_error *err)
{
	return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "%s=\"%.60s\" is not supported yet", key, value);
}

static int check_text(const char *key, const char *value, size_t max, struct pvctl_error *err)
{
	size_t i, n = strlen(value);

	if (n > max)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: %zu characters; at most %zu are allowed", key, n, max);
	for (i = 0; i < n; i++)
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: contains a control character", key);
	return 0;
}

/* A name ends up in file names and on command lines, where a number means a domid. */
int key_check_name(const char *key, const char *value, struct pvctl_error *err)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+:@~";
	size_t n = strlen(value);

	if (n < 1 || n > 127 || strspn(value, ok) != n || strchr(".-+:@", value[0]))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
		               "%s=\"%.60s\": 1 to 127 letters, digits and ._-+:@~ are allowed, a letter, digit or _ first", key, value);
	if (strspn(value, "0123456789") == n)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": digits alone would be taken for a domain's number",
		               key, value);
	if (strcmp(value, "Domain-0") == 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"Domain-0\" is the host's", key);
	return 0;
}

static int check_uuid(const char *key, const char *value, struct pvctl_error *err)
{
	uuid_t u;

	if (uuid_parse(value, u) != 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": not a UUID", key, value);
	return 0;
}

static int check_path(const char *key, const char *value, struct pvctl_error *err)
{
	if (!value[0])
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the file's name is empty", key);
	return check_text(key, value, 3000, err);
}

static int check_cmdline(const char *key, const char *value, struct pvctl_error *err)
{
	return check_text(key, value, MAX_GUEST_CMDLINE - 1, err);
}

static int check_action(const char *key, const char *value, struct pvctl_error *err)
{
	static const char *const can[] = { "destroy", "restart", "rename-restart", "preserve", "coredump-destroy",
	                                   "coredump-restart" };
	unsigned int i;

	for (i = 0; i < sizeof(can) / sizeof(can[0]); i++)
		if (strcmp(value, can[i]) == 0)
			return 0;
	if (strcmp(value, "soft-reset") == 0)
		return not_yet(key, value, err);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB,
	               "%s=\"%.40s\": must be destroy, restart, rename-restart, preserve, coredump-destroy or "
	               "coredump-restart", key, value);
}

/* Which there are, and how far, is the daemon's to say. */
int quota_split(const char *text, char name[24], uint32_t *ret)
{
	size_t len = strcspn(text, "=");
	char *end;
	unsigned long v;

	if (!len || len > 23 || text[len] != '=' || text[len + 1] < '0' || text[len + 1] > '9')
		return -EINVAL;
	v = strtoul(text + len + 1, &end, 10);
	if (*end || v > UINT32_MAX)
		return -EINVAL;
	snprintf(name, 24, "%.*s", (int)len, text);
	*ret = (uint32_t)v;
	return 0;
}

static int check_quotas(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	char name[24];
	uint32_t v;

	for (size_t i = 0; i < n; i++)
		if (quota_split(values[i], name, &v))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: \"%.40s\" is not QUOTA=NUMBER", key, values[i]);
	return 0;
}

#define INT(n, lo, hi) { .name = n, .type = CONFIG_INT, .min = lo, .max = hi }
#define STR(n, c) { .name = n, .type = CONFIG_STR, .check = c }

const struct config_key config_keys[CONFIG_KEYS + 1] = {
	STR("name", key_check_name),
	STR("uuid", check_uuid),
	STR("type", type_check),
	INT("memory", 1, 1 << 20),
	INT("maxmem", 1, 1 << 20),
	INT("vcpus", 1, 32),
	INT("maxvcpus", 1, 32),
	STR("kernel", check_path),
	STR("bootloader", boot_check_name),
	{ .name = "bootloader_args", .type = CONFIG_LIST, .check_list = boot_check_args, .words = true },
	{ .name = "bootloader_restrict", .type = CONFIG_INT, .min = 0, .max = 1, .check = boot_check_restrict },
	STR("bootloader_user", boot_check_user),
	STR("firmware", firmware_check),
	STR("ramdisk", check_path),
	STR("cmdline", check_cmdline),
	STR("root", check_cmdline),
	STR("extra", check_cmdline),
	STR("on_poweroff", check_action),
	STR("on_reboot", check_action),
	STR("on_crash", check_action),
	STR("on_watchdog", check_action),
	INT("restart_limit", 0, 100),
	INT("restart_window", 1, 86400),
	{ .name = "cpus", .type = CONFIG_CPUS },
	{ .name = "cpus_soft", .type = CONFIG_CPUS },
	{ .name = "cpuid", .type = CONFIG_EITHER, .check = cpuid_check_text, .check_list = cpuid_check_list },
	{ .name = "disk", .type = CONFIG_LIST, .check_list = disk_check_list },
	{ .name = "p9", .type = CONFIG_LIST, .check_list = p9_check_list },
	{ .name = "channel", .type = CONFIG_LIST, .check_list = channel_check_list },
	{ .name = "vif", .type = CONFIG_LIST, .check_list = vif_check_list },
	INT("cpu_weight", 1, 65535),
	INT("cap", 0, 3200),
	INT("max_event_channels", 8, 131071),
	INT("max_grant_frames", 1, 16384),
	INT("max_maptrack_frames", 0, 16384),
	INT("max_grant_version", 1, 2),
	{ .name = "xenstore_quota", .type = CONFIG_LIST, .check_list = check_quotas },
	INT("localtime", 0, 1),
	INT("rtc_timeoffset", 0, INT32_MAX),
	INT("nomigrate", 0, 1),
};

/* A typo deserves another answer than a key that xl knows. */
static const char *const xl_keys[] = {
	"acpi", "altp2m", "arm_cpuid", "bios", "blkdev_start", "builder",
	"claim_mode", "console", "coreid", "cpupool", "device_model_args",
	"device_model_override", "device_model_version", "device_tree", "disable_migrate", "dm_restrict",
	"driver_domain", "dtdev", "e820_host", "exec_profile", "extratime", "firmware_override", "gfx_passthru",
	"gic_version", "hap", "hdtype", "init_seclabel", "iomem", "ioports", "irqs", "keymap", "latency",
	"max_xenstore_quota", "mca_caps", "monitor", "msr_relaxed", "nestedhvm", "nographic", "on_soft_reset",
	"pae", "passthrough", "pci", "pci_msitranslate", "pci_permissive", "pci_power_mgmt", "pci_seize", "period",
	"pool", "pvcalls", "pvh", "pvshim", "pvshim_cmdline", "pvshim_extra", "pvshim_path", "rdm",
	"sched", "sdl", "seclabel", "serial", "shadow_memory", "slice", "smbios", "soundhw", "spice", "sve", "timer_mode",
	"tsc_mode", "usb", "usbctrl", "usbdev", "usbdevice", "usbversion", "vdispl", "vfb", "vga", "vif2",
	"videoram", "viommu", "viridian", "virtio", "vkb", "vmtrace_buf_kb", "vnc", "vnuma", "vpmu", "vsnd", "vtpm", "vuart",
	"xen_platform_pci", "xenstore_feature_mask",
};

bool config_key_of_xl(const char *key)
{
	unsigned int i;

	for (i = 0; i < sizeof(xl_keys) / sizeof(xl_keys[0]); i++)
		if (strcmp(key, xl_keys[i]) == 0)
			return true;
	return false;
}
