/* SPDX-License-Identifier: MIT */
/* The store as the daemon sees it: life of the store, of connections, of domains. */
#include "pvctld/store/private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct store *store_new(struct state_log *journal, const struct store_host_ops *ops, void *data)
{
	static const char *const first[] = { "/tool", "/local", "/local/domain", "/vm" };
	struct perm root_perm = { 0, PERM_READ };
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->host_ops = ops;
	s->host_data = data;
	s->gen = 1;
	s->fires_tail = &s->fires;
	s->root = node_new(s, "", 0, "", 0, &root_perm, 1);
	if (!s->root) {
		free(s);
		return NULL;
	}
	s->root->gen = 1;
	s->nodes[0] = 1;
	s->live[0] = node_bytes(s->root);
	if (journal && journal_open(s, journal)) {
		store_free(s);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (store_mkdir(s, first[i])) {
			store_free(s);
			return NULL;
		}
	return s;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	while (s->conns)
		store_conn_free(s->conns);
	watch_fires_drop(s);
	for (uint32_t i = 0; i < STORE_DOMIDS; i++)
		quota_forget(s, i);
	node_unref(s->root);
	free(s);
}

struct store_conn *store_conn_new(struct store *s, uint32_t domid, const struct store_conn_ops *ops, void *data)
{
	struct store_conn *c = domid < STORE_DOMIDS ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->store = s;
	c->domid = domid;
	c->ops = ops;
	c->data = data;
	c->next = s->conns;
	s->conns = c;
	return c;
}

void store_conn_free(struct store_conn *c)
{
	struct store_conn **p;

	if (!c)
		return;
	for (p = &c->store->conns; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	txn_abort_all(c);
	watch_drop_all(c);
	/* The last that is noted of it: after it there is no connection that a record could be of. */
	journal_note_closed(c);
	fifo_free(&c->unsent);
	journal_commit(c->store);
	free(c);
}

void store_conn_keep(struct store_conn *c, const struct store_position *pos)
{
	c->kept = true;
	c->pos = *pos;
	journal_note_conn(c);
	journal_commit(c->store);
}

bool store_conn_is_idle(const struct store_conn *c)
{
	return !c->nwatches && !c->ntxns && !c->have;
}

bool store_domain_is_introduced(struct store *s, uint32_t domid)
{
	return domid < STORE_DOMIDS && s->introduced[domid / 8] >> (domid % 8) & 1;
}

void store_fire_special(struct store *s, const char *name)
{
	watch_fire(s, name, NULL);
	watch_run(s);
	journal_commit(s);
}

void store_domain_introduced(struct store *s, uint32_t domid)
{
	if (domid >= STORE_DOMIDS || store_domain_is_introduced(s, domid))
		return;
	s->introduced[domid / 8] |= 1u << (domid % 8);
	journal_note_domain(s, domid, false);
	store_fire_special(s, "@introduceDomain");
}

void store_domain_released(struct store *s, uint32_t domid)
{
	if (!domid || domid >= STORE_DOMIDS)
		return;
	for (struct store_conn *c = s->conns; c; c = c->next)
		if (c->domid == domid) {
			txn_abort_all(c);
			watch_drop_all(c);
		}
	store_release_ownership(s, domid);
	journal_note_domain(s, domid, true);
	s->introduced[domid / 8] &= ~(1u << (domid % 8));
	store_fire_special(s, "@releaseDomain");
}

static int own_op(struct store *s, enum op_type type, const char *path, const void *data, size_t len)
{
	struct op_ctx c = op_ctx(s, 0, NULL);

	int rc = path_valid(path, false) ? op_apply(&c, type, path, data, len) : -EINVAL;

	journal_commit(s);
	return rc;
}

int store_write(struct store *s, const char *path, const void *value, size_t len)
{
	return own_op(s, OP_WRITE, path, value, len);
}

int store_writef(struct store *s, const char *path, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n, rc;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	rc = store_write(s, path, text, n);
	free(text);
	return rc;
}

int store_mkdir(struct store *s, const char *path)
{
	return own_op(s, OP_MKDIR, path, "", 0);
}

int store_rm(struct store *s, const char *path)
{
	int rc = own_op(s, OP_RM, path, "", 0);

	return rc == -ENOENT ? 0 : rc;
}

char *store_read(struct store *s, const char *path, size_t *ret_len)
{
	struct node *n = path_valid(path, false) ? node_find(s->root, path) : NULL;
	char *copy = n ? malloc(n->vlen + 1) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, n->value, n->vlen);
	copy[n->vlen] = '\0';
	if (ret_len)
		*ret_len = n->vlen;
	return copy;
}

int store_set_perms(struct store *s, const char *path, const char *const *perms, unsigned int n)
{
	static const char chars[] = "nrwb";
	struct perm list[16];

	if (!n || n > 16)
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++) {
		const char *c = perms[i][0] ? strchr(chars, perms[i][0]) : NULL;
		unsigned long id = strtoul(perms[i] + 1, NULL, 10);

		if (!c || id >= STORE_DOMIDS)
			return -EINVAL;
		list[i] = (struct perm){ id, c - chars };
	}
	return own_op(s, OP_PERMS, path, list, n * sizeof(list[0]));
}
