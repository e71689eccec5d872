/* SPDX-License-Identifier: MIT */
#include "device/request.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>
#include <string.h>

int device_request_attach(struct pvctl *ctx, enum proto_class k, uint32_t domid, const char *text, struct pvctl_error *err)
{
	static const char *const keys[] = {
		[PROTO_CLASS_DISK] = "disk", [PROTO_CLASS_VIF] = "vif", [PROTO_CLASS_P9] = "p9", [PROTO_CLASS_CHANNEL] = "channel",
	};
	CLEANUP_BUF struct buf body = { 0 };
	struct proto_device d = { .domid = domid, .class_id = k };
	int rc;

	if (buf_add(&body, &d, sizeof(d)) || buf_add(&body, text, strlen(text)))
		return err_nomem(err);
	rc = transport_allow(ctx->t, keys[k], text, err);
	return rc ? rc : ctx_request(ctx, PROTO_DEVICE_ATTACH, body.data, body.len, err);
}

int device_request_detach(struct pvctl *ctx, enum proto_class k, uint32_t domid, uint32_t devid, bool force, struct pvctl_error *err)
{
	struct proto_device d = { .domid = domid, .class_id = k, .devid = devid, .force = force };

	return ctx_request(ctx, PROTO_DEVICE_DETACH, &d, sizeof(d), err);
}

int device_request_rows(struct pvctl *ctx, enum proto_class k, uint32_t domid, size_t row_size, const char *what, void **ret,
                size_t *ret_n, struct pvctl_error *err)
{
	struct proto_device req = { .domid = domid, .class_id = k };
	CLEANUP_FREE char *rows = NULL;
	CLEANUP_FREE void *body = NULL;
	size_t len = 0, step = 1;
	int rc = ctx->t->ops->request(ctx->t, PROTO_DEVICES, &req, sizeof(req), &body, &len, NULL, err);

	if (rc)
		return rc;
	/* The daemon's rows are of one size: its own. */
	if (len >= sizeof(step))
		memcpy(&step, body, sizeof(step));
	if (len && (step <= sizeof(step) || len % step))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "a list of %s of %zu bytes", what, len);
	rows = calloc(len / step + 1, row_size);
	if (!rows)
		return err_nomem(err);
	for (size_t i = 0; i < len / step && !rc; i++)
		rc = grow_in(rows + i * row_size, row_size, (char *)body + i * step, step, err);
	if (rc)
		return rc;
	*ret = TAKE_PTR(rows);
	*ret_n = len / step;
	return 0;
}
