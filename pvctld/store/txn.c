/* SPDX-License-Identifier: MIT */
/*
 * Transactions: a snapshot to work on, and the paths it looked at with their
 * generations then. If nothing else has changed, the snapshot becomes the tree. Else
 * what it changed is done again on the tree as it is, if none of those paths
 * has changed meanwhile (EAGAIN, and the client tries again).
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

static uint64_t gen_of(struct node *root, const char *path)
{
	struct node *n = node_find(root, path);

	return n ? n->gen : 0;
}

static struct txn *txn_new(struct store *s, uint32_t domid)
{
	struct txn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->domid = domid;
	t->started = s->gen++;
	t->base = node_ref(s->root);
	t->root = node_ref(s->root);
	t->changes_tail = &t->changes;
	t->account = &s->bytes[domid];
	return t;
}

int txn_start(struct store_conn *c, uint32_t *ret_id)
{
	struct txn *t;

	if (c->domid != 0 && c->ntxns >= quota_limit(c->store, c->domid, Q_TRANSACTIONS))
		return quota_reached(c->store, c->domid, Q_TRANSACTIONS);
	t = txn_new(c->store, c->domid);
	if (!t)
		return -ENOMEM;
	do
		c->next_txn++;
	while (!c->next_txn || txn_find(c, c->next_txn));
	t->id = c->next_txn;
	t->next = c->txns;
	c->txns = t;
	c->ntxns++;
	*ret_id = t->id;
	journal_note_txn(c, t->id, false);
	return 0;
}

bool txn_lost(struct store_conn *c, uint32_t id)
{
	struct txn *t = txn_new(c->store, c->domid);

	if (!t)
		return false;
	t->id = c->next_txn = id;
	t->next = c->txns;
	c->txns = t;
	c->ntxns++;
	txn_doom(t);
	return true;
}

struct txn *txn_find(struct store_conn *c, uint32_t id)
{
	struct txn *t = c->txns;

	while (t && t->id != id)
		t = t->next;
	return t;
}

static void txn_empty(struct txn *t)
{
	while (t->touches) {
		struct touch *o = t->touches;

		count_work(1);
		t->touches = o->next;
		free(o);
	}
	t->changes = NULL;
	*t->account -= t->charged;
	t->charged = 0;
	node_unref(t->root);
	node_unref(t->base);
	t->root = t->base = NULL;
	free(t->deltas);
	t->deltas = NULL;
	t->ndeltas = 0;
}

void txn_doom(struct txn *t)
{
	t->doomed = true;
	txn_empty(t);
}

static void txn_free(struct txn *t)
{
	txn_empty(t);
	free(t);
}

static void txn_unlink(struct store_conn *c, struct txn *t)
{
	struct txn **p = &c->txns;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	c->ntxns--;
}

int txn_spend(struct store *s, struct txn *t, size_t bytes)
{
	if (t->domid && !t->again && t->bytes + bytes > quota_limit(s, t->domid, Q_TXN_BYTES))
		return quota_reached(s, t->domid, Q_TXN_BYTES);
	t->bytes += bytes;
	return 0;
}

static struct touch *find_touch(const struct txn *t, const char *path, uint32_t hash)
{
	struct touch *a = t->hashed[hash % TOUCH_BUCKETS];

	count_work(1 + t->ntouches / TOUCH_BUCKETS / 4);
	while (a && (a->hash != hash || strcmp(a->path, path)))
		a = a->next_hash;
	return a;
}

int txn_note_access(struct store *s, struct txn *t, const char *path)
{
	size_t len = strlen(path) + 1;
	uint32_t hash = path_hash(PATH_HASH_START, path, len);
	struct touch *a;
	int rc;

	if (t->doomed || find_touch(t, path, hash))
		return 0;
	if (t->domid && !t->again && t->ntouches >= quota_limit(s, t->domid, Q_TXN_PATHS))
		return quota_reached(s, t->domid, Q_TXN_PATHS);
	rc = txn_spend(s, t, sizeof(*a) + len);
	if (rc)
		return rc;
	a = calloc(1, sizeof(*a) + len);
	if (!a)
		return -ENOMEM;
	memcpy(a->path, path, len);
	a->hash = hash;
	a->gen = gen_of(t->base, path);
	a->next = t->touches;
	t->touches = a;
	a->next_hash = t->hashed[hash % TOUCH_BUCKETS];
	t->hashed[hash % TOUCH_BUCKETS] = a;
	t->ntouches++;
	t->charged += sizeof(*a) + len;
	*t->account += sizeof(*a) + len;
	return 0;
}

void txn_note_change(struct txn *t, const char *path, bool removed)
{
	struct touch *a = find_touch(t, path, path_hash(PATH_HASH_START, path, strlen(path) + 1));

	a->removed |= removed;
	if (a->changed)
		return;
	a->changed = true;
	*t->changes_tail = a;
	t->changes_tail = &a->next_change;
}

static bool conflicts(struct store *s, const struct txn *t)
{
	for (const struct touch *a = t->touches; a; a = a->next)
		if (gen_of(s->root, a->path) != a->gen)
			return true;
	return false;
}

static bool same_perms(const struct node *a, const struct node *b)
{
	return a->nperms == b->nperms && !memcmp(a->perms, b->perms, a->nperms * sizeof(*a->perms));
}

static int redo_node(struct op_ctx *c, const char *path, const struct node *n)
{
	int rc = op_apply(c, OP_WRITE, path, n->value, n->vlen);

	if (!rc && !same_perms(n, node_find(*c->root, path)))
		rc = op_apply(c, OP_PERMS, path, n->perms, n->nperms * sizeof(*n->perms));
	return rc;
}

static int redo_tree(struct op_ctx *c, char *path, size_t len, const struct node *n)
{
	int rc = redo_node(c, path, n);

	for (uint32_t i = 0; !rc && i < n->nchildren; i++) {
		int l = snprintf(path + len, XENSTORE_ABS_PATH_MAX + 1 - len, "/%s", n->children[i]->name);

		rc = redo_tree(c, path, len + l, n->children[i]);
	}
	path[len] = '\0';
	return rc;
}

static int redo_change(struct op_ctx *c, const struct txn *t, const struct touch *a)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n = node_find(t->root, a->path);
	struct touch *done = find_touch(c->t, a->path, a->hash);
	int rc = 0;

	/* With all below something that was removed and made anew. */
	if (done && done->changed)
		return 0;
	if (a->removed && node_find(*c->root, a->path))
		rc = op_apply(c, OP_RM, a->path, "", 0);
	if (rc || !n)
		return rc;
	if (!a->removed)
		return redo_node(c, a->path, n);
	/* What it has below was all made since. */
	return redo_tree(c, path, (size_t)snprintf(path, sizeof(path), "%s", a->path), n);
}

/* The same changes on a snapshot of the tree as it is now, with all checks. */
static int redo(struct store *s, const struct txn *t, struct txn **ret)
{
	struct txn *again = txn_new(s, t->domid);
	struct op_ctx c;
	int rc = 0;

	if (!again)
		return -ENOMEM;
	again->again = true;
	c = op_ctx(s, t->domid, again);
	for (const struct touch *a = t->changes; a && !rc; a = a->next_change)
		rc = redo_change(&c, t, a);
	if (!rc && again->failed)
		rc = -ENOMEM;
	if (rc)
		txn_free(again);
	else
		*ret = again;
	return rc;
}

/* t's tree becomes the tree. */
static void take_over(struct store *s, struct txn *t)
{
	node_unref(s->root);
	s->root = node_ref(t->root);
	account_commit(s, t);
	for (struct touch *a = t->changes; a; a = a->next_change) {
		struct node *before = node_find(t->base, a->path), *after = node_find(s->root, a->path);

		if (!before && !after)
			continue;
		journal_note_change(s, a->path, after, a->removed);
		watch_fire(s, a->path, a->removed ? before : NULL);
	}
	watch_run(s);
}

static int commit(struct store *s, struct txn *t)
{
	struct txn *again = NULL;
	int rc = 0;

	if (t->doomed)
		return -EAGAIN;
	if (t->failed)
		return -ENOMEM;
	if (s->root == t->base) {
		take_over(s, t);
		return 0;
	}
	if (conflicts(s, t))
		return -EAGAIN;
	rc = redo(s, t, &again);
	if (rc)
		return rc;
	take_over(s, again);
	txn_free(again);
	return 0;
}

int txn_end(struct store_conn *c, struct txn *t, bool commit_it)
{
	int rc;

	/* First of all: it must not be found, and ended, when there is too much memory in use. */
	txn_unlink(c, t);
	journal_note_txn(c, t->id, true);
	rc = commit_it ? commit(c->store, t) : 0;
	txn_free(t);
	return rc;
}

void txn_abort_all(struct store_conn *c)
{
	while (c->txns)
		txn_end(c, c->txns, false);
}
