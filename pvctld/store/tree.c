/* SPDX-License-Identifier: MIT */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

struct node *node_ref(struct node *n)
{
	n->refs++;
	return n;
}

void node_unref(struct node *n)
{
	if (!n || --n->refs)
		return;
	for (uint32_t i = 0; i < n->nchildren; i++)
		node_unref(n->children[i]);
	free(n->children);
	free(n->perms);
	free(n->value);
	free(n->name);
	free(n);
}

/* memdup with a NUL behind it; never NULL for len 0. */
static void *dup_bytes(const void *p, size_t len)
{
	char *d = malloc(len + 1);

	if (!d)
		return NULL;
	if (len)
		memcpy(d, p, len);
	d[len] = '\0';
	return d;
}

struct node *node_new(const char *name, const void *value, size_t vlen, const struct perm *perms,
                      unsigned int nperms)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->refs = 1;
	n->name = dup_bytes(name, strlen(name));
	n->value = dup_bytes(value, vlen);
	n->vlen = vlen;
	n->perms = malloc(nperms * sizeof(*perms));
	if (!n->name || !n->value || !n->perms) {
		node_unref(n);
		return NULL;
	}
	memcpy(n->perms, perms, nperms * sizeof(*perms));
	n->nperms = nperms;
	return n;
}

static int name_cmp(const char *a, const char *b, size_t blen)
{
	int r = strncmp(a, b, blen);

	return r ? r : a[blen] != '\0';
}

size_t child_index(const struct node *n, const char *name, size_t len, bool *found)
{
	size_t lo = 0, hi = n->nchildren;

	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int r = name_cmp(n->children[mid]->name, name, len);

		if (!r) {
			*found = true;
			return mid;
		}
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct node *node_find(struct node *root, const char *path)
{
	struct node *n = root;

	while (*path == '/')
		path++;
	while (*path) {
		size_t len = strcspn(path, "/");
		bool found;
		size_t i = child_index(n, path, len, &found);

		if (!found)
			return NULL;
		n = n->children[i];
		path += len + (path[len] == '/');
	}
	return n;
}

/* The same node with its own, larger or smaller, array of children. */
static struct node *copy_shallow(const struct node *n, size_t nchildren)
{
	struct node *c = node_new(n->name, n->value, n->vlen, n->perms, n->nperms);

	if (!c)
		return NULL;
	c->gen = n->gen;
	c->children = malloc((nchildren ? nchildren : 1) * sizeof(*c->children));
	if (!c->children) {
		node_unref(c);
		return NULL;
	}
	return c;
}

static struct node *with_child(struct node *n, size_t at, bool found, struct node *repl, uint64_t gen)
{
	size_t count = n->nchildren + (repl && !found) - (!repl && found), from = at + found;
	struct node *c = copy_shallow(n, count);

	if (!c) {
		node_unref(repl);
		return NULL;
	}
	for (size_t i = 0; i < at; i++)
		c->children[c->nchildren++] = node_ref(n->children[i]);
	if (repl)
		c->children[c->nchildren++] = repl;
	for (size_t i = from; i < n->nchildren; i++)
		c->children[c->nchildren++] = node_ref(n->children[i]);
	if (found != (repl != NULL))
		c->gen = gen;
	return c;
}

/* Depth is bounded by the longest path, XENSTORE_ABS_PATH_MAX / 2 components. */
static struct node *replace_in(struct node *n, const char *rest, struct node *repl, uint64_t gen)
{
	size_t len = strcspn(rest, "/");
	bool found;
	size_t at = child_index(n, rest, len, &found);

	if (rest[len] == '\0')
		return with_child(n, at, found, repl, gen);
	if (!found) {
		node_unref(repl);
		return NULL;
	}
	struct node *child = replace_in(n->children[at], rest + len + 1, repl, gen);

	return child ? with_child(n, at, true, child, gen) : NULL;
}

struct node *tree_replace(struct node *root, const char *path, struct node *repl, uint64_t gen)
{
	if (!strcmp(path, "/"))
		return repl;
	return replace_in(root, path + 1, repl, gen);
}

void path_parent(const char *path, char *buf, size_t len)
{
	char *slash;

	if (buf != path)
		snprintf(buf, len, "%s", path);
	slash = strrchr(buf, '/');
	if (slash == buf || !slash)
		snprintf(buf, len, "/");
	else
		*slash = '\0';
}

bool path_is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (!strcmp(top, "/"))
		return path[0] == '/';
	return !strncmp(path, top, n) && (path[n] == '\0' || path[n] == '/');
}

bool path_valid(const char *path, bool special_ok)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@";
	size_t n = strlen(path);

	if (!n || n > XENSTORE_ABS_PATH_MAX || strspn(path, ok) != n)
		return false;
	if (path[0] == '@')
		return special_ok && !strchr(path, '/');
	if (path[0] != '/')
		return false;
	return n == 1 || (path[n - 1] != '/' && !strstr(path, "//"));
}
