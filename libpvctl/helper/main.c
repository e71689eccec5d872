/* SPDX-License-Identifier: MIT */
/*
 * pvctl-bootloader [--entry WISH] [--list]: started by the library with the fds
 * of bootloader/proto.h. Enters its sandbox, finds the boot menu, says what is in
 * it, and writes the chosen entry's kernel and ramdisk.
 */
#include "helper.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FS 16u

struct volume { struct fs fs; struct partition part; };
static struct volume volumes[MAX_FS];
static unsigned int n_volumes;
static uint64_t disk_size;
static int table;

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

static __attribute__((noreturn, format(printf, 2, 3))) void give_up(int code, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say(HELPER_ERROR, (uint32_t)-code, text);
	_exit(1);
}

uint64_t disk_bytes(void)
{
	return disk_size;
}

int disk_read(uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;

	if (offset > disk_size || len > disk_size - offset)
		return -EIO;
	while (len) {
		ssize_t n = pread(HELPER_DISK_FD, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int write_at(int fd, const void *p, size_t len, uint64_t at)
{
	const uint8_t *from = p;

	while (len) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno == EFBIG ? -E2BIG : -ENOSPC;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int source_read(void *data, uint64_t offset, void *buf, size_t len)
{
	return disk_read(offset, buf, len);
}

static void try_volume(const struct partition *p)
{
	struct volume *v = &volumes[n_volumes];

	if (n_volumes >= MAX_FS)
		return;
	memset(v, 0, sizeof(*v));
	v->part = *p;
	if (ext_open(p->offset, p->bytes, &v->fs) == 0 || fat_open(p->offset, p->bytes, &v->fs) == 0)
		n_volumes++;
}

static void find_volumes(void)
{
	struct part_source src = { source_read, NULL, disk_size };
	static struct partition part[PARTITIONS_MAX];
	const struct partition whole = { 0, 0, disk_size, false };
	unsigned int n = 0, i;
	uint8_t magic[4];

	if (disk_read(0, magic, sizeof(magic)))
		give_up(-EIO, "the disk cannot be read");
	if (memcmp(magic, "QFI\xfb", 4) == 0)
		give_up(-EINVAL, "this is a qcow2 image; a raw disk is needed");
	table = partitions_read(&src, part, &n);
	if (table < 0)
		give_up(table, "the partition table cannot be read");
	for (i = 0; i < n; i++) /* the active one first */
		if (part[i].active)
			try_volume(&part[i]);
	for (i = 0; i < n; i++)
		if (!part[i].active)
			try_volume(&part[i]);
	if (n_volumes == 0)
		try_volume(&whole);
	if (n_volumes == 0)
		give_up(-ENOENT, "no file system that can be read (ext2, ext3, ext4 or FAT); partition table: %s, %u partitions",
		        partitions_name(table), n);
}

/* ---- what the parsers ask ---- */
static int ask_load(void *data, const char *path, char **ret_text, size_t *ret_len)
{
	struct volume *v = data;

	return v->fs.ops->load(&v->fs, path, BOOT_MAX_TEXT, ret_text, ret_len);
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
	{ "/boot/isolinux", "isolinux.cfg", SYSLINUX }, { "/boot/extlinux", "extlinux.conf", SYSLINUX },
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

/* Boot loader entries without a config file around them, as systemd-boot has them. */
static bool try_bls(struct volume *v, struct boot_menu *m)
{
	static const char *const dirs[] = { "/loader/entries", "/boot/loader/entries" };
	struct boot_files files = { ask_load, ask_exists, ask_list, v, 0 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (bls_load(&files, dirs[i], NULL, NULL, -1, m) == 0) {
			menu_prune(m);
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
	give_up(-ENOENT, rc ? "a boot config is there, but no entry with a kernel is in it" :
	        "no boot config (grub.cfg, extlinux.conf, menu.lst or boot loader entries) on %u file systems", n_volumes);
}

/* ---- the chosen entry's files ---- */
static bool is_root(const struct volume *v, const char *root)
{
	const char *digits = root + strlen(root);

	if (strncmp(root, "UUID=", 5) == 0)
		return strcasecmp(root + 5, v->fs.uuid) == 0;
	if (strncmp(root, "LABEL=", 6) == 0)
		return strcmp(root + 6, v->fs.label) == 0;
	if (strncmp(root, "FILE=", 5) == 0)
		return v->fs.ops->kind((struct fs *)&v->fs, root + 5) == 1;
	/* hd0,gpt1, hd0,1; GRUB legacy's numbers are one less, and tried after the config's own volume */
	while (digits > root && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	return digits > root && digits[-1] != 'd' && (uint32_t)atoi(digits) == v->part.number;
}

static struct volume *find_file(struct volume *home, const struct boot_node *n, const char *path)
{
	unsigned int i;

	for (i = 0; n->root && i < n_volumes; i++)
		if (is_root(&volumes[i], n->root) && volumes[i].fs.ops->kind(&volumes[i].fs, path) == 1)
			return &volumes[i];
	if (home->fs.ops->kind(&home->fs, path) == 1)
		return home;
	for (i = 0; i < n_volumes; i++)
		if (volumes[i].fs.ops->kind(&volumes[i].fs, path) == 1)
			return &volumes[i];
	return NULL;
}

static void copy(struct volume *home, const struct boot_node *n, const char *path, int fd, uint64_t *at)
{
	struct volume *v = find_file(home, n, path);
	int rc;

	if (!v)
		give_up(-ENOENT, "\"%.80s\": %.100s is not on the disk", n->title, path);
	rc = v->fs.ops->copy(&v->fs, path, fd, at, HELPER_MAX_FILE - *at);
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
}

static void send_files(const struct boot_menu *m, struct volume *home, const char *wish)
{
	int flat = wish ? menu_pick(m, wish) : (int)menu_default(m);
	const struct boot_node *n;
	uint64_t at = 0;
	unsigned int i;

	if (flat < 0)
		give_up(flat, "the boot menu has no entry \"%.100s\"; it has %u entries", wish, menu_count(m));
	n = &m->node[menu_at(m, (unsigned int)flat)];
	copy(home, n, n->kernel, HELPER_KERNEL_FD, &at);
	for (i = 0, at = 0; i < n->n_initrd; i++) {
		static const char zero[4];

		/* The kernel wants each archive on a multiple of four bytes. */
		if (at % 4 && write_at(HELPER_RAMDISK_FD, zero, 4 - at % 4, at))
			give_up(-ENOSPC, "no memory for the ramdisk");
		at = (at + 3) & ~3ull;
		copy(home, n, n->initrd[i], HELPER_RAMDISK_FD, &at);
	}
	say(HELPER_CHOSEN, (uint32_t)flat, "");
}

int main(int argc, char **argv)
{
	struct boot_menu m = { 0 };
	const char *wish = NULL;
	struct volume *home;
	bool list = false;
	off_t end;
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			list = true;
		else if (strcmp(argv[i], "--entry") == 0 && i + 1 < argc)
			wish = argv[++i];
		else
			return 2;
	}
	sandbox_enter();
	end = lseek(HELPER_DISK_FD, 0, SEEK_END);
	if (end <= 0)
		give_up(-EINVAL, "the disk is empty");
	disk_size = (uint64_t)end;
	find_volumes();
	home = find_menu(&m);
	send_menu(&m);
	if (!list)
		send_files(&m, home, wish);
	say(HELPER_DONE, 0, "");
	_exit(0);
}
