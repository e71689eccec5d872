/* SPDX-License-Identifier: MIT */
#include "ctx/ctx.h"
#include "util/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRESS_EVERY_NS 100000000ull

const char *pvctl_version(void)
{
	return PVCTL_VERSION;
}

void pvctl_free(void *text)
{
	free(text);
}

uint64_t ctx_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int opts_load(void *ours, size_t known, const void *theirs, struct pvctl_error *err)
{
	const uint8_t *p = theirs;
	size_t size, i;

	memset(ours, 0, known);
	if (!theirs)
		return 0;
	memcpy(&size, theirs, sizeof(size));
	if (size < sizeof(size))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the size member of an options struct is not set");
	for (i = known; i < size; i++)
		if (p[i])
			return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "an option needs a newer libpvctl than %s", PVCTL_VERSION);
	memcpy(ours, theirs, size < known ? size : known);
	return 0;
}

int ctx_new(struct transport *t, const struct pvctl_open_opts *opts, struct pvctl **ret, struct pvctl_error *err)
{
	struct pvctl *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		return err_nomem(err);
	ctx->t = t;
	ctx->log.fn = opts->log;
	ctx->log.data = opts->log_data;
	ctx->progress = opts->progress;
	ctx->progress_data = opts->progress_data;
	ctx->step = opts->step;
	ctx->step_data = opts->step_data;
	snprintf(ctx->node, sizeof(ctx->node), "%s", opts->node ? opts->node : "default");
	*ret = ctx;
	return 0;
}

int pvctl_open(const struct pvctl_open_opts *opts, struct pvctl **ret_ctx, struct pvctl_error *err)
{
	struct pvctl_open_opts o;
	struct transport *t;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (!rc)
		rc = transport_open_hosted(o.node, &t, err);
	if (rc)
		return rc;
	rc = ctx_new(t, &o, ret_ctx, err);
	if (rc)
		t->ops->close(t);
	return rc;
}

void pvctl_close(struct pvctl *ctx)
{
	if (!ctx)
		return;
	ctx->t->ops->close(ctx->t);
	free(ctx);
}

int ctx_progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	struct pvctl *ctx = data;
	uint64_t now;

	if (!ctx->progress)
		return 0;
	now = ctx_now_ns();
	/* What is new is told at once. */
	if (ctx->progress_what == what && now - ctx->progress_ns < PROGRESS_EVERY_NS)
		return 0;
	ctx->progress_what = what;
	ctx->progress_ns = now;
	return ctx->progress(ctx->progress_data, what, done, total);
}

int ctx_open_again(const struct pvctl *ctx, struct pvctl **ret, struct pvctl_error *err)
{
	const struct pvctl_open_opts o = { .size = sizeof(o), .node = ctx->node };

	return pvctl_open(&o, ret, err);
}

void ctx_step(const struct pvctl *ctx, const char *name)
{
	if (ctx && ctx->step)
		ctx->step(ctx->step_data, name);
}

int ctx_request(struct pvctl *ctx, uint32_t type, const void *body, size_t len, struct pvctl_error *err)
{
	return ctx->t->ops->request(ctx->t, type, body, len, NULL, NULL, NULL, err);
}
