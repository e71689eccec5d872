/* SPDX-License-Identifier: MIT */
/* What requests do to a tree: permissions, quotas, creation of parents. */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

struct op_ctx op_ctx(struct store *s, uint32_t domid, struct txn *t)
{
	return (struct op_ctx){ s, domid, t, t && !t->doomed ? &t->root : &s->root };
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

/* A domain learns that a node is missing only where it might read what holds it. */
static int missing(struct op_ctx *c, const char *path)
{
	size_t len;

	return perm_of(node_nearest(*c->root, path, &len), c->domid) & PERM_READ ? -ENOENT : -EACCES;
}

static int note_access(struct op_ctx *c, const char *path)
{
	return c->t ? txn_note_access(c->s, c->t, path) : 0;
}

int op_read(struct op_ctx *c, const char *path, struct node **ret)
{
	int rc = note_access(c, path);
	struct node *n;

	if (rc)
		return rc;
	n = node_find(*c->root, path);
	if (!n)
		return missing(c, path);
	if (!(perm_of(n, c->domid) & PERM_READ))
		return -EACCES;
	*ret = n;
	return 0;
}

/* A new node takes its parent's permissions; a guest's is its own. */
static struct node *new_below(struct op_ctx *c, const struct node *parent, const char *name, size_t nlen,
                              const void *value, size_t len)
{
	struct node *n = node_new(c->s, name, nlen, value, len, parent->perms, parent->nperms);

	if (!n)
		return NULL;
	n->gen = c->s->gen;
	if (c->domid != 0) {
		node_perms_begin(n);
		n->perms[0].domid = c->domid;
		node_perms_end(n);
	}
	return n;
}

/* path's part from at on as a chain of new nodes: what is put in the tree is all of it or nothing. */
static struct node *new_chain(struct op_ctx *c, const struct node *parent, const char *path, size_t at,
                              const void *value, size_t len)
{
	struct node *top = NULL, *last = NULL;

	while (path[at]) {
		size_t n = strcspn(path + at + 1, "/");
		bool end = !path[at + 1 + n];
		struct node *node = new_below(c, last ? last : parent, path + at + 1, n, end ? value : "", end ? len : 0);

		if (!node || (last && !node_add_child(last, node))) {
			node_unref(node);
			node_unref(top);
			return NULL;
		}
		last = node;
		top = top ? top : node;
		at += 1 + n;
	}
	return top;
}

static int put_chain(struct op_ctx *c, const char *path, size_t at, struct node *top)
{
	int rc = top ? account_tree(c, top, 1) : -ENOMEM;

	if (!rc && !tree_add(c->root, path, at, top, c->s->gen)) {
		account_tree(c, top, -1);
		rc = -ENOMEM;
	}
	if (rc)
		node_unref(top);
	return rc;
}

static unsigned int components(const char *path)
{
	unsigned int n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static int create_path(struct op_ctx *c, const char *path, const void *value, size_t len)
{
	size_t at;
	struct node *n = node_nearest(*c->root, path, &at);
	unsigned int more = components(path + at);
	int rc;

	if (!(perm_of(n, c->domid) & PERM_WRITE))
		return -EACCES;
	if (c->domid && components(path) > QUOTA_DEPTH)
		return quota_reached(c->s, c->domid, Q_DEPTH);
	rc = quota_check(c, more, strlen(path + at) + len + more * sizeof(struct node));
	return rc ? rc : put_chain(c, path, at, new_chain(c, n, path, at, value, len));
}

static int apply_write(struct op_ctx *c, const char *path, const void *value, size_t len)
{
	struct node *n = node_find(*c->root, path);
	unsigned char *copy;
	int rc;

	if (c->domid != 0 && len > QUOTA_VALUE)
		return quota_reached(c->s, c->domid, Q_VALUE);
	if (!n)
		return create_path(c, path, value, len);
	if (!(perm_of(n, c->domid) & PERM_WRITE))
		return -EACCES;
	rc = quota_check(c, 0, len > n->vlen ? len - n->vlen : 0);
	if (rc)
		return rc;
	copy = dup_bytes(value, len);
	n = copy ? tree_own(c->root, path) : NULL;
	rc = n ? account(c, n->perms[0].domid, 0, (long)len - (long)n->vlen) : -ENOMEM;
	if (rc) {
		free(copy);
		return rc;
	}
	free(n->value);
	n->value = copy;
	n->vlen = len;
	n->gen = c->s->gen;
	node_charge(n);
	return 0;
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
	rc = account_tree(c, n, -1);
	if (!rc && !tree_remove(c->root, path, c->s->gen)) {
		account_tree(c, n, 1);
		rc = -ENOMEM;
	}
	return rc;
}

static int may_set_perms(struct op_ctx *c, const struct node *n, const struct perm *perms, size_t count)
{
	uint32_t old = n->perms[0].domid;

	if (c->domid == 0)
		return 0;
	if (old != c->domid)
		return -EACCES;
	if (perms[0].domid != old)
		return -EPERM;
	return count > quota_limit(c->s, c->domid, Q_PERMS) ? quota_reached(c->s, c->domid, Q_PERMS) : 0;
}

static int apply_perms(struct op_ctx *c, const char *path, const struct perm *perms, size_t count)
{
	struct node *n = node_find(*c->root, path);
	struct perm *copy;
	size_t before;
	int rc = n ? may_set_perms(c, n, perms, count) : missing(c, path);

	if (rc)
		return rc;
	copy = dup_bytes(perms, count * sizeof(*perms));
	n = copy ? tree_own(c->root, path) : NULL;
	before = n ? node_bytes(n) : 0;
	rc = n ? account(c, n->perms[0].domid, -1, -(long)before) : -ENOMEM;
	if (!rc) {
		rc = account(c, perms[0].domid, 1, before + (count - n->nperms) * sizeof(*perms));
		if (rc)
			account(c, n->perms[0].domid, 1, before);
	}
	if (rc) {
		free(copy);
		return rc;
	}
	node_perms_begin(n);
	free(n->perms);
	n->perms = copy;
	n->nperms = count;
	n->gen = c->s->gen;
	node_perms_end(n);
	return 0;
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

/* Nothing is changed by making a directory that is there, or removing what is not. */
static bool changes(const struct node *before, enum op_type type)
{
	return type == OP_MKDIR ? !before : type == OP_RM ? before != NULL : true;
}

int op_apply(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len)
{
	struct node *n, *removed = NULL;
	bool changed;
	int rc;

	if (c->t && c->t->doomed)
		return 0;
	rc = note_access(c, path);
	rc = rc || !c->t ? rc : txn_spend(c->s, c->t, len);
	if (rc)
		return rc;
	c->s->gen++;
	n = node_find(*c->root, path);
	changed = changes(n, type);
	if (n && type == OP_RM && !c->t)
		removed = node_ref(n);
	rc = apply(c, type, path, data, len);
	if (!rc && changed && c->t)
		txn_note_change(c->t, path, type == OP_RM);
	if (!rc && changed && !c->t) {
		journal_note(c, type, path, data, len);
		watch_fire(c->s, path, removed);
		watch_run(c->s);
	}
	node_unref(removed);
	return rc;
}

static bool mentions(const struct node *n, uint32_t domid)
{
	count_work(1);
	for (uint32_t i = 0; i < n->nperms; i++)
		if (n->perms[i].domid == domid)
			return true;
	return false;
}

static void forget_in(struct store *s, struct node *n, uint32_t domid)
{
	uint32_t keep = 1;

	node_perms_begin(n);
	s->live[n->perms[0].domid] -= node_bytes(n);
	if (n->perms[0].domid == domid)
		n->perms[0] = (struct perm){ 0, PERM_NONE };
	for (uint32_t i = 1; i < n->nperms; i++)
		if (n->perms[i].domid != domid)
			n->perms[keep++] = n->perms[i];
	n->nperms = keep;
	s->live[n->perms[0].domid] += node_bytes(n);
	node_perms_end(n);
	/* A transaction that had looked at it would give it back to the domain: it is in conflict. */
	n->gen = s->gen;
}

/* n as it is without the domain: itself where no snapshot has it, or nothing is to be changed. */
static struct node *without(struct store *s, struct node *n, uint32_t domid, bool shared)
{
	struct node *m = n;

	shared = shared || n->refs > 1;
	for (uint32_t i = 0; i < n->nchildren; i++) {
		struct node *child = without(s, n->children[i], domid, shared);

		if (child == n->children[i])
			continue;
		if (m == n && shared && !(m = node_copy(n))) {
			node_unref(child);
			return n;
		}
		node_unref(m->children[i]);
		m->children[i] = child;
	}
	if (!mentions(n, domid))
		return m;
	if (m == n && shared && !(m = node_copy(n)))
		return n;
	forget_in(s, m, domid);
	return m;
}

/* A later domain with the same number must not inherit anything. */
void store_release_ownership(struct store *s, uint32_t domid)
{
	struct node *root = s->root;

	s->gen++;
	/* Mostly its own nodes were all, and are gone: with a thousand domains the walk costs a millisecond. */
	if (s->mentions[domid])
		root = without(s, s->root, domid, false);
	if (root != s->root) {
		node_unref(s->root);
		s->root = root;
	}
	s->nodes[0] += s->nodes[domid];
	s->nodes[domid] = s->live[domid] = 0;
	s->told[domid] = 0;
	quota_forget(s, domid);
}
