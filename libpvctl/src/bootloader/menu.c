/* SPDX-License-Identifier: MIT */
#include "bootloader/menu.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int files_load(struct boot_files *f, const char *path, char **ret_text, size_t *ret_len)
{
	if (!f || !f->load)
		return -ENOENT;
	if (f->loaded++ >= BOOT_MAX_FILES)
		return -E2BIG;
	return f->load(f->data, path, ret_text, ret_len);
}

int menu_set(char **where, const char *value)
{
	char *copy = strndup(value, BOOT_MAX_STRING);

	if (!copy)
		return -ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

int menu_add(struct boot_menu *m, int parent, bool submenu, const char *title, const char *id)
{
	struct boot_node *n;
	unsigned int i, pos = 0;

	if (m->n >= BOOT_MAX_NODES)
		return -E2BIG;
	if (!m->node) {
		m->node = calloc(BOOT_MAX_NODES, sizeof(*m->node));
		if (!m->node)
			return -ENOMEM;
	}
	for (i = 0; i < m->n; i++)
		pos += m->node[i].parent == parent;
	n = &m->node[m->n++];
	n->submenu = submenu;
	n->parent = parent;
	n->pos = pos;
	if (menu_set(&n->title, title) || (id && menu_set(&n->id, id)))
		return -ENOMEM;
	return (int)m->n - 1;
}

int menu_add_initrd(struct boot_node *n, const char *path)
{
	if (n->n_initrd >= BOOT_MAX_INITRD)
		return -E2BIG;
	n->initrd[n->n_initrd] = strndup(path, BOOT_MAX_STRING);
	return n->initrd[n->n_initrd] ? (n->n_initrd++, 0) : -ENOMEM;
}

static void node_fini(struct boot_node *n)
{
	unsigned int i;

	free(n->title);
	free(n->id);
	free(n->root);
	free(n->kernel);
	free(n->cmdline);
	for (i = 0; i < n->n_initrd; i++)
		free(n->initrd[i]);
	memset(n, 0, sizeof(*n));
}

static void refuse(struct boot_menu *m, struct boot_node *n)
{
	struct boot_refused *r = &m->refused[m->n_refused];

	if (m->n_refused >= BOOT_MAX_REFUSED || !n->instead)
		return;
	*r = (struct boot_refused){ n->title, n->id, n->parent < 0 ? (int)n->pos : -1, n->instead };
	n->title = n->id = NULL;
	m->n_refused++;
}

/* Positions stay: a default by number counts the dropped ones, too. */
void menu_prune(struct boot_menu *m)
{
	int place[BOOT_MAX_NODES];
	unsigned int i, to = 0;

	for (i = 0; i < m->n; i++) {
		place[i] = -1;
		if (!m->node[i].submenu && !m->node[i].kernel) {
			refuse(m, &m->node[i]);
			node_fini(&m->node[i]);
			continue;
		}
		/* A parent stands before what is in it. */
		if (m->node[i].parent >= 0)
			m->node[i].parent = place[m->node[i].parent];
		place[i] = (int)to;
		if (to != i) {
			m->node[to] = m->node[i];
			memset(&m->node[i], 0, sizeof(m->node[i]));
		}
		to++;
	}
	m->n = to;
}

void menu_free(struct boot_menu *m)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		node_fini(&m->node[i]);
	while (m->n_refused) {
		free(m->refused[--m->n_refused].title);
		free(m->refused[m->n_refused].id);
	}
	free(m->node);
	free(m->choice);
	memset(m, 0, sizeof(*m));
}

int menu_at(const struct boot_menu *m, unsigned int flat)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (!m->node[i].submenu && flat-- == 0)
			return (int)i;
	return -1;
}

unsigned int menu_count(const struct boot_menu *m)
{
	unsigned int i, count = 0;

	for (i = 0; i < m->n; i++)
		count += !m->node[i].submenu;
	return count;
}

static int flat_of(const struct boot_menu *m, unsigned int node)
{
	unsigned int i, flat = 0;

	for (i = 0; i < node; i++)
		flat += !m->node[i].submenu;
	return (int)flat;
}

static bool parse_number(const char *s, size_t len, unsigned int *ret)
{
	unsigned int v = 0;
	size_t i;

	if (len < 1 || len > 6)
		return false;
	for (i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		v = v * 10 + (unsigned int)(s[i] - '0');
	}
	*ret = v;
	return true;
}

static bool same(const char *have, const char *s, size_t len)
{
	return have && strlen(have) == len && memcmp(have, s, len) == 0;
}

/* One part of "a>b>c" within a submenu: a node, or -1. */
static int find_part(const struct boot_menu *m, int parent, const char *s, size_t len, bool numbers)
{
	unsigned int i, pos = 0;
	bool number = numbers && parse_number(s, len, &pos);

	for (i = 0; i < m->n; i++) {
		const struct boot_node *n = &m->node[i];

		if (n->parent == parent && (number ? n->pos == pos : same(n->id, s, len) || same(n->title, s, len)))
			return (int)i;
	}
	return -1;
}

/* A submenu stands for its first entry. */
static int first_within(const struct boot_menu *m, int node)
{
	unsigned int i;

	if (!m->node[node].submenu)
		return node;
	for (i = (unsigned int)node + 1; i < m->n; i++) {
		int up = m->node[i].parent;

		while (up > node)
			up = m->node[up].parent;
		if (up == node && !m->node[i].submenu)
			return (int)i;
	}
	return -1;
}

/* As GRUB reads $default: a flat index, or -1. */
static int find_path(const struct boot_menu *m, const char *path, bool numbers)
{
	int at = -1, found;
	const char *cut;

	/* A title may have a > in it. */
	found = find_part(m, -1, path, strlen(path), numbers);
	if (found < 0) {
		do {
			cut = strchr(path, '>');
			at = find_part(m, at, path, cut ? (size_t)(cut - path) : strlen(path), numbers);
			path = cut ? cut + 1 : path;
		} while (cut && at >= 0);
		found = at;
	}
	if (found >= 0)
		found = first_within(m, found);
	return found < 0 ? -1 : flat_of(m, (unsigned int)found);
}

static int find_anywhere(const struct boot_menu *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (!m->node[i].submenu && (same(m->node[i].id, name, strlen(name)) || same(m->node[i].title, name, strlen(name))))
			return flat_of(m, i);
	return -1;
}

unsigned int menu_default(const struct boot_menu *m)
{
	int at = -1;

	if (m->choice && m->choice[0]) {
		at = find_path(m, m->choice, !m->flat_choice);
		if (at < 0)
			at = find_anywhere(m, m->choice);
	}
	return at < 0 ? 0 : (unsigned int)at;
}

int menu_pick(const struct boot_menu *m, const char *wish)
{
	unsigned int flat;
	int at;

	if (parse_number(wish, strlen(wish), &flat))
		return menu_at(m, flat) < 0 ? -ENOENT : (int)flat;
	at = find_anywhere(m, wish);
	if (at < 0)
		at = find_path(m, wish, true);
	return at < 0 ? -ENOENT : at;
}

const char *menu_refused(const struct boot_menu *m, const char *wish, bool numbers)
{
	unsigned int i, pos = 0;
	bool number = numbers && parse_number(wish, strlen(wish), &pos);

	for (i = 0; i < m->n_refused; i++) {
		const struct boot_refused *r = &m->refused[i];

		if (number ? r->pos == (int)pos : same(r->id, wish, strlen(wish)) || same(r->title, wish, strlen(wish)))
			return r->why;
	}
	return NULL;
}

void menu_set_wait(struct boot_menu *m, const char *text, unsigned int per_second)
{
	unsigned int units;

	m->waits = parse_number(text, strlen(text), &units);
	m->wait_s = m->waits ? (units + per_second - 1) / per_second : 0;
}

const char *path_split(const char *path, char *dev, size_t size)
{
	const char *close = path[0] == '(' ? strchr(path, ')') : NULL;

	dev[0] = '\0';
	if (!close)
		return path;
	snprintf(dev, size, "%.*s", (int)(close - path - 1 < 200 ? close - path - 1 : 200), path + 1);
	return close + 1;
}

bool lines_next(struct lines *l, char *buf, size_t size, int *rc)
{
	const char *nl;
	size_t len;

	if (l->at >= l->end)
		return false;
	nl = memchr(l->at, '\n', (size_t)(l->end - l->at));
	len = nl ? (size_t)(nl - l->at) : (size_t)(l->end - l->at);
	if (len >= size) {
		*rc = -E2BIG;
		return false;
	}
	memcpy(buf, l->at, len);
	l->at = nl ? nl + 1 : l->end;
	/* A NUL ends the line: nobody's parser reads on. */
	while (len && (buf[len - 1] == '\r' || buf[len - 1] == ' ' || buf[len - 1] == '\t'))
		len--;
	buf[len] = '\0';
	return true;
}

bool line_key(char *line, char **ret_key, char **ret_rest)
{
	char *p = line + strspn(line, " \t");
	char *end = p + strcspn(p, " \t");

	if (*p == '\0' || *p == '#')
		return false;
	*ret_key = p;
	*ret_rest = end + strspn(end, " \t");
	*end = '\0';
	for (; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return true;
}
