/* SPDX-License-Identifier: MIT */
/* Boot loader entries: one file each, as the UAPI group's specification and Fedora's GRUB have them; and grubenv. */
#include "bootloader/menu.h"
#include "util/cleanup.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names { char *name[BOOT_MAX_FILES]; unsigned int n; };

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n > t && strcmp(s + n - t, tail) == 0;
}

static int keep_name(void *arg, const char *name)
{
	struct names *l = arg;

	if (!ends_with(name, ".conf") || strlen(name) > 255 || name[0] == '.')
		return 0;
	if (l->n >= BOOT_MAX_FILES / 2)
		return -E2BIG;
	l->name[l->n] = strdup(name);
	return l->name[l->n] ? (l->n++, 0) : -ENOMEM;
}

static int newest_first(const void *a, const void *b)
{
	return strverscmp(*(char *const *)b, *(char *const *)a);
}

/* A variable at the end that is not set leaves the blank before it. */
static char *expanded(char *(*expand)(void *arg, const char *text), void *arg, const char *text)
{
	char *value = expand ? expand(arg, text) : strdup(text);
	size_t n = value ? strlen(value) : 0;

	while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
		value[--n] = '\0';
	return value;
}

/* options may come more than once: they add up. */
static int add_options(char **where, const char *text)
{
	char *joined;
	int rc;

	if (!*where)
		return menu_set(where, text);
	if (asprintf(&joined, "%s %s", *where, text) < 0)
		return -ENOMEM;
	rc = strlen(joined) > BOOT_MAX_STRING ? -E2BIG : menu_set(where, joined);
	free(joined);
	return rc;
}

static int add_initrds(struct boot_node *n, char *text)
{
	char *word, *save = NULL;
	int rc = 0;

	for (word = strtok_r(text, " \t", &save); word && !rc; word = strtok_r(NULL, " \t", &save))
		rc = menu_add_initrd(n, word);
	return rc;
}

static int set_key(struct boot_node *n, const char *key, char *text)
{
	if (strcmp(key, "title") == 0)
		return menu_set(&n->title, text);
	if (strcmp(key, "linux") == 0)
		return menu_set(&n->kernel, text);
	if (strcmp(key, "efi") == 0)
		n->instead = "efi";
	if (strcmp(key, "options") == 0)
		return add_options(&n->cmdline, text);
	if (strcmp(key, "initrd") == 0)
		return add_initrds(n, text);
	return 0;
}

int bls_parse(const char *text, size_t len, const char *name, char *(*expand)(void *arg, const char *text), void *arg,
              int parent, struct boot_menu *m)
{
	struct lines l = { text, text + len };
	char line[BOOT_MAX_STRING], id[256], *key, *rest;
	int rc = 0, at;

	snprintf(id, sizeof(id), "%.*s", (int)(strlen(name) - (ends_with(name, ".conf") ? 5 : 0)), name);
	at = menu_add(m, parent, false, id, id);
	if (at < 0)
		return at;
	while (!rc && lines_next(&l, line, sizeof(line), &rc)) {
		CLEANUP_FREE char *value = NULL;

		if (!line_key(line, &key, &rest))
			continue;
		value = expanded(expand, arg, rest);
		rc = value ? set_key(&m->node[at], key, value) : -ENOMEM;
	}
	return rc;
}

int bls_load(struct boot_files *files, const char *dir, char *(*expand)(void *arg, const char *text), void *arg,
             int parent, struct boot_menu *m)
{
	struct names l = { .n = 0 };
	char path[600];
	unsigned int i;
	int rc;

	if (!files || !files->list)
		return -ENOENT;
	rc = files->list(files->data, dir, keep_name, &l);
	qsort(l.name, l.n, sizeof(l.name[0]), newest_first);
	for (i = 0; i < l.n; i++) {
		CLEANUP_FREE char *text = NULL;
		size_t len;

		snprintf(path, sizeof(path), "%.300s/%s", dir, l.name[i]);
		/* One damaged entry does not hide the others. */
		if (!rc && files_load(files, path, &text, &len) == 0)
			rc = bls_parse(text, len, l.name[i], expand, arg, parent, m);
		free(l.name[i]);
	}
	return rc;
}

/* * and ?, in time that does not depend on how the stars stand. */
static bool matches(const char *p, const char *s)
{
	const char *star = NULL, *back = NULL;

	while (*s) {
		if (*p == '*') {
			star = p++;
			back = s;
		} else if (*p == '?' || *p == *s) {
			p++;
			s++;
		} else if (star) {
			p = star + 1;
			s = ++back;
		} else {
			return false;
		}
	}
	return !p[strspn(p, "*")];
}

static int pick_pattern(struct boot_menu *m, const char *pattern)
{
	char name[300];
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		const char *id = m->node[i].id;

		if (!id)
			continue;
		snprintf(name, sizeof(name), "%.255s.conf", id);
		if (matches(pattern, id) || matches(pattern, name))
			return menu_set(&m->choice, id);
	}
	return 0;
}

int bls_loader_conf(const char *text, size_t len, struct boot_menu *m)
{
	struct lines l = { text, text + len };
	char line[256], *key, *rest;
	int rc = 0;

	m->flat_choice = true;
	while (!rc && lines_next(&l, line, sizeof(line), &rc)) {
		if (!line_key(line, &key, &rest))
			continue;
		if (strcmp(key, "default") == 0)
			rc = pick_pattern(m, rest);
		else if (strcmp(key, "timeout") == 0)
			menu_set_wait(m, rest, 1);
	}
	return rc == -E2BIG ? 0 : rc;
}

int grubenv_parse(const char *text, size_t len, int (*set)(void *arg, const char *name, const char *value), void *arg)
{
	struct lines l = { text, text + len };
	char line[BOOT_MAX_STRING], *eq;
	int rc = 0;

	while (!rc && lines_next(&l, line, sizeof(line), &rc)) {
		eq = strchr(line, '=');
		if (line[0] == '#' || !eq || eq == line)
			continue;
		*eq = '\0';
		rc = set(arg, line, eq + 1);
	}
	/* The block is padded with #, in one line without an end. */
	return rc == -E2BIG ? 0 : rc;
}
