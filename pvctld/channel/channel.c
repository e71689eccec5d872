/* SPDX-License-Identifier: MIT */
/* Channels as a kind of device. */
#include "pvctld/channel/channel.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct xenbus_ops channel_ops;

static int parse(const char *text, struct channel_spec *s, struct pvctl_error *err)
{
	int rc = channel_spec_parse(text, s, err);

	if (!rc && !s->has_devid)
		rc = fail(err, -EINVAL, "channel \"%.63s\": no devid", s->name);
	if (!rc && s->socket && s->path[0] != '/')
		rc = fail(err, -EINVAL, "channel \"%.63s\": the path is not absolute", s->name);
	return rc;
}

static int spec_devid(const char *text, uint32_t *ret, struct pvctl_error *err)
{
	struct channel_spec s;
	int rc = parse(text, &s, err);

	*ret = s.devid;
	return rc;
}

static int create(struct dom *dom, const char *text, struct xenbus_dev **ret, struct pvctl_error *err)
{
	struct channel *c = calloc(1, sizeof(*c));
	char key[40];
	int rc;

	if (!c)
		return fail(err, -ENOMEM, "no memory");
	rc = parse(text, &c->spec, err);
	snprintf(key, sizeof(key), "channel/%u/%u", dom->domid, c->spec.devid);
	if (!rc && dom->d->adopting && !channel_host_adopt(&c->host, &dom->d->loop, &c->spec, &dom->d->state, key)) {
		/* As it was. */
	} else if (!rc) {
		rc = channel_host_open(&c->host, &dom->d->loop, &c->spec, err);
		if (!rc)
			channel_host_keep(&c->host, &dom->d->state, key);
	}
	if (rc) {
		free(c);
		return rc;
	}
	xenbus_dev_init(&c->x, dom->d, &channel_ops, dom->domid, c->spec.devid, c->spec.name);
	loop_task_init(&c->task, channel_serve, c);
	loop_timer_init(&c->patience, channel_impatient, c);
	c->host.ready = channel_host_ready;
	c->host.data = c;
	*ret = &c->x;
	return 0;
}

static int put_backend(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);
	int rc = xenbus_put(x, x->back, "name", "%s", c->spec.name);

	rc = rc ? rc : xenbus_put(x, x->back, "connection", c->spec.socket ? "socket" : "pty");
	if (!rc && c->spec.socket)
		rc = xenbus_put(x, x->back, "path", "%s", c->host.path);
	return rc ? rc : xenbus_put(x, x->back, "protocol", "vt100");
}

static int put_frontend(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);
	int rc = xenbus_put(x, x->front, "name", "%s", c->spec.name);

	rc = rc ? rc : xenbus_put(x, x->front, "limit", "1048576");
	rc = rc ? rc : xenbus_put(x, x->front, "type", "xenconsoled");
	rc = rc ? rc : xenbus_put(x, x->front, "output", c->spec.socket ? "socket" : "pty");
	return rc ? rc : xenbus_put(x, x->front, "tty", "%s", c->spec.socket ? "" : c->host.path);
}

static void free_channel(struct xenbus_dev *x)
{
	struct channel *c = channel_of(x);

	loop_task_cancel(&c->task);
	loop_timer_cancel(&c->patience);
	channel_host_close(&c->host);
	free(c);
}

static void row(const struct xenbus_dev *x, void *data)
{
	const struct channel *c = list_entry(x, struct channel, x);
	struct pvctl_channel_info *r = data;

	r->domid = x->domid;
	r->devid = x->devid;
	r->state = x->state;
	r->event_channel = x->up == XENBUS_UP ? (int32_t)c->port : -1;
	r->ring_ref = x->up == XENBUS_UP ? (int32_t)c->ref : -1;
	snprintf(r->name, sizeof(r->name), "%s", c->spec.name);
	snprintf(r->connection, sizeof(r->connection), "%s", c->spec.socket ? "socket" : "pty");
	snprintf(r->path, sizeof(r->path), "%s", c->host.path);
}

static const struct xenbus_ops channel_ops = {
	.type = "console", .what = "channel", .put_backend = put_backend, .put_frontend = put_frontend,
	.connect = channel_connect, .disconnect = channel_disconnect, .free = free_channel,
	.quiesce = channel_quiesce, .thaw = channel_thaw,
};
const struct device_class channel_class = {
	.key = "channel", .row_size = sizeof(struct pvctl_channel_info), .max = CHANNEL_LAST, .ops = &channel_ops,
	.devid = spec_devid, .create = create, .row = row,
};
