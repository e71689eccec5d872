/* SPDX-License-Identifier: MIT */
/* A store with a local client and two guests, 5 and 6, that speak its wire protocol. */
#ifndef TEST_STORE_CLIENT_H
#define TEST_STORE_CLIENT_H

#include "pvctld/store/store.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

struct client {
	struct store_conn *conn;
	unsigned char out[1 << 20];
	size_t len;
	int broken;
};

static struct store *store;
static struct client dom0, dom5, dom6;

static void output(void *data, const void *bytes, size_t len)
{
	struct client *c = data;

	ck_assert(c->len + len <= sizeof(c->out));
	memcpy(c->out + c->len, bytes, len);
	c->len += len;
}
static void broken(void *data, const char *why)
{
	((struct client *)data)->broken = 1;
}
static const struct store_conn_ops ops = { .output = output, .broken = broken };

static inline void join(struct client *c, uint32_t domid)
{
	c->len = 0;
	c->broken = 0;
	c->conn = store_conn_new(store, domid, &ops, c);
	ck_assert_ptr_nonnull(c->conn);
}

static inline void setup(void)
{
	const char *perms[] = { "n5", "r6" }, *other[] = { "n6" };

	store = store_new(NULL, NULL, NULL);
	ck_assert_ptr_nonnull(store);
	join(&dom0, 0);
	join(&dom5, 5);
	join(&dom6, 6);
	store_domain_introduced(store, 5);
	store_domain_introduced(store, 6);
	ck_assert_int_eq(store_mkdir(store, "/local/domain/5"), 0);
	ck_assert_int_eq(store_set_perms(store, "/local/domain/5", perms, 2), 0);
	ck_assert_int_eq(store_mkdir(store, "/local/domain/6"), 0);
	ck_assert_int_eq(store_set_perms(store, "/local/domain/6", other, 1), 0);
}
static inline void teardown(void)
{
	store_free(store);
}

/* Sends one request; its reply's type, with the payload in buf (NUL-terminated). */
static uint32_t ask(struct client *c, uint32_t type, uint32_t tx, const void *body, size_t len, char *buf)
{
	struct xsd_sockmsg h = { type, 77, tx, len }, r;
	unsigned char msg[8192];

	c->len = 0;
	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), body, len);
	/* in odd portions, as a ring delivers them */
	ck_assert_uint_eq(store_conn_input(c->conn, msg, 7), 7);
	ck_assert_uint_eq(store_conn_input(c->conn, msg + 7, sizeof(h) + len - 7), sizeof(h) + len - 7);
	for (size_t at = 0; at < c->len; at += sizeof(r) + r.len) {
		memcpy(&r, c->out + at, sizeof(r));
		if (r.type == XS_WATCH_EVENT)
			continue;
		ck_assert_uint_eq(r.req_id, 77);
		memcpy(buf, c->out + at + sizeof(r), r.len);
		buf[r.len] = '\0';
		store_conn_backlog(c->conn, 0);
		return r.type;
	}
	ck_abort_msg("no reply");
	return 0;
}
static inline void expect(struct client *c, uint32_t type, uint32_t tx, const char *body, size_t len, const char *want)
{
	char buf[8192];
	uint32_t got = ask(c, type, tx, body, len, buf);

	if (want[0] == 'E' && strlen(want) > 3)
		ck_assert_uint_eq(got, XS_ERROR);
	else
		ck_assert_msg(got == type, "%s for %.*s", buf, (int)len, body);
	ck_assert_msg(!strcmp(buf, want), "%s for %s", buf, want);
}
#define ASK(c, type, body, want) expect(&(c), type, 0, body, sizeof(body), want)
#define WRITE(c, tx, path, value, want) expect(&(c), XS_WRITE, tx, path "\0" value, sizeof(path "\0" value) - 1, want)

static inline unsigned int events(struct client *c, const char *path, const char *token)
{
	unsigned int n = 0;
	struct xsd_sockmsg r;

	for (size_t at = 0; at < c->len; at += sizeof(r) + r.len) {
		const char *p = (char *)c->out + at + sizeof(r);

		memcpy(&r, c->out + at, sizeof(r));
		if (r.type == XS_WATCH_EVENT && !strcmp(p, path) && !strcmp(p + strlen(p) + 1, token))
			n++;
	}
	return n;
}

static inline uint32_t begin(struct client *c)
{
	char buf[8192];

	ck_assert_uint_eq(ask(c, XS_TRANSACTION_START, 0, "", 1, buf), XS_TRANSACTION_START);
	return atoi(buf);
}

#endif
