/* SPDX-License-Identifier: MIT */
/* Names of domains are the daemon's to keep; the hypervisor knows numbers only. */
#include "ctx/ctx.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

int rows_get(struct pvctl *ctx, struct rows *ret, struct pvctl_error *err)
{
	void *body = NULL;
	size_t len = 0, i;
	int rc;

	rc = ctx->t->ops->request(ctx->t, PROTO_DOMAINS, NULL, 0, &body, &len, NULL, err);
	if (rc)
		return rc;
	if (len % sizeof(*ret->row)) {
		free(body);
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld's list of domains is cut off");
	}
	ret->row = body;
	ret->n = len / sizeof(*ret->row);
	for (i = 0; i < ret->n; i++)
		ret->row[i].name[sizeof(ret->row[i].name) - 1] = '\0';
	return 0;
}

const struct proto_domain_row *rows_by_id(const struct rows *r, uint32_t domid)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->row[i].domid == domid)
			return &r->row[i];
	return NULL;
}

const struct proto_domain_row *rows_by_name(const struct rows *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (name[0] && strcmp(r->row[i].name, name) == 0)
			return &r->row[i];
	return NULL;
}

void rows_free(struct rows *r)
{
	free(r->row);
	r->row = NULL;
	r->n = 0;
}

int pvctl_domain_lookup(struct pvctl *ctx, const char *name, uint32_t *ret_domid, struct pvctl_error *err)
{
	const struct proto_domain_row *row;
	struct rows r;
	int rc;

	if (strcmp(name, "Domain-0") == 0) {
		*ret_domid = 0;
		return 0;
	}
	rc = rows_get(ctx, &r, err);
	if (rc)
		return rc;
	row = rows_by_name(&r, name);
	if (row)
		*ret_domid = row->domid;
	rows_free(&r);
	return row ? 0 : err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "there is no domain named \"%.100s\"", name);
}

int pvctl_domain_rename(struct pvctl *ctx, uint32_t domid, const char *name, struct pvctl_error *err)
{
	struct { struct proto_domid d; char name[128]; } req = { .d.domid = domid };
	const struct proto_domain_row *mine, *other;
	struct rows r;
	int rc;

	rc = key_check_name("name", name, err);
	if (!rc)
		rc = rows_get(ctx, &r, err);
	if (rc)
		return rc;
	mine = rows_by_id(&r, domid);
	other = rows_by_name(&r, name);
	if (!mine || domid == 0)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u does not exist or cannot be renamed", domid);
	else if (other && other != mine)
		rc = err_set(err, -EEXIST, PVCTL_ORIGIN_LIB, "domain %u is named \"%s\" already", other->domid, name);
	rows_free(&r);
	if (rc)
		return rc;
	memcpy(req.name, name, strlen(name));
	return ctx_request(ctx, PROTO_RENAME, &req, sizeof(req.d) + strlen(name), err);
}
