/* SPDX-License-Identifier: MIT */
/* Store requests inside a control connection: one message in, one out. Watches need a connection of their own. */
#include "pvctld/base/log.h"
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <string.h>
#include <xen/io/xs_wire.h>

static void on_output(void *data, const void *bytes, size_t len)
{
	struct ctl_conn *c = data;

	c->store_starved |= !fifo_append(&c->store_reply, bytes, len);
}

static void on_broken(void *data, const char *why)
{
}

static const struct store_conn_ops ops = { .output = on_output, .broken = on_broken };

static const char *check(const struct ctl_conn *c)
{
	struct xsd_sockmsg m;

	if (c->head.len < sizeof(m) || c->head.len > sizeof(m) + XENSTORE_PAYLOAD_MAX)
		return "not a store message";
	memcpy(&m, c->body, sizeof(m));
	if (m.len != c->head.len - sizeof(m))
		return "the store message's length is wrong";
	if (m.type == XS_WATCH || m.type == XS_UNWATCH)
		return "watches need a connection to the store's own socket";
	return NULL;
}

void request_store(struct ctl_conn *c)
{
	const char *wrong = check(c);
	struct xsd_sockmsg m;

	if (wrong) {
		ctl_refuse(c, -EINVAL, wrong);
		return;
	}
	if (!c->store)
		c->store = store_conn_new(c->d->store, 0, &ops, c);
	if (!c->store) {
		ctl_refuse(c, -ENOMEM, "no memory");
		return;
	}
	fifo_free(&c->store_reply);
	c->store_starved = false;
	/* Each answer has been taken whole: counted as waiting, they would end a connection that lives long. */
	store_conn_backlog(c->store, 0);
	if (store_conn_input(c->store, c->body, c->head.len) != c->head.len || c->store_reply.len < sizeof(m) ||
	    c->store_starved) {
		/* Its state is unknown now: the next request gets a new one. */
		store_conn_free(c->store);
		c->store = NULL;
		if (c->store_starved)
			ctl_refuse(c, -ENOMEM, "pvctld has no memory for the store's answer");
		else
			ctl_refuse(c, -EIO, "the store did not answer");
		return;
	}
	memcpy(&m, fifo_data(&c->store_reply), sizeof(m));
	if (m.len != c->store_reply.len - sizeof(m))
		ctl_refuse(c, -EIO, "the store's answer makes no sense");
	else
		ctl_reply(c, fifo_data(&c->store_reply), c->store_reply.len, -1);
	fifo_free(&c->store_reply);
}
