/* SPDX-License-Identifier: MIT */
/* The wire protocol of xen/io/xs_wire.h: one request at a time, checked, answered. */
#include "pvctld/state/die.h"
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

struct request {
	struct store_conn *conn;
	struct xsd_sockmsg hdr;
	char *body;              /* hdr.len bytes and a NUL */
	struct txn *txn;
	struct op_ctx ops;
};

void conn_send(struct store_conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *body, size_t len)
{
	unsigned char msg[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg h = { type, req_id, tx_id, len };

	if (c->dead || len > XENSTORE_PAYLOAD_MAX)
		return;
	memcpy(msg, &h, sizeof(h));
	if (len)
		memcpy(msg + sizeof(h), body, len);
	count_work(2 + len / 64);
	c->backlog += sizeof(h) + len;
	journal_note_out(c, msg, sizeof(h) + len);
	c->ops->output(c->data, msg, sizeof(h) + len);
}

void conn_send_event(struct store_conn *c, const char *path, const char *token)
{
	char body[XENSTORE_PAYLOAD_MAX];
	size_t pl = strlen(path) + 1, tl = strlen(token) + 1;

	if (c->dead)
		return;
	if (c->backlog > (c->domid ? QUOTA_BACKLOG : LOCAL_BACKLOG)) {
		c->dead = true;
		c->ops->broken(c->data, "does not take its watch events");
		return;
	}
	if (pl + tl > sizeof(body))
		return;
	memcpy(body, path, pl);
	memcpy(body + pl, token, tl);
	conn_send(c, XS_WATCH_EVENT, 0, 0, body, pl + tl);
}

static void reply(struct request *r, const void *body, size_t len)
{
	conn_send(r->conn, r->hdr.type, r->hdr.req_id, r->hdr.tx_id, body, len);
}

static void reply_error(struct request *r, int rc)
{
	const char *name = "EINVAL";

	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (xsd_errors[i].errnum == -rc)
			name = xsd_errors[i].errstring;
	conn_send(r->conn, XS_ERROR, r->hdr.req_id, r->hdr.tx_id, name, strlen(name) + 1);
}

static void reply_rc(struct request *r, int rc)
{
	if (rc)
		reply_error(r, rc);
	else
		reply(r, "OK", 3);
}

/* The n-th NUL-terminated string of the body; NULL when it is not all there. */
static char *arg(struct request *r, unsigned int n)
{
	char *p = r->body, *end = r->body + r->hdr.len;

	for (; p < end; n--, p += strlen(p) + 1) {
		if (p + strlen(p) >= end)
			return NULL;
		if (!n)
			return p;
	}
	return NULL;
}

/* The absolute, checked form of a path; relative ones start at the domain's home. */
static int get_path(struct request *r, const char *in, bool special_ok, char *buf, size_t *ret_skip)
{
	char home[40];
	int n = snprintf(home, sizeof(home), "/local/domain/%u/", r->conn->domid);
	bool relative = in && in[0] != '/' && in[0] != '@';

	if (!in || strlen(in) > (relative ? XENSTORE_REL_PATH_MAX : XENSTORE_ABS_PATH_MAX))
		return -EINVAL;
	snprintf(buf, XENSTORE_ABS_PATH_MAX + 1, "%s%s", relative ? home : "", in);
	if (ret_skip)
		*ret_skip = relative ? n : 0;
	return path_valid(buf, special_ok) ? 0 : -EINVAL;
}

static int find_readable(struct request *r, char *path, struct node **ret)
{
	struct store *s = r->conn->store;
	int rc = get_path(r, arg(r, 0), false, path, NULL);

	if (rc)
		return rc;
	rc = op_read(&r->ops, path, ret);
	/* What a transaction sees may be gone. */
	if (s->hear && r->conn->domid && (rc ? rc == -ENOENT : !r->txn))
		s->hear(s->hear_data, r->conn->domid, path, !rc);
	return rc;
}

static void do_read(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n;
	int rc = find_readable(r, path, &n);

	if (rc)
		reply_error(r, rc);
	else
		reply(r, n->value, n->vlen);
}

static void do_directory(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1], out[XENSTORE_PAYLOAD_MAX];
	struct node *n;
	size_t len = 0;
	int rc = find_readable(r, path, &n);

	count_work(rc ? 0 : n->nchildren / 4);
	for (uint32_t i = 0; !rc && i < n->nchildren; i++) {
		size_t l = strlen(n->children[i]->name) + 1;

		if (len + l > sizeof(out)) {
			rc = -E2BIG;
			break;
		}
		memcpy(out + len, n->children[i]->name, l);
		len += l;
	}
	if (rc)
		reply_error(r, rc);
	else
		reply(r, out, len);
}

/* Generation, then names from a byte offset into the whole list; an empty name ends it. */
static void do_directory_part(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1], out[XENSTORE_PAYLOAD_MAX];
	const char *off_text = arg(r, 1);
	struct node *n;
	size_t len, at = 0, from = off_text ? strtoul(off_text, NULL, 10) : 0;
	int rc = off_text ? find_readable(r, path, &n) : -EINVAL;
	uint32_t i;

	if (rc) {
		reply_error(r, rc);
		return;
	}
	count_work(n->nchildren / 4);
	len = snprintf(out, sizeof(out), "%llu", (unsigned long long)n->gen) + 1;
	for (i = 0; i < n->nchildren; i++) {
		size_t l = strlen(n->children[i]->name) + 1;

		if (at >= from) {
			if (len + l + 1 > sizeof(out))
				break;
			memcpy(out + len, n->children[i]->name, l);
			len += l;
		}
		at += l;
	}
	if (i == n->nchildren)
		out[len++] = '\0';
	reply(r, out, len);
}

static const char perm_chars[] = "nrwb";

static void do_get_perms(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1], out[XENSTORE_PAYLOAD_MAX];
	struct node *n;
	size_t len = 0;
	int rc = find_readable(r, path, &n);

	if (rc) {
		reply_error(r, rc);
		return;
	}
	for (uint32_t i = 0; i < n->nperms && len + 8 < sizeof(out); i++)
		len += snprintf(out + len, sizeof(out) - len, "%c%u", perm_chars[n->perms[i].bits],
		                n->perms[i].domid) + 1;
	reply(r, out, len);
}

static int parse_perm(const char *s, struct perm *p)
{
	char *end;
	unsigned long id;
	const char *c = s[0] ? strchr(perm_chars, s[0]) : NULL;

	if (!c || s[1] < '0' || s[1] > '9')
		return -EINVAL;
	id = strtoul(s + 1, &end, 10);
	if (*end || id >= STORE_DOMIDS)
		return -EINVAL;
	*p = (struct perm){ id, c - perm_chars };
	return 0;
}

static int op_path(struct request *r, enum op_type type, const void *data, size_t len)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	int rc = get_path(r, arg(r, 0), false, path, NULL);

	return rc ? rc : op_apply(&r->ops, type, path, data, len);
}

static void do_set_perms(struct request *r)
{
	struct perm perms[64];
	unsigned int n = 0;
	int rc = 0;

	for (const char *s; !rc && (s = arg(r, n + 1)); n++)
		rc = n < 64 ? parse_perm(s, &perms[n]) : -E2BIG;
	if (!rc && !n)
		rc = -EINVAL;
	reply_rc(r, rc ? rc : op_path(r, OP_PERMS, perms, n * sizeof(perms[0])));
}

static void do_write(struct request *r)
{
	char *path = arg(r, 0), *value = path ? path + strlen(path) + 1 : NULL;

	reply_rc(r, path ? op_path(r, OP_WRITE, value, r->body + r->hdr.len - value) : -EINVAL);
}

static void do_watch(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	const char *token = arg(r, 1);
	size_t skip = 0;
	int rc = token ? get_path(r, arg(r, 0), true, path, &skip) : -EINVAL;

	if (!rc)
		rc = watch_add(r->conn, path, token, skip);
	reply_rc(r, rc);
	/* A new watch fires once, so that the watcher looks at what is there. */
	if (!rc)
		conn_send_event(r->conn, path + skip, token);
}

static void do_unwatch(struct request *r)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];
	const char *token = arg(r, 1);
	int rc = token ? get_path(r, arg(r, 0), true, path, NULL) : -EINVAL;

	reply_rc(r, rc ? rc : watch_del(r->conn, path, token));
}

static void do_transaction_start(struct request *r)
{
	char text[16];
	uint32_t id;
	int rc = r->hdr.tx_id ? -EBUSY : txn_start(r->conn, &id);

	if (rc) {
		reply_error(r, rc);
		return;
	}
	snprintf(text, sizeof(text), "%u", id);
	reply(r, text, strlen(text) + 1);
}

static void do_transaction_end(struct request *r)
{
	const char *how = arg(r, 0);

	if (!r->txn)
		reply_error(r, -ENOENT);
	else if (!how || (strcmp(how, "T") && strcmp(how, "F")))
		reply_error(r, -EINVAL);
	else
		reply_rc(r, txn_end(r->conn, r->txn, how[0] == 'T'));
}

static int parse_domid(const char *s, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (!s || s[0] < '0' || s[0] > '9')
		return -EINVAL;
	v = strtoul(s, &end, 10);
	if (*end || v >= STORE_DOMIDS)
		return -EINVAL;
	*ret = v;
	return 0;
}

static void do_get_domain_path(struct request *r)
{
	char out[40];
	uint32_t id;
	int rc = parse_domid(arg(r, 0), &id);

	if (rc) {
		reply_error(r, rc);
		return;
	}
	snprintf(out, sizeof(out), "/local/domain/%u", id);
	reply(r, out, strlen(out) + 1);
}

static void do_is_introduced(struct request *r)
{
	uint32_t id;
	int rc = parse_domid(arg(r, 0), &id);

	if (rc)
		reply_error(r, rc);
	else
		reply(r, id == 0 || store_domain_is_introduced(r->conn->store, id) ? "T" : "F", 2);
}

static void do_introduce(struct request *r)
{
	struct store *s = r->conn->store;
	const char *gfn = arg(r, 1), *port = arg(r, 2);
	uint32_t id;
	int rc = r->conn->domid ? -EACCES : gfn && port ? parse_domid(arg(r, 0), &id) : -EINVAL;

	if (!rc)
		rc = s->host_ops ? s->host_ops->introduce(s->host_data, id, strtoull(gfn, NULL, 10),
		                                          strtoul(port, NULL, 10)) : -ENOSYS;
	reply_rc(r, rc);
}

/* XS_RELEASE and XS_RESUME: fn is the daemon's. */
static void do_host(struct request *r, int (*fn)(void *data, uint32_t domid))
{
	uint32_t id;
	int rc = r->conn->domid ? -EACCES : parse_domid(arg(r, 0), &id);

	if (!rc)
		rc = fn ? fn(r->conn->store->host_data, id) : -ENOSYS;
	reply_rc(r, rc);
}

static void do_reset_watches(struct request *r)
{
	txn_abort_all(r->conn);
	watch_drop_all(r->conn);
	reply_rc(r, 0);
}

static int parse_number(const char *s, uint32_t *ret)
{
	char *end;
	unsigned long v;

	if (!s || s[0] < '0' || s[0] > '9')
		return -EINVAL;
	v = strtoul(s, &end, 10);
	if (*end || v > UINT32_MAX)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* "get" DOMID INDEX: what quota_text says; "set" DOMID NAME VALUE */
static void do_quota(struct request *r)
{
	struct store *s = r->conn->store;
	const char *what = arg(r, 1), *name = arg(r, 3);
	uint32_t id = 0, n = 0;
	char text[80];
	int rc = what && name ? parse_domid(arg(r, 2), &id) : -EINVAL;
	bool set = !rc && !strcmp(what, "set");

	if (!rc && !set && strcmp(what, "get"))
		rc = -EINVAL;
	if (!rc && !store_domain_is_introduced(s, id))
		rc = -EACCES;
	rc = rc ? rc : parse_number(set ? arg(r, 4) : name, &n);
	if (rc || set) {
		reply_rc(r, rc ? rc : quota_set(s, id, quota_find(name), n));
		return;
	}
	if (quota_text(s, id, n, text, sizeof(text)))
		reply(r, text, strlen(text) + 1);
	else
		reply_error(r, -ENOENT);
}

static void do_control(struct request *r)
{
	const char *cmd = arg(r, 0), help[] = "commands: help, quota\n";

	if (r->conn->domid)
		reply_error(r, -EACCES);
	else if (cmd && !strcmp(cmd, "help"))
		reply(r, help, sizeof(help));
	else if (cmd && !strcmp(cmd, "quota"))
		do_quota(r);
	else
		reply_error(r, -EINVAL);
}

static void dispatch(struct request *r)
{
	static const struct store_host_ops none;
	const struct store_host_ops *host = r->conn->store->host_ops ? r->conn->store->host_ops : &none;

	switch (r->hdr.type) {
	case XS_CONTROL: do_control(r); break;
	case XS_DIRECTORY: do_directory(r); break;
	case XS_DIRECTORY_PART: do_directory_part(r); break;
	case XS_READ: do_read(r); break;
	case XS_GET_PERMS: do_get_perms(r); break;
	case XS_SET_PERMS: do_set_perms(r); break;
	case XS_WRITE: do_write(r); break;
	case XS_MKDIR: reply_rc(r, op_path(r, OP_MKDIR, "", 0)); break;
	case XS_RM: reply_rc(r, op_path(r, OP_RM, "", 0)); break;
	case XS_WATCH: do_watch(r); break;
	case XS_UNWATCH: do_unwatch(r); break;
	case XS_RESET_WATCHES: do_reset_watches(r); break;
	case XS_TRANSACTION_START: do_transaction_start(r); break;
	case XS_TRANSACTION_END: do_transaction_end(r); break;
	case XS_GET_DOMAIN_PATH: do_get_domain_path(r); break;
	case XS_IS_DOMAIN_INTRODUCED: do_is_introduced(r); break;
	case XS_INTRODUCE: do_introduce(r); break;
	case XS_RELEASE: do_host(r, host->release); break;
	case XS_RESUME: do_host(r, host->resume); break;
	default: reply_error(r, -ENOSYS); /* XS_SET_TARGET, and what does not exist */
	}
}

static void handle(struct store_conn *c)
{
	struct request r = { .conn = c };

	memcpy(&r.hdr, c->buf, sizeof(r.hdr));
	count_work(4 + r.hdr.len / 64);
	r.body = (char *)c->buf + sizeof(r.hdr);
	r.body[r.hdr.len] = '\0';
	if (r.hdr.tx_id && r.hdr.type != XS_TRANSACTION_START) {
		r.txn = txn_find(c, r.hdr.tx_id);
		if (!r.txn) {
			reply_error(&r, -ENOENT);
			return;
		}
	}
	r.ops = op_ctx(c->store, c->domid, r.txn);
	dispatch(&r);
}

size_t store_conn_input(struct store_conn *c, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t done = 0;
	uint64_t until = store_units() + INPUT_UNITS;

	while (done < len && !c->dead && c->backlog <= INPUT_STOP_BACKLOG) {
		/* Of a guest: what has been done is enough, or what is to be done comes first. */
		if (c->domid && (store_is_busy(c->store) || store_units() > until))
			break;
		struct xsd_sockmsg h;
		size_t want = sizeof(h), n;

		if (c->have >= sizeof(h)) {
			memcpy(&h, c->buf, sizeof(h));
			want += h.len;
		}
		n = len - done < want - c->have ? len - done : want - c->have;
		memcpy(c->buf + c->have, p + done, n);
		c->have += n;
		done += n;
		c->pos.in += (uint32_t)n;
		if (c->have < sizeof(h))
			continue;
		memcpy(&h, c->buf, sizeof(h));
		if (h.len > XENSTORE_PAYLOAD_MAX) {
			c->dead = true;
			c->ops->broken(c->data, "a request larger than the protocol allows");
			break;
		}
		if (c->have == sizeof(h) + h.len) {
			c->store->depth++;
			handle(c);
			if (c->kept)
				die_point("store-done");
			c->have = 0;
			journal_note_in(c);
			c->store->depth--;
			journal_commit(c->store);
			if (c->kept)
				die_point("store-noted");
		}
	}
	if (c->have && done) {
		journal_note_in(c);
		journal_commit(c->store);
	}
	return c->dead ? len : done;
}

void store_conn_backlog(struct store_conn *c, size_t bytes)
{
	c->backlog = bytes;
}
