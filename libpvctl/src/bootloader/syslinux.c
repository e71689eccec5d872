/* SPDX-License-Identifier: MIT */
/* extlinux, isolinux and syslinux. */
#include "bootloader/menu.h"
#include "util/cleanup.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sys {
	struct boot_menu *m;
	struct boot_files *files;
	const char *dir;
	char *global_append, *ui_default, *on_timeout;
	int at;
	bool in_help;        /* between TEXT HELP and ENDTEXT: for people */
};

static int parse_file(struct sys *s, const char *text, size_t len, unsigned int depth);

/* Names are relative to the config file. */
static void absolute(const struct sys *s, const char *name, char *buf, size_t size)
{
	char dev[64];

	name = path_split(name, dev, sizeof(dev));
	if (name[0] == '/')
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%s%s%s", s->dir, s->dir[strlen(s->dir) - 1] == '/' ? "" : "/", name);
}

static int set_kernel(struct sys *s, struct boot_node *n, char *rest)
{
	char path[BOOT_MAX_STRING];

	rest[strcspn(rest, " \t")] = '\0';
	absolute(s, rest, path, sizeof(path));
	return menu_set(&n->kernel, path);
}

static int set_initrds(struct sys *s, struct boot_node *n, char *list)
{
	char path[BOOT_MAX_STRING], *word, *save = NULL;
	int rc = 0;

	for (word = strtok_r(list, ", \t", &save); word && !rc; word = strtok_r(NULL, ", \t", &save)) {
		absolute(s, word, path, sizeof(path));
		rc = menu_add_initrd(n, path);
	}
	return rc;
}

static int include_line(struct sys *s, const char *name, unsigned int depth);

static int menu_line(struct sys *s, char *rest, unsigned int depth)
{
	char *key, *value, *caret;

	if (!line_key(rest, &key, &value))
		return 0;
	if (strcmp(key, "include") == 0) { /* a tag may follow the name */
		value[strcspn(value, " \t")] = '\0';
		return include_line(s, value, depth);
	}
	if (s->at < 0)
		return 0;
	if (strcmp(key, "label") == 0) {
		/* ^ marks the key that picks the entry. */
		caret = strchr(value, '^');
		if (caret)
			memmove(caret, caret + 1, strlen(caret));
		return menu_set(&s->m->node[s->at].title, value);
	}
	if (strcmp(key, "default") == 0)
		return menu_set(&s->ui_default, s->m->node[s->at].id);
	return 0;
}

static int include_line(struct sys *s, const char *name, unsigned int depth)
{
	CLEANUP_FREE char *text = NULL;
	char path[BOOT_MAX_STRING];
	size_t len;
	int rc;

	if (depth >= BOOT_MAX_DEPTH)
		return -E2BIG;
	absolute(s, name, path, sizeof(path));
	rc = files_load(s->files, path, &text, &len);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return parse_file(s, text, len, depth + 1);
}

/* Keys that start something else than a kernel. */
static int no_kernel(struct boot_node *n, const char *key)
{
	static const char *const keys[] = { "localboot", "com32", "boot", "bss", "pxe", "fdimage", "comboot", "config" };
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			n->instead = keys[i];
	return 0;
}

/* Text for people is not read for keys. */
static bool is_help(struct sys *s, const char *key)
{
	if (strcmp(key, s->in_help ? "endtext" : "text") != 0)
		return s->in_help;
	s->in_help = !s->in_help;
	return true;
}

static int one_line(struct sys *s, const char *key, char *rest, unsigned int depth)
{
	struct boot_node *n = s->at >= 0 ? &s->m->node[s->at] : NULL;

	if (strcmp(key, "label") == 0) {
		s->at = menu_add(s->m, -1, false, rest, rest);
		return s->at < 0 ? s->at : 0;
	}
	if (strcmp(key, "include") == 0)
		return include_line(s, rest, depth);
	if (strcmp(key, "menu") == 0)
		return menu_line(s, rest, depth);
	if (strcmp(key, "default") == 0)
		return menu_set(&s->m->choice, rest);
	if (strcmp(key, "ontimeout") == 0)
		return menu_set(&s->on_timeout, rest);
	if (strcmp(key, "timeout") == 0) {
		menu_set_wait(s->m, strcmp(rest, "0") ? rest : "", 10); /* 0 is no timeout here */
		return 0;
	}
	if (strcmp(key, "append") == 0)
		return menu_set(n ? &n->cmdline : &s->global_append, rest);
	if (!n)
		return 0;
	if (strcmp(key, "kernel") == 0 || strcmp(key, "linux") == 0)
		return set_kernel(s, n, rest);
	if (strcmp(key, "initrd") == 0)
		return set_initrds(s, n, rest);
	return no_kernel(n, key);
}

static int parse_file(struct sys *s, const char *text, size_t len, unsigned int depth)
{
	struct lines l = { text, text + len };
	char line[BOOT_MAX_STRING], *key, *rest;
	int rc = 0;

	while (!rc && lines_next(&l, line, sizeof(line), &rc))
		if (line_key(line, &key, &rest) && !is_help(s, key))
			rc = one_line(s, key, rest, depth);
	return rc;
}

/* mboot.c32: "xen.gz args --- vmlinuz args --- initrd". */
static int split_modules(struct sys *s, struct boot_node *n)
{
	CLEANUP_FREE char *all = n->cmdline ? strdup(n->cmdline) : NULL;
	char *kernel, *initrd, *args;
	int rc;

	kernel = all ? strstr(all, " --- ") : NULL;
	if (!kernel)
		return 0;
	kernel += 5;
	initrd = strstr(kernel, " --- ");
	if (initrd) {
		*initrd = '\0';
		initrd += 5;
		initrd[strcspn(initrd, " \t")] = '\0';
	}
	kernel += strspn(kernel, " \t");
	args = kernel + strcspn(kernel, " \t");
	rc = menu_set(&n->cmdline, args + strspn(args, " \t"));
	if (!rc)
		rc = set_kernel(s, n, kernel);
	return !rc && initrd ? set_initrds(s, n, initrd) : rc;
}

/* initrd= is for the loader, but the kernel gets to see it as well; that is kept from it as pygrub does. */
static int take_initrd(struct sys *s, struct boot_node *n)
{
	char *p = n->cmdline, *end;
	CLEANUP_FREE char *list = NULL;

	while (p && (p = strstr(p, "initrd=")) && p != n->cmdline && p[-1] != ' ')
		p++;
	if (!p)
		return 0;
	end = p + strcspn(p, " \t");
	list = strndup(p + 7, (size_t)(end - p - 7));
	if (!list)
		return -ENOMEM;
	end += strspn(end, " \t");
	memmove(p, end, strlen(end) + 1);
	return n->n_initrd ? 0 : set_initrds(s, n, list);
}

/* What the timeout does, then what the menu marks, then DEFAULT, which may have options after the label. */
static int choose(struct sys *s)
{
	const char *first = s->on_timeout ? s->on_timeout : s->ui_default;
	char *choice;
	int rc = first ? menu_set(&s->m->choice, first) : 0;

	s->m->flat_choice = true;
	choice = s->m->choice;
	if (!rc && choice && menu_pick(s->m, choice) < 0)
		choice[strcspn(choice, " \t")] = '\0';
	return rc;
}

static int finish(struct sys *s)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < s->m->n && !rc; i++) {
		struct boot_node *n = &s->m->node[i];

		if (!n->cmdline && s->global_append)
			rc = menu_set(&n->cmdline, s->global_append);
		if (!rc && n->cmdline && strcmp(n->cmdline, "-") == 0)
			rc = menu_set(&n->cmdline, "");
		if (!rc && n->kernel && strstr(n->kernel, "mboot.c32"))
			rc = split_modules(s, n);
		if (!rc)
			rc = take_initrd(s, n);
		/* Other modules of syslinux: menus and chain loading. */
		if (n->kernel && strlen(n->kernel) > 4 && strcmp(n->kernel + strlen(n->kernel) - 4, ".c32") == 0) {
			free(n->kernel);
			n->kernel = NULL;
			n->instead = "a module of syslinux";
		}
	}
	return rc ? rc : choose(s);
}

int syslinux_parse(const char *text, size_t len, const char *dir, struct boot_files *files, struct boot_menu *m)
{
	struct sys s = { .m = m, .files = files, .dir = dir[0] ? dir : "/", .at = -1 };
	int rc = parse_file(&s, text, len, 0);

	if (!rc)
		rc = finish(&s);
	free(s.global_append);
	free(s.ui_default);
	free(s.on_timeout);
	menu_prune(m);
	return rc;
}
