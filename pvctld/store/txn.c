/* SPDX-License-Identifier: MIT */
/*
 * Transactions: a snapshot to work on, the paths it looked at with their
 * generations then, and the operations to repeat on the live tree if none of
 * those paths has changed meanwhile (else EAGAIN, and the client tries again).
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

static uint64_t gen_of(struct node *root, const char *path)
{
	struct node *n = node_find(root, path);

	return n ? n->gen : 0;
}

int txn_start(struct store_conn *c, uint32_t *ret_id)
{
	struct txn *t;

	if (c->domid != 0 && c->ntxns >= QUOTA_TRANSACTIONS)
		return -ENOSPC;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	do
		c->next_txn++;
	while (!c->next_txn || txn_find(c, c->next_txn));
	t->id = c->next_txn;
	t->base = node_ref(c->store->root);
	t->root = node_ref(c->store->root);
	t->ops_tail = &t->ops;
	t->next = c->txns;
	c->txns = t;
	c->ntxns++;
	*ret_id = t->id;
	return 0;
}

struct txn *txn_find(struct store_conn *c, uint32_t id)
{
	struct txn *t = c->txns;

	while (t && t->id != id)
		t = t->next;
	return t;
}

static void txn_free(struct txn *t)
{
	while (t->ops) {
		struct op *o = t->ops;

		t->ops = o->next;
		free(o->path);
		free(o->data);
		free(o);
	}
	while (t->accesses) {
		struct access *a = t->accesses;

		t->accesses = a->next;
		free(a->path);
		free(a);
	}
	node_unref(t->root);
	node_unref(t->base);
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

int txn_note_access(struct txn *t, const char *path)
{
	struct access *a = t->accesses;
	unsigned int count = 0;

	for (; a; a = a->next, count++)
		if (!strcmp(a->path, path))
			return 0;
	if (count >= QUOTA_TXN_OPS)
		return -ENOSPC;
	a = malloc(sizeof(*a));
	if (!a || !(a->path = strdup(path))) {
		free(a);
		return -ENOMEM;
	}
	a->gen = gen_of(t->base, path);
	a->next = t->accesses;
	t->accesses = a;
	return 0;
}

int txn_note_op(struct txn *t, enum op_type type, const char *path, const void *data, size_t len)
{
	struct op *o;

	if (t->nops >= QUOTA_TXN_OPS)
		return -ENOSPC;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->type = type;
	o->path = strdup(path);
	o->data = malloc(len ? len : 1);
	o->len = len;
	if (!o->path || !o->data) {
		free(o->path);
		free(o->data);
		free(o);
		return -ENOMEM;
	}
	if (len)
		memcpy(o->data, data, len);
	*t->ops_tail = o;
	t->ops_tail = &o->next;
	t->nops++;
	return 0;
}

static bool conflicts(struct store *s, const struct txn *t)
{
	for (const struct access *a = t->accesses; a; a = a->next)
		if (gen_of(s->root, a->path) != a->gen)
			return true;
	return false;
}

int txn_end(struct store_conn *c, struct txn *t, bool commit)
{
	struct store *s = c->store;
	int rc = 0;

	txn_unlink(c, t);
	if (commit && conflicts(s, t))
		rc = -EAGAIN;
	if (commit && !rc && c->domid && t->node_delta > 0 &&
	    s->nodes[c->domid] + t->node_delta > QUOTA_NODES)
		rc = -ENOSPC;
	if (commit && !rc) {
		struct op_ctx oc = op_ctx(s, c->domid, NULL);

		/* Only a race that conflicts() does not see can make one fail (a parent's
		 * permissions); what was done by then is what a client without transactions would have done. */
		for (struct op *o = t->ops; o && !rc; o = o->next)
			rc = op_apply(&oc, o->type, o->path, o->data, o->len);
	}
	txn_free(t);
	return rc;
}

void txn_abort_all(struct store_conn *c)
{
	while (c->txns)
		txn_end(c, c->txns, false);
}
