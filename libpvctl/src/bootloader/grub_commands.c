/* SPDX-License-Identifier: MIT */
/* grub.cfg: the commands that matter for finding a kernel. All others do nothing, successfully. */
#include "bootloader/grub.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool file_is(struct grub *g, const char *path)
{
	char dev[64];

	return g->files && g->files->exists && g->files->exists(g->files->data, path_split(path, dev, sizeof(dev)));
}

static bool test_unary(struct grub *g, const char *op, const char *a, bool *ret)
{
	if (op[0] != '-' || !op[1] || op[2])
		return false;
	switch (op[1]) {
	case 'z': *ret = !a[0]; return true;
	case 'n': *ret = a[0]; return true;
	case 'e': case 'f': case 'd': case 's': *ret = file_is(g, a); return true;
	}
	return false;
}

static bool test_binary(const char *a, const char *op, const char *b, bool *ret)
{
	static const char *const ops[] = { "-eq", "-ne", "-lt", "-le", "-gt", "-ge" };
	long x = strtol(a, NULL, 10), y = strtol(b, NULL, 10);
	const bool is[] = { x == y, x != y, x < y, x <= y, x > y, x >= y };
	unsigned int i;

	if (strcmp(op, "=") == 0 || strcmp(op, "==") == 0)
		return *ret = strcmp(a, b) == 0, true;
	if (strcmp(op, "!=") == 0)
		return *ret = strcmp(a, b) != 0, true;
	for (i = 0; i < 6; i++)
		if (strcmp(op, ops[i]) == 0)
			return *ret = is[i], true;
	return false;
}

/* From left to right, -a before -o as far as one without parentheses can tell. */
bool grub_test(struct grub *g, char **w, unsigned int n)
{
	bool any = false, all = true, is = false, negate = false;
	unsigned int i = 0;

	if (n == 0)
		return false;
	while (i < n) {
		if (strcmp(w[i], "!") == 0 && i + 1 < n) {
			negate = !negate;
			i++;
			continue;
		}
		if (i + 2 < n && test_binary(w[i], w[i + 1], w[i + 2], &is)) {
			i += 3;
		} else if (i + 1 < n && test_unary(g, w[i], w[i + 1], &is)) {
			i += 2;
		} else {
			is = w[i][0];
			i++;
		}
		all = all && is != negate;
		negate = false;
		if (i < n && strcmp(w[i], "-o") == 0) {
			any = any || all;
			all = true;
		}
		if (i < n && w[i][0] == '-' && (w[i][1] == 'o' || w[i][1] == 'a'))
			i++;
	}
	return any || all;
}

/* search --set=root --fs-uuid UUID, and its short forms: --hint-* are only hints. */
static int search(struct grub *g, struct grub_words *w)
{
	const char *kind = "FILE", *var = "root", *what = NULL;
	char spec[400];
	unsigned int i;

	if (strcmp(w->word[0], "search.fs_uuid") == 0)
		kind = "UUID";
	else if (strcmp(w->word[0], "search.fs_label") == 0)
		kind = "LABEL";
	for (i = 1; i < w->n; i++) {
		const char *a = w->word[i];

		if (strcmp(a, "--fs-uuid") == 0 || strcmp(a, "-u") == 0)
			kind = "UUID";
		else if (strcmp(a, "--label") == 0 || strcmp(a, "--fs-label") == 0 || strcmp(a, "-l") == 0)
			kind = "LABEL";
		else if (strncmp(a, "--set=", 6) == 0)
			var = a + 6;
		else if ((strcmp(a, "--hint") == 0 || strcmp(a, "-h") == 0) && i + 1 < w->n)
			i++;
		else if (a[0] != '-' && !what)
			what = a;
		else if (a[0] != '-' && w->word[0][6] == '.')
			var = a;
	}
	if (!what)
		return 0;
	snprintf(spec, sizeof(spec), "%s=%.300s", kind, what);
	return grub_env_set(&g->env, var, spec);
}

/* A word with blanks goes to the kernel in quotes, as GRUB does it. */
static int add_arg(struct buf *b, const char *word)
{
	const char *q = strpbrk(word, " \t") ? "\"" : "";

	return buf_addf(b, "%s%s%s%s", b->len ? " " : "", q, word, q);
}

/* No variable of a script's can have such a name. */
static void loop_name(const char *dev, char name[80])
{
	snprintf(name, 80, "(%.60s)", dev);
}

/* loopback loop0 /image: what is in there is not read, but must not be looked for elsewhere. */
static int loopback(struct grub *g, struct grub_words *w)
{
	char name[80], dev[300];
	const char *file;
	unsigned int i = 1;

	while (i < w->n && w->word[i][0] == '-')
		i++;
	if (i + 1 >= w->n)
		return 0;
	loop_name(w->word[i], name);
	file = path_split(w->word[i + 1], dev, sizeof(dev));
	while (file[0] == '/' && file[1] == '/')
		file++;
	return grub_env_set(&g->env, name, file);
}

static int set_root(struct grub *g, struct boot_node *n, const char *dev)
{
	const char *root = dev[0] ? dev : grub_env_get(&g->env, "root"), *file;
	char name[80], spec[400];

	if (!root || !root[0])
		return 0;
	loop_name(root, name);
	file = grub_env_get(&g->env, name);
	if (!file)
		return menu_set(&n->root, root);
	snprintf(spec, sizeof(spec), BOOT_ROOT_LOOP "%.300s", file);
	return menu_set(&n->root, spec);
}

static int linux_command(struct grub *g, struct boot_node *n, struct grub_words *w, unsigned int from)
{
	CLEANUP_BUF struct buf b = { .limit = BOOT_MAX_STRING };
	char dev[300];
	unsigned int i;
	int rc = 0;

	if (from >= w->n)
		return 0;
	for (i = from + 1; i < w->n && !rc; i++)
		rc = add_arg(&b, w->word[i]);
	if (!rc)
		rc = buf_add(&b, "", 1);
	if (!rc)
		rc = menu_set(&n->kernel, path_split(w->word[from], dev, sizeof(dev)));
	if (!rc)
		rc = menu_set(&n->cmdline, (char *)b.data);
	return rc ? rc : set_root(g, n, dev);
}

static int initrd_command(struct boot_node *n, struct grub_words *w, unsigned int from)
{
	char dev[300];
	unsigned int i;
	int rc = 0;

	for (i = from; i < w->n && !rc; i++)
		if (strncmp(w->word[i], "newc:", 5) != 0)
			rc = menu_add_initrd(n, path_split(w->word[i], dev, sizeof(dev)));
	return rc;
}

/* For an entry of Xen as a host: the first module is the kernel, the second its ramdisk. */
static int module_command(struct grub *g, struct boot_node *n, struct grub_words *w)
{
	unsigned int from = 1;

	while (from < w->n && strncmp(w->word[from], "--", 2) == 0)
		from++;
	return n->kernel ? initrd_command(n, w, from) : linux_command(g, n, w, from);
}

static int boot_command(struct grub *g, struct grub_words *w)
{
	struct boot_node *n = &g->m->node[g->entry];
	const char *c = w->word[0];

	if (strcmp(c, "linux") == 0 || strcmp(c, "linux16") == 0 || strcmp(c, "linuxefi") == 0)
		return linux_command(g, n, w, 1);
	if (strcmp(c, "initrd") == 0 || strcmp(c, "initrd16") == 0 || strcmp(c, "initrdefi") == 0)
		return initrd_command(n, w, 1);
	if (strcmp(c, "module") == 0 || strcmp(c, "module2") == 0)
		return module_command(g, n, w);
	if (strcmp(c, "chainloader") == 0)
		n->instead = "chainloader";
	else if (strncmp(c, "multiboot", 9) == 0 && !n->instead)
		n->instead = "multiboot";
	else if (strcmp(c, "fwsetup") == 0)
		n->instead = "fwsetup";
	return 0;
}

static int set_var(void *arg, const char *name, const char *value)
{
	return grub_env_set(&((struct grub *)arg)->env, name, value);
}

static int load_env(struct grub *g, struct grub_words *w)
{
	CLEANUP_FREE char *text = NULL;
	char path[600], dev[64];
	const char *file = NULL;
	unsigned int i;
	size_t len;

	for (i = 1; i < w->n; i++) {
		if ((strcmp(w->word[i], "-f") == 0 || strcmp(w->word[i], "--file") == 0) && i + 1 < w->n)
			file = w->word[++i];
		else if (strncmp(w->word[i], "--file=", 7) == 0)
			file = w->word[i] + 7;
	}
	snprintf(path, sizeof(path), "%.500s/grubenv", g->dir);
	if (files_load(g->files, file ? path_split(file, dev, sizeof(dev)) : path, &text, &len))
		return 0;
	return grubenv_parse(text, len, set_var, g);
}

/* Functions of a file stay after it: so does its text. */
static int source(struct grub *g, const char *name, bool *ret_true)
{
	char *text, dev[64];
	size_t len;
	int rc;

	*ret_true = false;
	if (g->n_kept >= BOOT_MAX_FILES || g->nest + 4 >= GRUB_MAX_NEST)
		return -E2BIG;
	rc = files_load(g->files, path_split(name, dev, sizeof(dev)), &text, &len);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	g->kept[g->n_kept++] = text;
	*ret_true = true;
	return grub_run(g, text, text + len);
}

static char *expand_bls(void *arg, const char *text)
{
	return grub_expand_text(&((struct grub *)arg)->env, text);
}

static int blscfg(struct grub *g)
{
	static const char *const dirs[] = { "/boot/loader/entries", "/loader/entries" };
	unsigned int i, before = g->m->n;
	int rc = 0;

	for (i = 0; i < 2 && !rc && g->m->n == before; i++) {
		rc = bls_load(g->files, dirs[i], expand_bls, g, g->submenu, g->m);
		if (rc == -ENOENT) /* a /boot of its own has the other one */
			rc = 0;
	}
	return rc;
}

static int set_command(struct grub *g, const char *assignment)
{
	const char *eq = strchr(assignment, '=');
	char name[256];

	if (!eq || eq == assignment || eq - assignment > 255)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(eq - assignment), assignment);
	return grub_env_set(&g->env, name, eq + 1);
}

static bool is_assignment(const char *word)
{
	const char *p = word;

	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return p > word && *p == '=';
}

int grub_command(struct grub *g, struct grub_words *w, bool *ret_true)
{
	static const char *const fails[] = { "false", "keystatus", "cmp", "cpuid" };
	const char *c = w->word[0];
	unsigned int i;

	*ret_true = true;
	for (i = 0; i < sizeof(fails) / sizeof(fails[0]); i++)
		if (strcmp(c, fails[i]) == 0)
			*ret_true = false;
	if (is_assignment(c))
		return set_command(g, c);
	if (strcmp(c, "set") == 0)
		return w->n > 1 ? set_command(g, w->word[1]) : 0;
	if (strcmp(c, "unset") == 0 && w->n > 1)
		return grub_env_unset(&g->env, w->word[1]), 0;
	if (strcmp(c, "[") == 0 || strcmp(c, "test") == 0)
		return *ret_true = grub_test(g, w->word + 1, w->n - 1 - (c[0] == '[' && w->n > 1)), 0;
	if (strncmp(c, "search", 6) == 0 && (!c[6] || c[6] == '.'))
		return search(g, w);
	if (strcmp(c, "load_env") == 0)
		return load_env(g, w);
	if (strcmp(c, "loopback") == 0)
		return loopback(g, w);
	if ((strcmp(c, "source") == 0 || strcmp(c, ".") == 0 || strcmp(c, "configfile") == 0) && w->n > 1)
		return source(g, w->word[1], ret_true);
	if (strcmp(c, "blscfg") == 0)
		return blscfg(g);
	return g->entry >= 0 ? boot_command(g, w) : 0;
}
