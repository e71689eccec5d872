/* SPDX-License-Identifier: MIT */
/* What requests do to a tree: permissions, quotas, creation of parents. */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

struct op_ctx op_ctx(struct store *s, uint32_t domid, struct txn *t)
{
	return (struct op_ctx){ s, domid, t, t ? &t->root : &s->root };
}

unsigned int perm_of(const struct node *n, uint32_t domid)
{
	if (domid == 0 || n->perms[0].domid == domid)
		return PERM_READ | PERM_WRITE;
	for (uint32_t i = 1; i < n->nperms; i++)
		if (n->perms[i].domid == domid)
			return n->perms[i].bits;
	return n->perms[0].bits;
}

/* The nearest node that exists on the way to path; its path in buf. */
static struct node *nearest(struct node *root, const char *path, char *buf, size_t len)
{
	struct node *n;

	snprintf(buf, len, "%s", path);
	while (!(n = node_find(root, buf))) {
		char *slash = strrchr(buf, '/');

		if (slash == buf)
			slash++;
		*slash = '\0';
	}
	return n;
}

/* A domain learns that a node is missing only where it might read what holds it. */
static int missing(struct op_ctx *c, const char *path)
{
	char buf[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n = nearest(*c->root, path, buf, sizeof(buf));

	return perm_of(n, c->domid) & PERM_READ ? -ENOENT : -EACCES;
}

static int note_access(struct op_ctx *c, const char *path)
{
	return c->t ? txn_note_access(c->t, path) : 0;
}

int op_read(struct op_ctx *c, const char *path, struct node **ret)
{
	int rc = note_access(c, path);
	struct node *n = node_find(*c->root, path);

	if (rc)
		return rc;
	if (!n)
		return missing(c, path);
	if (!(perm_of(n, c->domid) & PERM_READ))
		return -EACCES;
	*ret = n;
	return 0;
}

static void count_node(struct op_ctx *c, uint32_t owner, int by)
{
	if (!c->t)
		c->s->nodes[owner] += by;
	else if (owner == c->domid)
		c->t->node_delta += by;
}

static void count_tree(struct op_ctx *c, const struct node *n, int by)
{
	count_node(c, n->perms[0].domid, by);
	for (uint32_t i = 0; i < n->nchildren; i++)
		count_tree(c, n->children[i], by);
}

static bool over_quota(const struct op_ctx *c)
{
	long have = c->s->nodes[c->domid] + (c->t ? c->t->node_delta : 0);

	return c->domid != 0 && have >= (long)QUOTA_NODES;
}

static int put(struct op_ctx *c, const char *path, struct node *n)
{
	struct node *root = tree_replace(*c->root, path, n, c->s->gen);

	if (!root)
		return -ENOMEM;
	node_unref(*c->root);
	*c->root = root;
	return 0;
}

/* A new node takes its parent's permissions; a guest's is its own. */
static int create_one(struct op_ctx *c, const char *path, const void *value, size_t len)
{
	char parent_path[XENSTORE_ABS_PATH_MAX + 1];
	struct node *parent, *n;
	int rc;

	if (over_quota(c))
		return -ENOSPC;
	path_parent(path, parent_path, sizeof(parent_path));
	parent = node_find(*c->root, parent_path);
	n = node_new(strrchr(path, '/') + 1, value, len, parent->perms, parent->nperms);
	if (!n)
		return -ENOMEM;
	if (c->domid != 0)
		n->perms[0].domid = c->domid;
	n->gen = c->s->gen;
	uint32_t owner = n->perms[0].domid;

	rc = put(c, path, n);
	if (!rc)
		count_node(c, owner, 1);
	return rc;
}

static int create_path(struct op_ctx *c, const char *path, const void *value, size_t len)
{
	char at[XENSTORE_ABS_PATH_MAX + 1], step[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n = nearest(*c->root, path, at, sizeof(at));
	size_t done = strcmp(at, "/") ? strlen(at) : 0;
	int rc = 0;

	if (!(perm_of(n, c->domid) & PERM_WRITE))
		return -EACCES;
	while (!rc && done < strlen(path)) {
		size_t next = done + 1 + strcspn(path + done + 1, "/");
		bool last = path[next] == '\0';

		snprintf(step, sizeof(step), "%.*s", (int)next, path);
		rc = create_one(c, step, last ? value : "", last ? len : 0);
		done = next;
	}
	return rc;
}

/* n with another value or other permissions; its children stay. */
static struct node *altered(struct op_ctx *c, struct node *n, const void *value, size_t len,
                            const struct perm *perms, unsigned int nperms)
{
	struct node *m = node_new(n->name, value, len, perms, nperms);

	if (!m)
		return NULL;
	m->gen = c->s->gen;
	m->children = malloc((n->nchildren ? n->nchildren : 1) * sizeof(*m->children));
	if (!m->children) {
		node_unref(m);
		return NULL;
	}
	for (uint32_t i = 0; i < n->nchildren; i++)
		m->children[m->nchildren++] = node_ref(n->children[i]);
	return m;
}

static int apply_write(struct op_ctx *c, const char *path, const void *value, size_t len)
{
	struct node *n = node_find(*c->root, path), *m;

	if (c->domid != 0 && len > QUOTA_VALUE)
		return -ENOSPC;
	if (!n)
		return create_path(c, path, value, len);
	if (!(perm_of(n, c->domid) & PERM_WRITE))
		return -EACCES;
	m = altered(c, n, value, len, n->perms, n->nperms);
	return m ? put(c, path, m) : -ENOMEM;
}

static int apply_mkdir(struct op_ctx *c, const char *path)
{
	struct node *n = node_find(*c->root, path);

	if (!n)
		return create_path(c, path, "", 0);
	return perm_of(n, c->domid) & PERM_WRITE ? 0 : -EACCES;
}

static int apply_rm(struct op_ctx *c, const char *path)
{
	char parent[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n = node_find(*c->root, path);
	int rc;

	if (!strcmp(path, "/"))
		return -EINVAL;
	if (!n) {
		/* Gone already is as good, where there is a parent (as xenstored answers). */
		path_parent(path, parent, sizeof(parent));
		return node_find(*c->root, parent) ? 0 : missing(c, path);
	}
	if (!(perm_of(n, c->domid) & PERM_WRITE))
		return -EACCES;
	node_ref(n);
	rc = put(c, path, NULL);
	if (!rc)
		count_tree(c, n, -1);
	node_unref(n);
	return rc;
}

static int apply_perms(struct op_ctx *c, const char *path, const struct perm *perms, size_t count)
{
	struct node *n = node_find(*c->root, path), *m;
	uint32_t old;

	if (!n)
		return missing(c, path);
	old = n->perms[0].domid;
	if (c->domid != 0 && old != c->domid)
		return -EACCES;
	if (c->domid != 0 && perms[0].domid != old)
		return -EPERM;
	if (c->domid != 0 && count > QUOTA_PERMS)
		return -ENOSPC;
	m = altered(c, n, n->value, n->vlen, perms, count);
	if (!m)
		return -ENOMEM;
	uint32_t owner = m->perms[0].domid;
	int rc = put(c, path, m);

	if (!rc) {
		count_node(c, old, -1);
		count_node(c, owner, 1);
	}
	return rc;
}

static int apply(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len)
{
	switch (type) {
	case OP_WRITE: return apply_write(c, path, data, len);
	case OP_MKDIR: return apply_mkdir(c, path);
	case OP_RM: return apply_rm(c, path);
	case OP_PERMS: return apply_perms(c, path, data, len / sizeof(struct perm));
	}
	return -EINVAL;
}

int op_apply(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len)
{
	struct node *before = node_ref(*c->root), *removed;
	int rc = note_access(c, path);

	c->s->gen++;
	if (!rc)
		rc = apply(c, type, path, data, len);
	if (rc && *c->root != before) {
		/* Half way through creating parents: nothing of it stays. */
		count_tree(c, *c->root, -1);
		count_tree(c, before, 1);
		node_unref(*c->root);
		*c->root = before;
		return rc;
	}
	if (!rc && c->t)
		rc = txn_note_op(c->t, type, path, data, len);
	if (!rc && !c->t && *c->root != before) {
		removed = type == OP_RM ? node_find(before, path) : NULL;
		journal_note(c->s, type, path, data, len);
		watch_fire(c->s, path, removed);
	}
	node_unref(before);
	return rc;
}

static struct node *disown(struct node *n, uint32_t domid)
{
	struct node *m = node_new(n->name, n->value, n->vlen, n->perms, n->nperms);
	uint32_t keep = 1;

	if (!m)
		return NULL;
	m->gen = n->gen;
	if (m->perms[0].domid == domid)
		m->perms[0] = (struct perm){ 0, PERM_NONE };
	for (uint32_t i = 1; i < m->nperms; i++)
		if (m->perms[i].domid != domid)
			m->perms[keep++] = m->perms[i];
	m->nperms = keep;
	m->children = malloc((n->nchildren ? n->nchildren : 1) * sizeof(*m->children));
	for (uint32_t i = 0; m->children && i < n->nchildren; i++) {
		struct node *child = disown(n->children[i], domid);

		if (!child)
			break;
		m->children[m->nchildren++] = child;
	}
	if (m->nchildren == n->nchildren && m->children)
		return m;
	node_unref(m);
	return NULL;
}

static bool mentions(const struct node *n, uint32_t domid)
{
	for (uint32_t i = 0; i < n->nperms; i++)
		if (n->perms[i].domid == domid)
			return true;
	for (uint32_t i = 0; i < n->nchildren; i++)
		if (mentions(n->children[i], domid))
			return true;
	return false;
}

/* A later domain with the same number must not inherit anything. */
void store_release_ownership(struct store *s, uint32_t domid)
{
	struct node *root = mentions(s->root, domid) ? disown(s->root, domid) : NULL;

	if (!root)
		return;
	node_unref(s->root);
	s->root = root;
	s->nodes[0] += s->nodes[domid];
	s->nodes[domid] = 0;
}
