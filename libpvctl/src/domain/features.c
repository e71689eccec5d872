/* SPDX-License-Identifier: MIT */
#include "cpuid/cpuid.h"
#include "domain/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>

static int edits(const struct config_value *v, struct cpuid_edits *ret, struct pvctl_error *err)
{
	return v->str ? cpuid_parse_text("cpuid", v->str, ret, err) :
	       cpuid_parse_list("cpuid", (const char *const *)v->list, v->n, ret, err);
}

int features_check(struct pvctl *ctx, const struct pvctl_config *c, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "cpuid");
	CLEANUP_FREE struct hv_policy *p = NULL;
	struct cpuid_edits e;
	int rc;

	if (!v)
		return 0;
	p = malloc(sizeof(*p));
	if (!p)
		return err_nomem(err);
	rc = edits(v, &e, err);
	if (!rc && e.n)
		rc = hv_policy_default(ctx->t, p, err);
	return !rc && e.n ? cpuid_apply("cpuid", &e, p, err) : rc;
}

int features_set(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "cpuid");
	CLEANUP_FREE struct hv_policy *p = NULL;
	struct cpuid_edits e;
	int rc;

	if (!v)
		return 0;
	p = malloc(sizeof(*p));
	if (!p)
		return err_nomem(err);
	rc = edits(v, &e, err);
	if (rc || !e.n)
		return rc;
	rc = hv_policy_get(ctx->t, domid, p, err);
	if (!rc)
		rc = cpuid_apply("cpuid", &e, p, err);
	return rc ? rc : hv_policy_set(ctx->t, domid, p, err);
}
