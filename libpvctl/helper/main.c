/* SPDX-License-Identifier: MIT */
/*
 * pvctl-bootloader: started by the library with the fds of bootloader/proto.h.
 * Enters its sandbox, finds the boot menu, says what is in it, and writes the
 * chosen entry's kernel and ramdisk. Its options are the library's: see struct ask.
 */
#include "helper.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ask {
	bool list;                   /* no files */
	bool nbd;                    /* the disk is served */
	const char *entry;
	const char *kernel, *ramdisk; /* instead of an entry's; with a kernel, no menu is looked for */
	uint64_t offset;             /* of the one file system, in bytes */
	unsigned int uid, gid;
};

static void say(uint32_t type, uint32_t value, const char *text)
{
	static struct { struct helper_msg h; char text[HELPER_MAX_TEXT]; } m;
	size_t n = strnlen(text, sizeof(m.text));

	m.h.type = type;
	m.h.value = value;
	memcpy(m.text, text, n);
	if (send(HELPER_SOCKET_FD, &m, sizeof(m.h) + n, MSG_NOSIGNAL) < 0)
		_exit(1);
}

void give_up(int code, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(HELPER_ERROR, (uint32_t)-code, text);
	_exit(1);
}

/* ---- what the parsers ask ---- */
static int ask_load(void *data, const char *path, char **ret_text, size_t *ret_len)
{
	struct volume *v = data;

	return fs_load(&v->fs, path, BOOT_MAX_TEXT, ret_text, ret_len);
}

static bool ask_exists(void *data, const char *path)
{
	struct volume *v = data;

	return v->fs.ops->kind(&v->fs, path) != 0;
}

static int ask_list(void *data, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	struct volume *v = data;

	return v->fs.ops->list(&v->fs, dir, each, arg);
}

enum config_kind { GRUB2, SYSLINUX, LEGACY };
static const struct config { const char *dir, *name; enum config_kind kind; } configs[] = {
	{ "/boot/grub", "grub.cfg", GRUB2 }, { "/grub", "grub.cfg", GRUB2 },
	{ "/boot/grub2", "grub.cfg", GRUB2 }, { "/grub2", "grub.cfg", GRUB2 },
	{ "/boot/isolinux", "isolinux.cfg", SYSLINUX }, { "/isolinux", "isolinux.cfg", SYSLINUX }, { "/boot/extlinux", "extlinux.conf", SYSLINUX },
	{ "/boot", "extlinux.conf", SYSLINUX }, { "/extlinux", "extlinux.conf", SYSLINUX },
	{ "", "extlinux.conf", SYSLINUX }, { "/boot/syslinux", "syslinux.cfg", SYSLINUX },
	{ "/syslinux", "syslinux.cfg", SYSLINUX }, { "", "syslinux.cfg", SYSLINUX },
	{ "/boot/grub", "menu.lst", LEGACY }, { "/boot/grub", "grub.conf", LEGACY },
	{ "/grub", "menu.lst", LEGACY }, { "/grub", "grub.conf", LEGACY },
};

static int parse(const struct config *c, const char *text, size_t len, struct boot_files *files, struct boot_menu *m)
{
	if (c->kind == GRUB2)
		return grubcfg_parse(text, len, c->dir, files, m);
	if (c->kind == SYSLINUX)
		return syslinux_parse(text, len, c->dir, files, m);
	return legacy_parse(text, len, m);
}

static bool try_config(struct volume *v, const struct config *c, struct boot_menu *m, int *ret_rc)
{
	struct boot_files files = { ask_load, ask_exists, ask_list, v, 0 };
	char path[80], *text;
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", c->dir, c->name);
	rc = ask_load(v, path, &text, &len);
	if (!rc) {
		rc = parse(c, text, len, &files, m);
		free(text);
	}
	if (!rc && menu_count(m)) {
		say(HELPER_SOURCE, v->part.number, path);
		return true;
	}
	menu_free(m);
	if (rc != -ENOENT)
		*ret_rc = rc ? rc : -ENOENT;
	return false;
}

static void load_defaults(struct volume *v, const char *path, struct boot_menu *m)
{
	size_t len;
	char *text;

	if (ask_load(v, path, &text, &len))
		return;
	(void)bls_loader_conf(text, len, m);
	free(text);
}

/* Boot loader entries without a config file around them, as systemd-boot has them. */
static bool try_bls(struct volume *v, struct boot_menu *m)
{
	static const char *const dirs[] = { "/loader/entries", "/boot/loader/entries" };
	struct boot_files files = { ask_load, ask_exists, ask_list, v, 0 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (bls_load(&files, dirs[i], NULL, NULL, -1, m) == 0) {
			menu_prune(m);
			load_defaults(v, i ? "/boot/loader/loader.conf" : "/loader/loader.conf", m);
			if (menu_count(m)) {
				say(HELPER_SOURCE, v->part.number, dirs[i]);
				return true;
			}
		}
		menu_free(m);
	}
	return false;
}

static struct volume *find_menu(struct boot_menu *m)
{
	unsigned int i, c;
	char more[600];
	int rc = 0;

	for (c = 0; c < sizeof(configs) / sizeof(configs[0]); c++)
		for (i = 0; i < n_volumes; i++)
			if (try_config(&volumes[i], &configs[c], m, &rc))
				return &volumes[i];
	for (i = 0; i < n_volumes; i++)
		if (try_bls(&volumes[i], m))
			return &volumes[i];
	if (rc == -E2BIG)
		give_up(rc, "the boot menu goes beyond the limits");
	if (rc == -EIO)
		give_up(rc, "a boot menu is there, but the file system is damaged");
	if (rc)
		give_up(-ENOENT, "a boot config is there, but no entry with a kernel is in it");
	give_up(-ENOENT, "no boot config (grub.cfg, extlinux.conf, menu.lst or boot loader entries) on %u file system%s%s",
	        n_volumes, n_volumes == 1 ? "" : "s", volumes_foreign(more, sizeof(more)));
}

/* ---- the chosen entry's files ---- */
static void copy(struct volume *home, const char *root, const char *title, const char *path, int fd, uint64_t *at)
{
	bool in_loop = root && !strncmp(root, BOOT_ROOT_LOOP, strlen(BOOT_ROOT_LOOP));
	struct volume *v = in_loop ? NULL : volumes_with_file(home, root, path);
	int rc;

	if (in_loop)
		give_up(-ENOSYS, "\"%.80s\": %.100s is in %.200s, an image that GRUB opens as a disk (loopback) and that is not read here; "
			"firmware=\"pvgrub64\" may read it, inside the domain, or set kernel and ramdisk", title ? title : "", path,
			root + strlen(BOOT_ROOT_LOOP));
	if (!v)
		give_up(-ENOENT, "%s%.80s%s%.100s is not on the disk", title ? "\"" : "", title ? title : "", title ? "\": " : "", path);
	rc = fs_copy(&v->fs, path, fd, at, HELPER_MAX_FILE - *at);
	if (rc == -E2BIG)
		give_up(rc, "%.100s is larger than %u MiB", path, HELPER_MAX_FILE >> 20);
	if (rc)
		give_up(rc, "%.100s cannot be read: %s", path, rc == -EIO ? "the file system is damaged" : strerror(-rc));
}

static void send_menu(const struct boot_menu *m)
{
	unsigned int i, k;
	int at;

	for (i = 0; (at = menu_at(m, i)) >= 0; i++) {
		const struct boot_node *n = &m->node[at];

		say(HELPER_ENTRY, i, "");
		say(HELPER_TITLE, 0, n->title);
		if (n->id)
			say(HELPER_ID, 0, n->id);
		say(HELPER_KERNEL, 0, n->kernel);
		for (k = 0; k < n->n_initrd; k++)
			say(HELPER_INITRD, k, n->initrd[k]);
		say(HELPER_CMDLINE, 0, n->cmdline ? n->cmdline : "");
	}
	say(HELPER_DEFAULT, menu_default(m), "");
	if (m->waits)
		say(HELPER_WAIT, m->wait_s, "");
}

static const struct boot_node *pick(const struct boot_menu *m, const char *wish, unsigned int *ret_flat)
{
	const char *named = wish ? wish : m->choice, *why = NULL;
	int flat = wish ? menu_pick(m, wish) : (int)menu_default(m);

	if (named && (!wish || flat < 0))
		why = menu_refused(m, named, !wish && !m->flat_choice);
	if (why)
		give_up(-ENOSYS, "the boot menu's entry \"%.80s\" starts no kernel: %s; choose another one", named, why);
	if (flat < 0)
		give_up(flat, "the boot menu has no entry \"%.100s\"; it has %u entries", wish, menu_count(m));
	*ret_flat = (unsigned int)flat;
	return &m->node[menu_at(m, (unsigned int)flat)];
}

static void send_files(const struct boot_menu *m, struct volume *home, const struct ask *ask)
{
	const struct boot_node *n;
	unsigned int i, flat;
	uint64_t at = 0;

	n = pick(m, ask->entry, &flat);
	copy(home, n->root, n->title, n->kernel, HELPER_KERNEL_FD, &at);
	at = 0;
	if (ask->ramdisk)
		copy(home, n->root, NULL, ask->ramdisk, HELPER_RAMDISK_FD, &at);
	for (i = 0; i < n->n_initrd && !ask->ramdisk; i++) {
		static const char zero[4];

		/* The kernel wants each archive on a multiple of four bytes. */
		if (at % 4 && write_at(HELPER_RAMDISK_FD, zero, 4 - at % 4, at))
			give_up(-ENOSPC, "no memory for the ramdisk");
		at = (at + 3) & ~3ull;
		copy(home, n->root, n->title, n->initrd[i], HELPER_RAMDISK_FD, &at);
	}
	say(HELPER_CHOSEN, flat, "");
}

/* A kernel by its name: one entry, made here. */
static void send_named(const struct ask *ask)
{
	struct volume *v = volumes_with_file(NULL, NULL, ask->kernel);
	uint64_t at = 0;

	if (!v)
		give_up(-ENOENT, "%.100s is not on the disk", ask->kernel);
	say(HELPER_SOURCE, v->part.number, "");
	say(HELPER_ENTRY, 0, "");
	say(HELPER_TITLE, 0, ask->kernel);
	say(HELPER_KERNEL, 0, ask->kernel);
	if (ask->ramdisk)
		say(HELPER_INITRD, 0, ask->ramdisk);
	say(HELPER_CMDLINE, 0, "");
	say(HELPER_DEFAULT, 0, "");
	if (ask->list)
		return;
	copy(v, NULL, NULL, ask->kernel, HELPER_KERNEL_FD, &at);
	at = 0;
	if (ask->ramdisk)
		copy(v, NULL, NULL, ask->ramdisk, HELPER_RAMDISK_FD, &at);
	say(HELPER_CHOSEN, 0, "");
}

/* The library checked them all; what is unknown is of another version. */
static bool read_ask(int argc, char **argv, struct ask *a)
{
	int i;

	*a = (struct ask){ .uid = 65534, .gid = 65534 };
	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--list") == 0) {
			a->list = true;
			continue;
		}
		if (strcmp(argv[i], "--nbd") == 0) {
			a->nbd = true;
			continue;
		}
		if (!value)
			return false;
		i++;
		if (strcmp(argv[i - 1], "--entry") == 0)
			a->entry = value;
		else if (strcmp(argv[i - 1], "--kernel") == 0)
			a->kernel = value;
		else if (strcmp(argv[i - 1], "--ramdisk") == 0)
			a->ramdisk = value;
		else if (strcmp(argv[i - 1], "--offset") == 0)
			a->offset = strtoull(value, NULL, 10);
		else if (strcmp(argv[i - 1], "--runas") != 0 || sscanf(value, "%u:%u", &a->uid, &a->gid) != 2 || !a->uid)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct boot_menu m = { 0 };
	struct volume *home;
	struct ask ask;

	if (!read_ask(argc, argv, &ask))
		return 2;
	sandbox_enter(ask.uid, ask.gid);
	if (disk_open(ask.nbd))
		give_up(-EINVAL, "the disk is empty");
	volumes_find(ask.offset);
	if (ask.kernel) {
		send_named(&ask);
	} else {
		home = find_menu(&m);
		send_menu(&m);
		if (!ask.list)
			send_files(&m, home, &ask);
	}
	say(HELPER_DONE, 0, "");
	_exit(0);
}
