/* SPDX-License-Identifier: MIT */
/* Shared directories as a kind of device. */
#include "pvctld/p9/share.h"
#include "libpvctl/src/transport/proto.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct xenbus_ops share_ops;

static int parse(const char *text, struct p9_spec *s, struct pvctl_error *err)
{
	int rc = p9_spec_parse(text, s, err);

	if (!rc && !s->has_devid)
		rc = fail(err, -EINVAL, "p9 share \"%s\": no devid", s->tag);
	if (!rc && s->path[0] != '/')
		rc = fail(err, -EINVAL, "p9 share \"%s\": the path is not absolute", s->tag);
	return rc;
}

static int spec_devid(const char *text, uint32_t *ret, struct pvctl_error *err)
{
	struct p9_spec s;
	int rc = parse(text, &s, err);

	*ret = s.devid;
	return rc;
}

static int create(struct dom *dom, const char *text, struct xenbus_dev **ret, struct pvctl_error *err)
{
	struct share *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return fail(err, -ENOMEM, "no memory");
	rc = parse(text, &s->spec, err);
	if (rc) {
		free(s);
		return rc;
	}
	xenbus_dev_init(&s->x, dom->d, &share_ops, dom->domid, s->spec.devid, s->spec.tag);
	loop_task_init(&s->task, share_serve, s);
	loop_timer_init(&s->again, share_serve, s);
	*ret = &s->x;
	return 0;
}

static int put_backend(struct xenbus_dev *x)
{
	struct share *s = share_of(x);
	int rc = xenbus_put(x, x->back, "path", "%s", s->spec.path);

	rc = rc ? rc : xenbus_put(x, x->back, "security_model", "none");
	rc = rc ? rc : xenbus_put(x, x->back, "versions", "1");
	rc = rc ? rc : xenbus_put(x, x->back, "max-rings", "%u", P9_MAX_RINGS);
	return rc ? rc : xenbus_put(x, x->back, "max-ring-page-order", "%u", P9_MAX_ORDER);
}

static int put_frontend(struct xenbus_dev *x)
{
	return xenbus_put(x, x->front, "tag", "%s", share_of(x)->spec.tag);
}

static void free_share(struct xenbus_dev *x)
{
	struct share *s = share_of(x);

	loop_task_cancel(&s->task);
	loop_timer_cancel(&s->again);
	free(s);
}

static void row(const struct xenbus_dev *x, void *data)
{
	const struct share *s = list_entry(x, struct share, x);
	struct proto_p9_row *r = data;

	r->domid = x->domid;
	r->devid = x->devid;
	r->state = x->state;
	r->readonly = s->spec.readonly;
	snprintf(r->tag, sizeof(r->tag), "%s", s->spec.tag);
	snprintf(r->path, sizeof(r->path), "%.*s", (int)sizeof(r->path) - 1, s->spec.path);
}

static const struct xenbus_ops share_ops = {
	.type = "9pfs", .what = "p9 share", .put_backend = put_backend, .put_frontend = put_frontend,
	.connect = share_connect, .disconnect = share_disconnect, .free = free_share,
	.quiesce = share_quiesce, .thaw = share_thaw, .may_move = share_may_move,
};
const struct device_class p9_class = {
	.key = "p9", .row_size = sizeof(struct proto_p9_row), .max = P9_MAX_SHARES, .ops = &share_ops,
	.devid = spec_devid, .create = create, .row = row,
};
