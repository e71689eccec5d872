/* SPDX-License-Identifier: MIT */
#include "domain/private.h"
#include "util/err.h"

int domain_remove(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	struct proto_domid req = { .domid = domid };
	struct pvctl_error why;

	/* It should not watch its own rings go; when it cannot be paused, destroying tells why. */
	if (hv_domain_pause(ctx->t, domid, &why))
		log_msg(&ctx->log, LOG_DEBUG, "%s", why.msg);
	/* The daemon may not know it yet, or not any more. */
	if (ctx_request(ctx, PROTO_FORGET, &req, sizeof(req), &why))
		log_msg(&ctx->log, LOG_DEBUG, "domain %u: %s", domid, why.msg);
	return hv_domain_destroy(ctx->t, domid, err);
}

static int check_identity(struct pvctl *ctx, uint32_t domid, uint64_t unique_id, struct pvctl_error *err)
{
	const struct proto_domain_row *row;
	struct rows rows;
	int rc = rows_get(ctx, &rows, err);

	if (rc)
		return rc;
	row = rows_by_id(&rows, domid);
	if (!row || row->unique_id != unique_id)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u is gone%s", domid, row ? "; another has its number now" : "");
	rows_free(&rows);
	return rc;
}

int pvctl_domain_destroy(struct pvctl *ctx, uint32_t domid, const struct pvctl_destroy_opts *opts,
                         struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	struct pvctl_destroy_opts o;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc && domid == 0)
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain 0 is the host: it cannot be destroyed");
	if (!rc && o.unique_id)
		rc = check_identity(ctx, domid, o.unique_id, err);
	if (!rc)
		rc = hv_domain_info(ctx->t, domid, &info, err);
	return rc ? rc : domain_remove(ctx, domid, err);
}
