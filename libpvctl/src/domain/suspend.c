/* SPDX-License-Identifier: MIT */
/* Domains that are suspended and go on. The daemon asks the guest and quiets the backends; here is who waits. */
#include "domain/private.h"
#include "util/err.h"

#define DEFAULT_TIMEOUT_MS 60000

static int request(struct pvctl *ctx, uint32_t type, uint32_t domid, struct pvctl_error *err)
{
	struct proto_domid req = { .domid = domid };

	return ctx_request(ctx, type, &req, sizeof(req), err);
}

static int quiesce(struct pvctl *ctx, uint32_t domid, uint32_t flags, struct pvctl_error *err)
{
	struct proto_quiesce req = { .domid = domid, .flags = flags };

	return ctx_request(ctx, PROTO_QUIESCE, &req, sizeof(req), err);
}

/* What can be known before the guest is disturbed. */
static int check(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	int rc = refuse_host(domid, "suspended", err);

	if (!rc)
		rc = hv_domain_info(ctx->t, domid, &info, err);
	if (rc)
		return rc;
	if (domain_reason(&info) == PVCTL_REASON_SUSPEND)
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain %u is suspended already", domid);
	if (info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down", domid);
	if (info.flags & XEN_DOMINF_paused)
		return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB,
		               "domain %u is paused: its kernel must run to suspend (unpause it first)", domid);
	return check_listens(ctx, domid, "suspend", err);
}

static int wait_suspended(struct pvctl *ctx, uint32_t domid, uint32_t timeout_ms, struct pvctl_error *err)
{
	int32_t reason = PVCTL_REASON_NONE;
	int rc = pvctl_domain_wait(ctx, domid, timeout_ms, &reason, err);

	if (rc == -ETIMEDOUT)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "the kernel of domain %u has not suspended in %u s: it has no support for "
		               "that, still boots, or is busy; it goes on", domid, (timeout_ms + 999) / 1000);
	if (!rc && reason != PVCTL_REASON_SUSPEND)
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down instead of suspending", domid);
	return rc;
}

static int ask(struct pvctl *ctx, uint32_t domid, uint32_t flags, struct pvctl_error *err)
{
	struct proto_suspend req = { .domid = domid, .flags = flags };
	int rc = check(ctx, domid, err);

	return rc ? rc : ctx_request(ctx, PROTO_SUSPEND, &req, sizeof(req), err);
}

int domain_may_move(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	return ask(ctx, domid, PROTO_SUSPEND_MOVE | PROTO_SUSPEND_CHECK, err);
}

int pvctl_domain_suspend(struct pvctl *ctx, uint32_t domid, uint32_t timeout_ms, struct pvctl_error *err)
{
	return domain_suspend(ctx, domid, false, timeout_ms, err);
}

int domain_suspend(struct pvctl *ctx, uint32_t domid, bool move, uint32_t timeout_ms, struct pvctl_error *err)
{
	int rc = ask(ctx, domid, move ? PROTO_SUSPEND_MOVE : 0, err);

	if (rc)
		return rc;
	rc = wait_suspended(ctx, domid, timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS, err);
	if (!rc)
		rc = quiesce(ctx, domid, 0, err);
	if (rc)
		(void)request(ctx, PROTO_RESUME, domid, NULL);
	return rc;
}

int pvctl_domain_keep_suspended(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	return quiesce(ctx, domid, PROTO_QUIESCE_KEEP, err);
}

int pvctl_domain_release_disks(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	return quiesce(ctx, domid, PROTO_QUIESCE_RELEASE, err);
}

int pvctl_domain_resume(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "resumed", err);

	return rc ? rc : request(ctx, PROTO_RESUME, domid, err);
}
