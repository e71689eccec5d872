/* SPDX-License-Identifier: MIT */
#include "cpuid/cpuid.h"
#include "domain/private.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>

static int edits(const struct config_value *v, struct cpuid_edits *ret, struct pvctl_error *err)
{
	return v->str ? cpuid_parse_text("cpuid", v->str, ret, err) :
	       cpuid_parse_list("cpuid", (const char *const *)v->list, v->n, ret, err);
}

int pvctl_config_get_cpuid(const struct pvctl_config *c, size_t i, struct pvctl_cpuid_edit *ret, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "cpuid");
	struct cpuid_edits e = { 0 };
	struct pvctl_cpuid_edit out;
	int rc = grow_check(ret, err);

	if (!rc && v)
		rc = edits(v, &e, err);
	if (!rc && i >= e.n)
		rc = err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "cpuid has no register %zu", i);
	if (rc)
		return rc;
	out = (struct pvctl_cpuid_edit){ .leaf = e.e[i].leaf, .subleaf = e.e[i].sub, .reg = e.e[i].reg, .set = e.e[i].set, .clear = e.e[i].clear };
	grow_out(ret, &out, sizeof(out));
	return 0;
}

/* The policy with what c says done to it; ret NULL: c says nothing. domid NULL: of the node. */
static int edited(struct pvctl *ctx, const uint32_t *domid, const struct pvctl_config *c, struct hv_policy **ret, struct pvctl_error *err)
{
	const struct config_value *v = config_value(c, "cpuid");
	CLEANUP_FREE struct hv_policy *p = NULL;
	struct cpuid_edits e;
	int rc;

	*ret = NULL;
	if (!v)
		return 0;
	p = malloc(sizeof(*p));
	if (!p)
		return err_nomem(err);
	rc = edits(v, &e, err);
	if (rc || !e.n)
		return rc;
	rc = domid ? hv_policy_get(ctx->t, *domid, p, err) : hv_policy_default(ctx->t, p, err);
	rc = rc ? rc : cpuid_apply("cpuid", &e, p, err);
	if (!rc) {
		*ret = p;
		p = NULL;
	}
	return rc;
}

int features_check(struct pvctl *ctx, const struct pvctl_config *c, struct pvctl_error *err)
{
	CLEANUP_FREE struct hv_policy *p = NULL;

	return edited(ctx, NULL, c, &p, err);
}

int features_set(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	CLEANUP_FREE struct hv_policy *p = NULL;
	int rc = edited(ctx, &domid, c, &p, err);

	return !rc && p ? hv_policy_set(ctx->t, domid, p, err) : rc;
}
