/* SPDX-License-Identifier: MIT */
/*
 * The journal keeps the store over the daemon's death: what was done to the tree, watches, which transactions are open,
 * and of guests' connections what came in and what is to go out. All that one request does is one commit, that the
 * request was taken included: it is done whole or not at all, and answered once. When it has grown, it is written anew.
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

enum record_type {
	R_OP = 16,               /* + enum op_type */
	R_WATCH = 32, R_UNWATCH, R_NO_WATCHES, R_TXN, R_TXN_END, R_INTRODUCED, R_RELEASED,
	R_CONN,                  /* a new connection: struct position */
	R_CLOSED, R_IN, R_OUT,
	R_QUOTAS,                /* struct quota_set */
};
#define FLAG_BUSY 1u         /* watches were still to hear of something */

static struct state_log *log_of(struct store *s)
{
	return s->journal && !s->replaying ? s->journal : NULL;
}

static void add(struct store *s, uint32_t type, uint32_t domid, const char *key, const void *data, size_t len)
{
	struct state_log *l = log_of(s);

	if (l)
		state_log_add(l, type, domid, key, data, len);
}

/* ---- what is noted ---- */

void journal_note(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len)
{
	add(c->s, R_OP + type, c->domid, path, data, len);
}

static void note_node(struct store *s, const char *path, const struct node *n)
{
	add(s, R_OP + OP_WRITE, 0, path, n->value, n->vlen);
	add(s, R_OP + OP_PERMS, 0, path, n->perms, n->nperms * sizeof(*n->perms));
}

static void note_tree(struct store *s, char *path, size_t at, const struct node *n, bool below)
{
	note_node(s, at ? path : "/", n);
	for (uint32_t i = 0; below && i < n->nchildren; i++) {
		int l = snprintf(path + at, XENSTORE_ABS_PATH_MAX + 1 - at, "/%s", n->children[i]->name);

		note_tree(s, path, at + l, n->children[i], true);
		path[at] = '\0';
	}
}

void journal_note_change(struct store *s, const char *path, const struct node *n, bool removed)
{
	char buf[XENSTORE_ABS_PATH_MAX + 1];

	if (!log_of(s))
		return;
	if (!n || removed)
		add(s, R_OP + OP_RM, 0, path, "", 0);
	if (n)
		note_tree(s, buf, (size_t)snprintf(buf, sizeof(buf), "%s", path), n, removed);
}

static void note_watch(struct store *s, uint32_t type, uint32_t domid, const char *path, const char *token, size_t skip)
{
	char data[XENSTORE_PAYLOAD_MAX + sizeof(uint32_t)];
	uint32_t n = (uint32_t)skip;
	size_t len = strlen(token) + 1;

	if (len > XENSTORE_PAYLOAD_MAX)
		return;
	memcpy(data, &n, sizeof(n));
	memcpy(data + sizeof(n), token, len);
	add(s, type, domid, path, data, sizeof(n) + len);
}

void journal_note_watch(struct store_conn *c, const char *path, const char *token, size_t skip)
{
	if (c->kept)
		note_watch(c->store, R_WATCH, c->domid, path, token, skip);
}

void journal_note_unwatch(struct store_conn *c, const char *path, const char *token)
{
	if (c->kept)
		note_watch(c->store, R_UNWATCH, c->domid, path, token, 0);
}

void journal_note_no_watches(struct store_conn *c)
{
	if (c->kept && c->watches)
		add(c->store, R_NO_WATCHES, c->domid, NULL, NULL, 0);
}

void journal_note_txn(struct store_conn *c, uint32_t id, bool ended)
{
	if (c->kept)
		add(c->store, ended ? R_TXN_END : R_TXN, c->domid, NULL, &id, sizeof(id));
}

void journal_note_domain(struct store *s, uint32_t domid, bool released)
{
	add(s, released ? R_RELEASED : R_INTRODUCED, domid, NULL, NULL, 0);
}

void journal_note_quotas(struct store *s, uint32_t domid)
{
	add(s, R_QUOTAS, domid, NULL, s->quotas[domid], sizeof(*s->quotas[domid]));
}

void journal_note_conn(struct store_conn *c)
{
	if (c->kept)
		add(c->store, R_CONN, c->domid, NULL, &c->pos, sizeof(c->pos));
}

void journal_note_closed(struct store_conn *c)
{
	if (c->kept)
		add(c->store, R_CLOSED, c->domid, NULL, NULL, 0);
}

/* What was taken of its ring: whole requests, which are done, and the beginning of one. */
void journal_note_in(struct store_conn *c)
{
	char data[sizeof(uint32_t) + sizeof(c->buf)];

	if (!c->kept || !log_of(c->store))
		return;
	memcpy(data, &c->pos.in, sizeof(uint32_t));
	memcpy(data + sizeof(uint32_t), c->buf, c->have);
	add(c->store, R_IN, c->domid, NULL, data, sizeof(uint32_t) + c->have);
}

void journal_note_out(struct store_conn *c, const void *bytes, size_t len)
{
	if (!c->kept)
		return;
	c->pos.out += (uint32_t)len;
	add(c->store, R_OUT, c->domid, NULL, bytes, len);
}

/* ---- written anew ---- */

static void rewrite_conn(struct store_conn *c)
{
	struct store_position pos = c->pos;
	size_t len = 0;
	const void *unsent = c->unsent.len ? fifo_data(&c->unsent) : NULL;

	/* Read from the journal, and nobody's yet: its owner may come in another daemon. */
	if (unsent)
		len = c->unsent.len;
	else if (c->ops->unsent)
		unsent = c->ops->unsent(c->data, &len);
	pos.out -= (uint32_t)len;
	add(c->store, R_CONN, c->domid, NULL, &pos, sizeof(pos));
	if (len)
		add(c->store, R_OUT, c->domid, NULL, unsent, len);
	journal_note_in(c);
	for (const struct txn *t = c->txns; t; t = t->next)
		journal_note_txn(c, t->id, false);
	for (const struct watch *w = c->watches; w; w = w->next_of_conn)
		journal_note_watch(c, w->path, w->token, w->report_skip);
}

static void rewrite(struct store *s)
{
	char path[XENSTORE_ABS_PATH_MAX + 1] = "";

	state_log_rewrite(s->journal);
	for (uint32_t i = 0; i < STORE_DOMIDS; i++) {
		if (store_domain_is_introduced(s, i))
			journal_note_domain(s, i, false);
		if (s->quotas[i])
			journal_note_quotas(s, i);
	}
	note_tree(s, path, 0, s->root, true);
	for (struct store_conn *c = s->conns; c; c = c->next)
		if (c->kept)
			rewrite_conn(c);
	state_log_rewritten(s->journal);
}

void journal_commit(struct store *s)
{
	struct state_log *l = log_of(s);

	if (!l || s->depth)
		return;
	/* Before what is to be told of counts, and after it was told. */
	if (s->fires)
		state_log_set_flag(l, FLAG_BUSY);
	state_log_commit(l);
	if (!s->fires && state_log_flag(l))
		state_log_set_flag(l, 0);
	if (state_log_is_long(l))
		rewrite(s);
}

/* ---- read again ---- */

static void orphan_output(void *data, const void *bytes, size_t len)
{
}

static void orphan_broken(void *data, const char *why)
{
}

static const struct store_conn_ops orphan_ops = { .output = orphan_output, .broken = orphan_broken };

static struct store_conn *orphan_of(struct store *s, uint32_t domid)
{
	for (struct store_conn *c = s->conns; c; c = c->next)
		if (c->domid == domid && c->kept)
			return c;
	return NULL;
}

static bool replay_conn(struct store *s, const struct state_record *r)
{
	struct store_conn *c = orphan_of(s, r->domid);

	if (r->data_len != sizeof(c->pos) || !r->domid)
		return false;
	if (!c)
		c = store_conn_new(s, r->domid, &orphan_ops, NULL);
	if (!c)
		return false;
	c->kept = true;
	memcpy(&c->pos, r->data, sizeof(c->pos));
	return true;
}

static bool replay_op(struct store *s, const struct state_record *r)
{
	struct op_ctx c = op_ctx(s, r->domid, NULL);
	enum op_type type = (enum op_type)(r->type - R_OP);

	if (r->domid >= STORE_DOMIDS || !path_valid(r->key, false))
		return false;
	if (type == OP_PERMS && (!r->data_len || r->data_len % sizeof(struct perm)))
		return false;
	/* What could be done then can be done now, but for want of memory. */
	return op_apply(&c, type, r->key, r->data, r->data_len) != -ENOMEM;
}

static bool replay_watch(struct store_conn *c, const struct state_record *r)
{
	const char *data = r->data;
	uint32_t skip;

	if (r->data_len <= sizeof(skip) || data[r->data_len - 1] || !path_valid(r->key, true))
		return false;
	memcpy(&skip, data, sizeof(skip));
	data += sizeof(skip);
	if (r->type == R_UNWATCH)
		return watch_del(c, r->key, data) != -ENOMEM;
	return skip <= strlen(r->key) && watch_add(c, r->key, data, skip) != -ENOMEM;
}

static bool replay_txn(struct store_conn *c, const struct state_record *r)
{
	struct txn *t;
	uint32_t id;

	if (r->data_len != sizeof(id))
		return false;
	memcpy(&id, r->data, sizeof(id));
	t = txn_find(c, id);
	if (r->type == R_TXN_END && t)
		txn_end(c, t, false);
	return r->type == R_TXN_END || t || txn_lost(c, id);
}

static bool replay_in(struct store_conn *c, const struct state_record *r)
{
	size_t have = r->data_len - sizeof(uint32_t);

	if (r->data_len < sizeof(uint32_t) || have >= sizeof(c->buf))
		return false;
	memcpy(&c->pos.in, r->data, sizeof(uint32_t));
	memcpy(c->buf, (const char *)r->data + sizeof(uint32_t), have);
	c->have = have;
	return true;
}

#define UNSENT_MOST (2u * (QUOTA_BACKLOG + INPUT_STOP_BACKLOG))

static bool replay_out(struct store_conn *c, const struct state_record *r)
{
	c->pos.out += r->data_len;
	/* More cannot have been held back. */
	if (c->unsent.len > UNSENT_MOST)
		fifo_consume(&c->unsent, c->unsent.len - UNSENT_MOST / 2);
	return fifo_append(&c->unsent, r->data, r->data_len);
}

static bool replay_of_conn(struct store *s, const struct state_record *r)
{
	struct store_conn *c = orphan_of(s, r->domid);

	if (!c)
		return false;
	switch (r->type) {
	case R_CLOSED: store_conn_free(c); return true;
	case R_WATCH:
	case R_UNWATCH: return replay_watch(c, r);
	case R_NO_WATCHES: watch_drop_all(c); return true;
	case R_TXN:
	case R_TXN_END: return replay_txn(c, r);
	case R_IN: return replay_in(c, r);
	case R_OUT: return replay_out(c, r);
	}
	return false;
}

static bool replay_quotas(struct store *s, const struct state_record *r)
{
	struct quota_set set;
	bool ok = r->domid < STORE_DOMIDS && r->data_len == sizeof(set);

	if (ok)
		memcpy(&set, r->data, sizeof(set));
	for (unsigned int q = 0; ok && q < QUOTAS; q++)
		if (set.limit[q] != quota_limit(s, r->domid, (enum quota)q))
			ok = quota_set(s, r->domid, (enum quota)q, set.limit[q]) != -ENOMEM;
	return ok;
}

static bool replay_one(struct store *s, const struct state_record *r)
{
	if (r->type > R_OP && r->type <= R_OP + OP_PERMS)
		return replay_op(s, r);
	if (r->type == R_CONN)
		return replay_conn(s, r);
	if (r->type == R_INTRODUCED)
		store_domain_introduced(s, r->domid);
	else if (r->type == R_RELEASED)
		store_domain_released(s, r->domid);
	else if (r->type == R_QUOTAS)
		return replay_quotas(s, r);
	else
		return replay_of_conn(s, r);
	return true;
}

int journal_open(struct store *s, struct state_log *log)
{
	struct state_record r;
	size_t pos = 0;
	bool ok = true;

	s->journal = log;
	s->replaying = true;
	while (ok && state_log_next(log, &pos, &r))
		ok = replay_one(s, &r);
	watch_fires_drop(s);
	s->replaying = false;
	s->must_fire = state_log_flag(log) & FLAG_BUSY;
	if (ok)
		rewrite(s);
	return ok ? 0 : -EPROTO;
}

/* ---- owners ---- */

struct store_conn *store_conn_resume(struct store *s, uint32_t domid, const struct store_conn_ops *ops, void *data,
                                     struct store_position *ret_pos, struct fifo *ret_unsent)
{
	struct store_conn *c = orphan_of(s, domid);

	if (!c || c->ops != &orphan_ops)
		return NULL;
	c->ops = ops;
	c->data = data;
	*ret_pos = c->pos;
	*ret_unsent = c->unsent;
	c->unsent = (struct fifo){ 0 };
	c->backlog = ret_unsent->len;
	return c;
}

void store_drop_orphans(struct store *s)
{
	for (struct store_conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		if (c->ops == &orphan_ops)
			store_conn_free(c);
	}
	journal_commit(s);
	if (!s->must_fire)
		return;
	s->must_fire = false;
	for (struct store_conn *c = s->conns; c; c = c->next)
		for (const struct watch *w = c->kept ? c->watches : NULL; w; w = w->next_of_conn)
			conn_send_event(c, w->path + w->report_skip, w->token);
	journal_commit(s);
}
