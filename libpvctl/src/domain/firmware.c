/* SPDX-License-Identifier: MIT */
/* firmware="pvgrub64": a boot loader that runs inside the domain, as its kernel. */
#include "domain/plan_boot.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where distributions have GRUB's image for PV domains; pvctl.cfg(5) lists them. */
static const char *const places[] = {
	"/usr/local/lib/xen/boot/pvgrub64.bin", "/usr/lib/xen/boot/pvgrub64.bin", "/usr/libexec/xen/boot/pvgrub64.bin",
	"/usr/lib/grub-xen/grub-x86_64-xen.bin",  /* Debian, Ubuntu: grub-xen-host */
	"/usr/share/grub2/x86_64-xen/grub.xen",   /* openSUSE: grub2-x86_64-xen */
};

int firmware_check(const char *key, const char *value, struct pvctl_error *err)
{
	static const char *const hvm[] = { "bios", "seabios", "uefi", "ovmf", "rombios" };
	unsigned int i;

	if (strcmp(value, "pvgrub64") == 0)
		return 0;
	if (strcmp(value, "pvgrub32") == 0)
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "%s=\"pvgrub32\": 32-bit guests are not supported; use pvgrub64", key);
	for (i = 0; i < sizeof(hvm) / sizeof(hvm[0]); i++)
		if (strcmp(value, hvm[i]) == 0)
			return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "%s=\"%s\" is for HVM guests; a PV guest may have pvgrub64", key, value);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": must be pvgrub64", key, value);
}

/* PVCTL_FIRMWARE_DIR takes the place of the list. */
static int find_pvgrub(char *buf, size_t size)
{
	static const char *const names[] = { "pvgrub64.bin", "grub-x86_64-xen.bin" };
	const char *dir = getenv("PVCTL_FIRMWARE_DIR");
	unsigned int i;

	for (i = 0; dir && dir[0] && i < 2; i++)
		if (snprintf(buf, size, "%s/%s", dir, names[i]) < (int)size && access(buf, R_OK) == 0)
			return 0;
	for (i = 0; !(dir && dir[0]) && i < sizeof(places) / sizeof(places[0]); i++)
		if (snprintf(buf, size, "%s", places[i]) < (int)size && access(buf, R_OK) == 0)
			return 0;
	return -ENOENT;
}

int firmware_path(const struct pvctl_config *c, char *buf, size_t size, struct pvctl_error *err)
{
	const char *boot = pvctl_config_get_str(c, "bootloader");

	if (pvctl_config_get_str(c, "kernel"))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "kernel and firmware are both set: only one of them can start");
	if (boot && boot[0])
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "bootloader and firmware are both set: only one of them can start");
	if (find_pvgrub(buf, size))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB,
		               "firmware=\"pvgrub64\": GRUB's image for PV domains is not installed (Debian: package grub-xen-host, "
		               "/usr/lib/grub-xen/grub-x86_64-xen.bin)");
	return 0;
}
