/* SPDX-License-Identifier: MIT */
/*
 * A tree that is changed in place, but for nodes that a snapshot shares: those are
 * copied on the way down. So a change costs what it touches, and a snapshot one reference.
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

#define MALLOC_OVERHEAD 64u

struct node *node_ref(struct node *n)
{
	n->refs++;
	return n;
}

static uint64_t units;

void count_work(size_t n)
{
	units += n;
}

uint64_t store_units(void)
{
	return units;
}

size_t node_bytes(const struct node *n)
{
	return sizeof(*n) + MALLOC_OVERHEAD + strlen(n->name) + n->vlen + n->nperms * sizeof(*n->perms);
}

void node_charge(struct node *n)
{
	size_t now = node_bytes(n) + n->room * sizeof(*n->children);

	n->store->bytes[n->charged_to] += now - n->charged;
	n->charged = now;
}

static void mention(const struct node *n, uint32_t one)
{
	for (uint32_t i = 0; i < n->nperms; i++)
		if (n->perms[i].domid < STORE_DOMIDS)
			n->store->mentions[n->perms[i].domid] += one;
}

void node_perms_begin(struct node *n)
{
	mention(n, -1u);
}

void node_perms_end(struct node *n)
{
	mention(n, 1);
	n->store->bytes[n->charged_to] -= n->charged;
	n->charged = 0;
	n->charged_to = n->perms[0].domid;
	node_charge(n);
}

void node_unref(struct node *n)
{
	if (!n || --n->refs)
		return;
	count_work(3);
	for (uint32_t i = 0; i < n->nchildren; i++)
		node_unref(n->children[i]);
	if (n->store) {
		mention(n, -1u);
		n->store->bytes[n->charged_to] -= n->charged;
	}
	free(n->children);
	free(n->perms);
	free(n->value);
	free(n->name);
	free(n);
}

/* memdup with a NUL behind it; never NULL for len 0. */
void *dup_bytes(const void *p, size_t len)
{
	char *d = malloc(len + 1);

	if (!d)
		return NULL;
	if (len)
		memcpy(d, p, len);
	d[len] = '\0';
	return d;
}

static struct node *new_node(const char *name, size_t nlen, const void *value, size_t vlen)
{
	struct node *n = calloc(1, sizeof(*n));

	count_work(3 + vlen / 256);
	if (!n)
		return NULL;
	n->refs = 1;
	n->name = dup_bytes(name, nlen);
	n->value = dup_bytes(value, vlen);
	n->vlen = vlen;
	if (n->name && n->value)
		return n;
	node_unref(n);
	return NULL;
}

struct node *node_new(struct store *s, const char *name, size_t nlen, const void *value, size_t vlen,
                      const struct perm *perms, unsigned int nperms)
{
	struct node *n = new_node(name, nlen, value, vlen);

	if (!n || !(n->perms = malloc(nperms * sizeof(*perms)))) {
		node_unref(n);
		return NULL;
	}
	memcpy(n->perms, perms, nperms * sizeof(*perms));
	n->nperms = nperms;
	n->store = s;
	n->charged_to = perms[0].domid;
	mention(n, 1);
	node_charge(n);
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
	count_work(1);
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

struct node *node_nearest(struct node *root, const char *path, size_t *ret_len)
{
	struct node *n = root;
	size_t at = 0;

	while (path[at] == '/' && path[at + 1]) {
		size_t len = strcspn(path + at + 1, "/");
		bool found;
		size_t i = child_index(n, path + at + 1, len, &found);

		if (!found)
			break;
		n = n->children[i];
		at += 1 + len;
	}
	*ret_len = at;
	return n;
}

struct node *node_find(struct node *root, const char *path)
{
	size_t len;
	struct node *n = node_nearest(root, path, &len);

	return path[len] && path[len + 1] ? NULL : n;
}

struct node *node_copy(const struct node *n)
{
	struct node *c = new_node(n->name, strlen(n->name), n->value, n->vlen);

	if (!c)
		return NULL;
	count_work(n->nchildren / 4);
	c->perms = malloc(n->nperms * sizeof(*c->perms));
	c->children = malloc((n->nchildren ? n->nchildren : 1) * sizeof(*c->children));
	if (!c->perms || !c->children) {
		node_unref(c);
		return NULL;
	}
	memcpy(c->perms, n->perms, n->nperms * sizeof(*c->perms));
	c->nperms = n->nperms;
	c->room = n->nchildren;
	for (uint32_t i = 0; i < n->nchildren; i++)
		c->children[c->nchildren++] = node_ref(n->children[i]);
	c->gen = n->gen;
	c->store = n->store;
	c->charged_to = n->charged_to;
	mention(c, 1);
	node_charge(c);
	return c;
}

/* Only this tree's after this: a snapshot that had it, too, keeps the one that was. Its parents are ours already. */
static bool own(struct node **slot)
{
	struct node *c;

	if ((*slot)->refs == 1)
		return true;
	c = node_copy(*slot);
	if (!c)
		return false;
	node_unref(*slot);
	*slot = c;
	return true;
}

static struct node *own_up_to(struct node **root, const char *path, size_t len)
{
	struct node **slot = root;
	size_t at = 0;

	if (!own(slot))
		return NULL;
	while (at < len && path[at + 1]) {
		size_t n = strcspn(path + at + 1, "/");
		bool found;
		size_t i = child_index(*slot, path + at + 1, n, &found);

		if (!found)
			return NULL;
		slot = &(*slot)->children[i];
		if (!own(slot))
			return NULL;
		at += 1 + n;
	}
	return *slot;
}

struct node *tree_own(struct node **root, const char *path)
{
	return own_up_to(root, path, strlen(path));
}

static bool make_room(struct node *n)
{
	uint32_t room = n->room < 4 ? 4 : n->room * 2;
	struct node **p;

	if (n->nchildren < n->room)
		return true;
	p = realloc(n->children, room * sizeof(*p));
	if (!p)
		return false;
	n->children = p;
	n->room = room;
	node_charge(n);
	return true;
}

bool node_add_child(struct node *n, struct node *child)
{
	bool found;
	size_t at = child_index(n, child->name, strlen(child->name), &found);

	if (found || !make_room(n))
		return false;
	count_work(n->nchildren / 64);
	memmove(n->children + at + 1, n->children + at, (n->nchildren - at) * sizeof(*n->children));
	n->children[at] = child;
	n->nchildren++;
	return true;
}

bool tree_add(struct node **root, const char *parent, size_t len, struct node *child, uint64_t gen)
{
	struct node *n = own_up_to(root, parent, len);

	if (!n || !node_add_child(n, child))
		return false;
	n->gen = gen;
	return true;
}

bool tree_remove(struct node **root, const char *path, uint64_t gen)
{
	const char *name = strrchr(path, '/') + 1;
	struct node *n = own_up_to(root, path, name - 1 - path);
	bool found;
	size_t at;

	if (!n)
		return false;
	at = child_index(n, name, strlen(name), &found);
	if (!found)
		return false;
	node_unref(n->children[at]);
	n->nchildren--;
	count_work(n->nchildren / 64);
	memmove(n->children + at, n->children + at + 1, (n->nchildren - at) * sizeof(*n->children));
	n->gen = gen;
	return true;
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
