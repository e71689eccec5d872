/* SPDX-License-Identifier: MIT */
/* GRUB legacy's menu.lst. */
#include "bootloader/menu.h"
#include <errno.h>
#include <string.h>

/* "(hd0,0)/vmlinuz root=/dev/xvda ro" of a kernel or module line. */
static int set_kernel(struct boot_node *n, char *rest)
{
	char dev[64], *args;
	const char *path;
	int rc;

	while (strncmp(rest, "--", 2) == 0) { /* --no-mem-option, --type=... */
		rest += strcspn(rest, " \t");
		rest += strspn(rest, " \t");
	}
	args = rest + strcspn(rest, " \t");
	if (*args) {
		*args++ = '\0';
		args += strspn(args, " \t");
	}
	path = path_split(rest, dev, sizeof(dev));
	rc = menu_set(&n->kernel, path);
	if (!rc)
		rc = menu_set(&n->cmdline, args);
	if (!rc && dev[0])
		rc = menu_set(&n->root, dev);
	return rc;
}

static int set_initrd(struct boot_node *n, char *rest)
{
	char dev[64];

	rest[strcspn(rest, " \t")] = '\0';
	return menu_add_initrd(n, path_split(rest, dev, sizeof(dev)));
}

static bool is_hypervisor(const struct boot_node *n)
{
	const char *slash = n->kernel ? strrchr(n->kernel, '/') : NULL;

	return slash && strncmp(slash, "/xen", 4) == 0;
}

/* Modules after a hypervisor: first the kernel, then its ramdisk. */
static int entry_line(struct boot_node *n, const char *key, char *rest)
{
	char dev[64];

	if (strcmp(key, "root") == 0 || strcmp(key, "rootnoverify") == 0) {
		path_split(rest, dev, sizeof(dev));
		return dev[0] && !n->root ? menu_set(&n->root, dev) : 0;
	}
	if (strcmp(key, "uuid") == 0 && strlen(rest) < 60) {
		strcpy(dev, "UUID=");
		strncat(dev, rest, sizeof(dev) - 6);
		return menu_set(&n->root, dev);
	}
	if (strcmp(key, "chainloader") == 0)
		n->instead = "chainloader";
	if (strcmp(key, "kernel") == 0)
		return set_kernel(n, rest);
	if (strcmp(key, "initrd") == 0)
		return set_initrd(n, rest);
	if (strcmp(key, "module") == 0)
		return is_hypervisor(n) ? set_kernel(n, rest) : set_initrd(n, rest);
	return 0;
}

int legacy_parse(const char *text, size_t len, struct boot_menu *m)
{
	struct lines l = { text, text + len };
	char line[BOOT_MAX_STRING], *key, *rest;
	int rc = 0, at = -1;

	while (!rc && lines_next(&l, line, sizeof(line), &rc)) {
		char *eq = line + strspn(line, " \t");

		eq += strcspn(eq, " \t=");
		if (*eq == '=' && at < 0) /* default=0 */
			*eq = ' ';
		if (!line_key(line, &key, &rest))
			continue;
		if (strcmp(key, "title") == 0) {
			rc = at = menu_add(m, -1, false, rest, NULL);
			rc = rc < 0 ? rc : 0;
		} else if (at >= 0) {
			rc = entry_line(&m->node[at], key, rest);
		} else if (strcmp(key, "default") == 0 && strcmp(rest, "saved") != 0) {
			rc = menu_set(&m->choice, rest);
		} else if (strcmp(key, "timeout") == 0) {
			menu_set_wait(m, rest, 1);
		}
	}
	menu_prune(m);
	return rc;
}
