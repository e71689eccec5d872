/* SPDX-License-Identifier: MIT */
/* The boot config parsers and the partition tables, from text and sectors made here. */
#include "libpvctl/src/bootloader/menu.h"
#include "libpvctl/src/bootloader/partitions.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file { const char *path, *text; };

static int load(void *data, const char *path, char **ret_text, size_t *ret_len)
{
	const struct file *f;

	for (f = data; f->path; f++) {
		if (strcmp(f->path, path) != 0)
			continue;
		*ret_text = strdup(f->text);
		*ret_len = strlen(f->text);
		return 0;
	}
	return -ENOENT;
}

static bool exists(void *data, const char *path)
{
	const struct file *f;

	for (f = data; f->path; f++)
		if (strcmp(f->path, path) == 0)
			return true;
	return false;
}

static int list(void *data, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	const struct file *f;
	size_t n = strlen(dir);
	int rc = 0;

	for (f = data; f->path && !rc; f++)
		if (strncmp(f->path, dir, n) == 0 && f->path[n] == '/')
			rc = each(arg, f->path + n + 1);
	return rc;
}

/* As a file system answers for a directory that is not there. */
static int list_or_none(void *data, const char *dir, int (*each)(void *arg, const char *name), void *arg)
{
	const struct file *f;

	for (f = data; f->path; f++)
		if (strncmp(f->path, dir, strlen(dir)) == 0)
			return list(data, dir, each, arg);
	return -ENOENT;
}

static struct file no_files[] = { { 0 } };

static int grub(const char *text, struct file *f, struct boot_menu *m)
{
	struct boot_files files = { load, exists, list, f ? f : no_files, 0 };

	memset(m, 0, sizeof(*m));
	return grubcfg_parse(text, strlen(text), "/boot/grub", &files, m);
}

static const struct boot_node *at(const struct boot_menu *m, unsigned int flat)
{
	int i = menu_at(m, flat);

	ck_assert_int_ge(i, 0);
	return &m->node[i];
}

START_TEST(grub_variables)
{
	struct boot_menu m;

	ck_assert_int_eq(grub("set k=6.1\nset opts=\"a b\"\nfunction f { x=\"${1}\"; }\nf done\n"
	                      "menuentry \"Linux $k\" --id one {\n linux /vmlinuz-${k} root=/dev/xvda1 $opts '$k' \"q r\" $x\n"
	                      " initrd /a.img (hd0,gpt2)/b-$k.img\n}\n", NULL, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 1);
	ck_assert_str_eq(at(&m, 0)->title, "Linux 6.1");
	ck_assert_str_eq(at(&m, 0)->id, "one");
	ck_assert_str_eq(at(&m, 0)->kernel, "/vmlinuz-6.1");
	ck_assert_str_eq(at(&m, 0)->cmdline, "root=/dev/xvda1 a b $k \"q r\" done");
	ck_assert_uint_eq(at(&m, 0)->n_initrd, 2);
	ck_assert_str_eq(at(&m, 0)->initrd[1], "/b-6.1.img");
	menu_free(&m);
}
END_TEST

#define ENTRY(t) "menuentry '" t "' --id " t "-id { linux /" t " }\n"
#define MENU ENTRY("a") "submenu 'more' --id more { " ENTRY("b") ENTRY("c") "}\n" ENTRY("d")

START_TEST(grub_default)
{
	static const struct { const char *set; unsigned int want; } t[] = {
		{ "0", 0 }, { "1", 1 }, { "1>1", 2 }, { "2", 3 }, { "more>c", 2 }, { "more-id>c", 0 }, { "more>c-id", 2 },
		{ "d-id", 3 }, { "c", 2 }, { "99", 0 }, { "1>99", 0 }, { ">", 0 }, { "nothing", 0 },
	};
	char text[1000];
	struct boot_menu m;
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "set default=\"%s\"\n%s", t[i].set, MENU);
		ck_assert_int_eq(grub(text, NULL, &m), 0);
		ck_assert_uint_eq(menu_count(&m), 4);
		ck_assert_msg(menu_default(&m) == t[i].want, "%s: %u", t[i].set, menu_default(&m));
		menu_free(&m);
	}
}
END_TEST

START_TEST(grub_saved_entry)
{
	struct file f[] = { { "/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=more>b\n#########" }, { 0 } };
	struct boot_menu m;

	ck_assert_int_eq(grub("if [ -s $prefix/grubenv ]; then\n load_env\nfi\nset default=\"${saved_entry}\"\n" MENU, f, &m), 0);
	ck_assert_uint_eq(menu_default(&m), 1);
	ck_assert_int_eq(menu_pick(&m, "d"), 3);
	ck_assert_int_eq(menu_pick(&m, "more>c"), 2);
	ck_assert_int_eq(menu_pick(&m, "3"), 3);
	ck_assert_int_eq(menu_pick(&m, "4"), -ENOENT);
	menu_free(&m);
}
END_TEST

START_TEST(grub_branches)
{
	struct boot_menu m;

	ck_assert_int_eq(grub("if [ x$no = xy -o -z \"$no\" ]; then if false; then " ENTRY("no1") "elif true; then " ENTRY("yes1")
	                      "else " ENTRY("no2") "fi; else " ENTRY("no3") "fi\nif ! true; then " ENTRY("no4") "fi\n"
	                      "for i in 1 2; do menuentry \"loop $i\" { linux /k$i; }; done\n"
	                      "n=1\nwhile [ $n = 1 ]; do n=2; done\n" ENTRY("end"), NULL, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 4);
	ck_assert_str_eq(at(&m, 0)->title, "yes1");
	ck_assert_str_eq(at(&m, 2)->title, "loop 2");
	ck_assert_str_eq(at(&m, 2)->kernel, "/k2");
	menu_free(&m);
}
END_TEST

START_TEST(grub_bls_and_source)
{
	struct file f[] = {
		{ "/boot/loader/entries/f-6.2.9.conf", "title Fedora 6.2.9\nlinux /vmlinuz-6.2.9\noptions root=x $kernelopts\n" },
		{ "/boot/loader/entries/f-6.2.10.conf", "title Fedora 6.2.10\nlinux /vmlinuz-6.2.10\ninitrd /i1 /i2\noptions a\noptions b\n" },
		{ "/boot/grub/custom.cfg", "menuentry custom { linux /custom; }\n" }, { 0 },
	};
	struct boot_menu m;

	ck_assert_int_eq(grub("set kernelopts=\"ro quiet\"\nblscfg\nif [ -f ${config_directory}/custom.cfg ]; then\n"
	                      "source ${config_directory}/custom.cfg; fi\nset default=f-6.2.9\n", f, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 3);
	ck_assert_str_eq(at(&m, 0)->kernel, "/vmlinuz-6.2.10");
	ck_assert_str_eq(at(&m, 0)->cmdline, "a b");
	ck_assert_str_eq(at(&m, 1)->cmdline, "root=x ro quiet");
	ck_assert_str_eq(at(&m, 2)->kernel, "/custom");
	ck_assert_uint_eq(menu_default(&m), 1);
	menu_free(&m);
}
END_TEST

/* A /boot of its own, as Fedora and RHEL have it. */
START_TEST(grub_bls_boot_partition)
{
	struct file f[] = {
		{ "/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=a-1.0\nkernelopts=root=UUID=abc ro\n####" },
		{ "/loader/entries/a-1.0.conf", "title One\nlinux /v1\ninitrd /i1 $tuned_initrd\noptions $kernelopts $tuned_params\n" },
		{ "/loader/entries/a-2.0.conf", "title Two\nlinux /v2\ninitrd /i2 $tuned_initrd\noptions $kernelopts $tuned_params\n" },
		{ 0 },
	};
	struct boot_files files = { load, exists, list_or_none, f, 0 };
	static const char text[] = "load_env\nset default=\"${saved_entry}\"\nblscfg\n";
	struct boot_menu m = { 0 };

	ck_assert_int_eq(grubcfg_parse(text, strlen(text), "/boot/grub", &files, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 2);
	ck_assert_uint_eq(menu_default(&m), 1);
	ck_assert_str_eq(at(&m, 1)->title, "One");
	ck_assert_str_eq(at(&m, 1)->cmdline, "root=UUID=abc ro");
	ck_assert_uint_eq(at(&m, 1)->n_initrd, 1);
	menu_free(&m);
}
END_TEST

START_TEST(grub_loopback)
{
	struct boot_menu m;

	ck_assert_int_eq(grub("menuentry a {\nset sq=/k/kernel.squashfs\nloopback loop0 /$sq\nlinux (loop0)/vmlinuz x\n}\n"
			      "menuentry b {\nloopback -d loop0\nloopback l (hd0,1)/i.iso\nset root=l\nlinux /casper/vmlinuz\n}\n"
			      "menuentry c {\nlinux (hd0,1)/vmlinuz\n}\n", NULL, &m), 0);
	ck_assert_str_eq(at(&m, 0)->root, "LOOP=/k/kernel.squashfs");
	ck_assert_str_eq(at(&m, 1)->root, "LOOP=/i.iso");
	ck_assert_str_eq(at(&m, 2)->root, "hd0,1");
	menu_free(&m);
}
END_TEST

START_TEST(grub_endless)
{
	static const char *const bad[] = {
		"while true; do x=1; done\n" ENTRY("a"), "function f { f; }\nf\n", "source /boot/grub/self\n",
		"until false; do menuentry a { linux /a; }; done\n", "for i in", "menuentry a {", "if true; then", "'", "\"$",
		"menuentry a { menuentry b { linux /b } }", "${", "function", "function x", "}", "fi", "! ! !",
	};
	struct file f[] = { { "/boot/grub/self", "source /boot/grub/self\n" }, { 0 } };
	struct boot_menu m;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)grub(bad[i], f, &m);
		menu_free(&m);
	}
	ck_assert_int_eq(grub(bad[0], f, &m), -E2BIG);
	menu_free(&m);
	ck_assert_int_eq(grub(bad[1], f, &m), -E2BIG);
	menu_free(&m);
}
END_TEST

START_TEST(syslinux)
{
	static const char text[] = "DEFAULT two\nTIMEOUT 50\nLABEL one\n MENU LABEL ^First\n KERNEL vmlinuz\n APPEND initrd=a.img,b.img ro\n"
		"LABEL two\n LINUX /vmlinuz2\n INITRD /c.img\nINCLUDE more.conf\nLABEL menu\n KERNEL menu.c32\n";
	struct file f[] = { { "/extlinux/more.conf", "label three\nkernel mboot.c32\nappend xen.gz x --- vmlinuz ro --- i.img\nINCLUDE more.conf\n" }, { 0 } };
	struct boot_files files = { load, exists, list, f, 0 };
	struct boot_menu m = { 0 };

	/* The endless inclusion ends with an error. */
	ck_assert_int_eq(syslinux_parse(text, strlen(text), "/extlinux", &files, &m), -E2BIG);
	menu_free(&m);
	f[0].text = "label three\nkernel mboot.c32\nappend xen.gz x --- vmlinuz ro --- i.img\n";
	files.loaded = 0;
	ck_assert_int_eq(syslinux_parse(text, strlen(text), "/extlinux", &files, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 3);
	ck_assert_str_eq(at(&m, 0)->title, "First");
	ck_assert_str_eq(at(&m, 0)->kernel, "/extlinux/vmlinuz");
	ck_assert_str_eq(at(&m, 0)->cmdline, "ro");
	ck_assert_uint_eq(at(&m, 0)->n_initrd, 2);
	ck_assert_str_eq(at(&m, 2)->kernel, "/extlinux/vmlinuz");
	ck_assert_str_eq(at(&m, 2)->cmdline, "ro");
	ck_assert_str_eq(at(&m, 2)->initrd[0], "/extlinux/i.img");
	ck_assert_uint_eq(menu_default(&m), 1);
	menu_free(&m);
}
END_TEST

START_TEST(legacy)
{
	static const char text[] = "default=1\ntimeout 5\ntitle One\n root (hd0,0)\n kernel /vmlinuz ro\n initrd /i\n"
		"title Xen\n kernel /boot/xen.gz dom0_mem=1\n module /boot/vmlinuz root=/dev/sda1 ro\n module /boot/initrd\ntitle none\n";
	struct boot_menu m = { 0 };

	ck_assert_int_eq(legacy_parse(text, strlen(text), &m), 0);
	ck_assert_uint_eq(menu_count(&m), 2);
	ck_assert_str_eq(at(&m, 0)->root, "hd0,0");
	ck_assert_str_eq(at(&m, 1)->kernel, "/boot/vmlinuz");
	ck_assert_str_eq(at(&m, 1)->cmdline, "root=/dev/sda1 ro");
	ck_assert_str_eq(at(&m, 1)->initrd[0], "/boot/initrd");
	ck_assert_uint_eq(menu_default(&m), 1);
	menu_free(&m);
}
END_TEST

START_TEST(grub_next_entry)
{
	static const char script[] =
		"if [ -s $prefix/grubenv ]; then\n set have_grubenv=true\n load_env\nfi\n"
		"if [ \"${next_entry}\" ] ; then\n set default=\"${next_entry}\"\n set next_entry=\n save_env next_entry\n set boot_once=true\n"
		"else\n set default=\"${saved_entry}\"\nfi\n"
		"if [ x\"${feature_menuentry_id}\" = xy ]; then menuentry_id_option=\"--id\"; else menuentry_id_option=\"\"; fi\n"
		"export menuentry_id_option\nif [ \"${recordfail}\" = 1 ]; then set timeout=30; else\n"
		"  if [ x$feature_timeout_style = xy ] ; then\n    set timeout_style=menu\n    set timeout=5\n  else\n    set timeout=9\n  fi\nfi\n"
		"menuentry 'a' $menuentry_id_option 'id-a' { linux /a }\nmenuentry 'b' --class x $menuentry_id_option 'id-b' { linux /b }\n";
	struct file f[] = { { "/boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=id-a\nnext_entry=id-b\n####" }, { 0 } };
	struct boot_menu m;

	ck_assert_int_eq(grub(script, f, &m), 0);
	ck_assert_uint_eq(menu_default(&m), 1);
	ck_assert_str_eq(at(&m, 1)->id, "id-b");
	ck_assert(m.waits);
	ck_assert_uint_eq(m.wait_s, 5);
	menu_free(&m);
	f[0].text = "# GRUB Environment Block\nsaved_entry=id-a\nnext_entry=\nrecordfail=1\n####";
	ck_assert_int_eq(grub(script, f, &m), 0);
	ck_assert_uint_eq(menu_default(&m), 0);
	ck_assert_uint_eq(m.wait_s, 30);
	menu_free(&m);
	ck_assert_int_eq(grub("set timeout=-1\n" ENTRY("a"), NULL, &m), 0);
	ck_assert(!m.waits);
	menu_free(&m);
}
END_TEST

START_TEST(grub_conditions)
{
	static const struct { const char *test; bool want; } t[] = {
		{ "[ a = a ]", true }, { "[ a = b ]", false }, { "[ a != b ]", true }, { "[ ! a = b ]", true }, { "! [ a = b ]", true },
		{ "[ -z \"\" ]", true }, { "[ -n \"\" ]", false }, { "[ -n x -a -z \"\" ]", true }, { "[ a = b -o c = c ]", true },
		{ "[ a = b -a c = c ]", false }, { "[ 10 -gt 9 ]", true }, { "[ 9 -ge 10 ]", false }, { "[ -f /there ]", true },
		{ "[ -e /not ]", false }, { "test -s (hd0,gpt1)/there", true }, { "[ \"\" ]", false }, { "[ x ]", true }, { "[ ]", false },
		{ "true", true }, { "false", false }, { "[ a = b -o a = c -o a = a ]", true },
	};
	struct file f[] = { { "/there", "x" }, { 0 } };
	struct boot_menu m;
	char text[300];
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "if %s; then\n" ENTRY("yes") "else\n" ENTRY("no") "fi\n", t[i].test);
		ck_assert_int_eq(grub(text, f, &m), 0);
		ck_assert_msg(strcmp(at(&m, 0)->title, t[i].want ? "yes" : "no") == 0, "%s", t[i].test);
		menu_free(&m);
	}
}
END_TEST

/* Submenus in submenus, and entries that start no kernel. */
START_TEST(grub_nested_and_refused)
{
	struct boot_menu m;

	ck_assert_int_eq(grub(ENTRY("a") "menuentry 'Windows' --id win { chainloader +1 }\n"
	                      "submenu 'one' { submenu 'two' { " ENTRY("deep") "} " ENTRY("up") "}\n"
	                      "menuentry 'UEFI' { fwsetup }\nset default='one>two>deep'\n", NULL, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 3);
	ck_assert_uint_eq(menu_default(&m), 1);
	ck_assert_int_eq(menu_pick(&m, "one>up"), 2);
	ck_assert_int_eq(menu_pick(&m, "win"), -ENOENT);
	ck_assert_str_eq(menu_refused(&m, "win", false), "chainloader");
	ck_assert_str_eq(menu_refused(&m, "Windows", false), "chainloader");
	ck_assert_str_eq(menu_refused(&m, "1", true), "chainloader");
	ck_assert_ptr_null(menu_refused(&m, "1", false));
	ck_assert_ptr_null(menu_refused(&m, "0", true));
	ck_assert_str_eq(menu_refused(&m, "UEFI", false), "fwsetup");
	menu_free(&m);
}
END_TEST

/* What a short text can make of itself: each of these was slow, or is a way to be. */
START_TEST(grub_work_is_bounded)
{
	static const char *const grow[] = {
		/* A value of many words, in every word of a command. */
		"v='a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a'\n"
		"while true; do echo $v $v $v; done\n",
		"v=x\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12; do v=\"$v$v\"; done\nwhile true; do x=\"$v\"; y=\"$x\"; done\n",
		"for a in 1 2 3 4 5 6 7 8 9; do for b in 1 2 3 4 5 6 7 8 9; do for c in 1 2 3 4 5 6 7 8 9; do for d in 1 2 3 4 5 6 7 8 9; do "
		"for e in 1 2 3 4 5 6 7 8 9; do x=$a$b$c$d$e; done; done; done; done; done\n",
	};
	struct boot_menu m;
	unsigned int i;

	for (i = 0; i < sizeof(grow) / sizeof(grow[0]); i++) {
		ck_assert_int_eq(grub(grow[i], NULL, &m), -E2BIG);
		menu_free(&m);
	}
}
END_TEST

START_TEST(syslinux_keys)
{
	static const char text[] =
		"UI vesamenu.c32\nPROMPT 0\nTIMEOUT 55\nTOTALTIMEOUT 9000\nONTIMEOUT rescue\nDEFAULT linux quiet\nMENU TITLE Boot\n"
		"MENU INCLUDE theme.conf tag\n"
		"LABEL linux\n MENU DEFAULT\n LINUX ../vmlinuz\n FDT /a.dtb\n FDTDIR /dtbs\n SYSAPPEND 2\n TEXT HELP\nKERNEL /not-this\n ENDTEXT\n"
		" APPEND root=/dev/xvda\n INITRD /i1,/i2\n"
		"LABEL rescue\n KERNEL /rescue\n APPEND -\n"
		"LABEL disk\n MENU LABEL Boot from ^disk\n LOCALBOOT 0\n"
		"LABEL pxe\n KERNEL pxechn.c32\n APPEND x\nLABEL old\n COM32 hdt.c32\n";
	struct file f[] = { { "/boot/extlinux/theme.conf", "APPEND all=1\n" }, { 0 } };
	struct boot_files files = { load, exists, list, f, 0 };
	struct boot_menu m = { 0 };

	ck_assert_int_eq(syslinux_parse(text, strlen(text), "/boot/extlinux", &files, &m), 0);
	ck_assert_uint_eq(menu_count(&m), 2);
	ck_assert_str_eq(at(&m, 0)->kernel, "/boot/extlinux/../vmlinuz");
	ck_assert_str_eq(at(&m, 0)->cmdline, "root=/dev/xvda");
	ck_assert_uint_eq(at(&m, 0)->n_initrd, 2);
	ck_assert_str_eq(at(&m, 1)->cmdline, "");
	ck_assert_uint_eq(menu_default(&m), 1);
	ck_assert(m.waits);
	ck_assert_uint_eq(m.wait_s, 6);
	ck_assert_str_eq(menu_refused(&m, "disk", false), "localboot");
	ck_assert_str_eq(menu_refused(&m, "Boot from disk", false), "localboot");
	ck_assert_str_eq(menu_refused(&m, "pxe", false), "a module of syslinux");
	ck_assert_str_eq(menu_refused(&m, "old", false), "com32");
	menu_free(&m);
}
END_TEST

/* DEFAULT, MENU DEFAULT and ONTIMEOUT, each before the last. */
START_TEST(syslinux_default)
{
	static const struct { const char *head; unsigned int want; } t[] = {
		{ "DEFAULT b\n", 1 }, { "DEFAULT b extra=1\n", 1 }, { "DEFAULT menu.c32\n", 0 }, { "ONTIMEOUT c\nDEFAULT b\n", 2 },
		{ "LABEL z\nMENU DEFAULT\nKERNEL /z\nDEFAULT c\n", 0 }, { "TIMEOUT 0\n", 0 },
	};
	struct boot_files files = { load, exists, list, no_files, 0 };
	struct boot_menu m = { 0 };
	char text[300];
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(text, sizeof(text), "%sLABEL a\nKERNEL /a\nLABEL b\nKERNEL /b\nLABEL c\nKERNEL /c\n", t[i].head);
		ck_assert_int_eq(syslinux_parse(text, strlen(text), "/", &files, &m), 0);
		ck_assert_msg(menu_default(&m) == t[i].want, "%s: %u", t[i].head, menu_default(&m));
		ck_assert(!m.waits);
		menu_free(&m);
	}
}
END_TEST

START_TEST(loader_conf)
{
	struct file f[] = {
		{ "/loader/entries/old-5.conf", "title Old\nlinux /old\n" }, { "/loader/entries/new-6.conf", "title New\nlinux /new\n" },
		{ "/loader/entries/win.conf", "title Windows\nefi /win.efi\n" }, { 0 },
	};
	static const struct { const char *text; unsigned int want; } t[] = {
		{ "default old-*\ntimeout 7\n", 0 }, { "default old-5.conf\ntimeout 7\n", 0 }, { "timeout 7\ndefault ?e?-6\n", 1 },
		{ "default *a*a*a*a*a*a*a*b\ntimeout 7\n", 0 },
	};
	struct boot_files files = { load, exists, list, f, 0 };
	struct boot_menu m = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ck_assert_int_eq(bls_load(&files, "/loader/entries", NULL, NULL, -1, &m), 0);
		menu_prune(&m);
		ck_assert_uint_eq(menu_count(&m), 2);
		ck_assert_str_eq(menu_refused(&m, "win", false), "efi");
		ck_assert_int_eq(bls_loader_conf(t[i].text, strlen(t[i].text), &m), 0);
		ck_assert_msg(menu_default(&m) == t[i].want, "%s: %u", t[i].text, menu_default(&m));
		ck_assert_uint_eq(m.wait_s, 7);
		menu_free(&m);
	}
}
END_TEST

/* ---- partitions ---- */
static uint8_t disk[64 << 10];

static int read_disk(void *data, uint64_t offset, void *buf, size_t len)
{
	ck_assert_uint_le(offset, sizeof(disk));
	ck_assert_uint_le(len, sizeof(disk) - offset);
	memcpy(buf, disk + offset, len);
	return 0;
}

static void put(unsigned int sector, unsigned int slot, uint8_t type, uint32_t first, uint32_t count)
{
	uint8_t *e = disk + sector * 512 + 446 + 16 * slot;

	e[4] = type;
	memcpy(e + 8, &first, 4);
	memcpy(e + 12, &count, 4);
	disk[sector * 512 + 510] = 0x55;
	disk[sector * 512 + 511] = 0xaa;
}

START_TEST(mbr_logical)
{
	struct part_source src = { read_disk, NULL, sizeof(disk) };
	struct partition p[PARTITIONS_MAX];
	unsigned int n;

	memset(disk, 0, sizeof(disk));
	ck_assert_int_eq(partitions_read(&src, p, &n), PART_NONE);
	put(0, 0, 0x83, 2, 10);
	put(0, 1, 0x05, 20, 100);
	put(20, 0, 0x83, 1, 5);
	put(20, 1, 0x05, 10, 20);
	put(30, 0, 0x83, 1, 0xffffffff);
	ck_assert_int_eq(partitions_read(&src, p, &n), PART_MBR);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(p[1].number, 5);
	ck_assert_uint_eq(p[1].offset, 21 * 512);
	ck_assert_uint_eq(p[2].number, 6);
	ck_assert_uint_eq(p[2].bytes, sizeof(disk) - 31 * 512);
	/* A chain that goes round. */
	put(30, 1, 0x05, 10, 20);
	ck_assert_int_eq(partitions_read(&src, p, &n), PART_MBR);
	ck_assert_uint_le(n, 64);
}
END_TEST

START_TEST(gpt)
{
	struct part_source src = { read_disk, NULL, sizeof(disk) };
	struct partition p[PARTITIONS_MAX];
	uint32_t count = 0xffffffff, size = 128;
	uint64_t v;
	unsigned int n;

	memset(disk, 0, sizeof(disk));
	put(0, 0, 0xee, 1, 127);
	memcpy(disk + 512, "EFI PART", 8);
	v = 2;
	memcpy(disk + 512 + 72, &v, 8);
	memcpy(disk + 512 + 80, &count, 4);
	memcpy(disk + 512 + 84, &size, 4);
	disk[1024 + 128] = 1;
	v = 40;
	memcpy(disk + 1024 + 128 + 32, &v, 8);
	v = 59;
	memcpy(disk + 1024 + 128 + 40, &v, 8);
	ck_assert_int_eq(partitions_read(&src, p, &n), PART_GPT);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(p[0].number, 2);
	ck_assert_uint_eq(p[0].offset, 40 * 512);
	ck_assert_uint_eq(p[0].bytes, 20 * 512);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { grub_variables, grub_default, grub_saved_entry, grub_branches,
		grub_bls_and_source, grub_bls_boot_partition, grub_loopback, grub_endless, grub_next_entry, grub_conditions, grub_nested_and_refused, grub_work_is_bounded,
		syslinux, syslinux_keys, syslinux_default, loader_conf, legacy, mbr_logical, gpt };
	Suite *s = suite_create("bootloader");
	TCase *t = tcase_create("bootloader");
	SRunner *r;
	unsigned int i;
	int failed;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
