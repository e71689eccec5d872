/* SPDX-License-Identifier: MIT */
/* A guest that is asked to suspend, and one that goes on where it was. */
#include "save/private.h"
#include "store/client.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>
#include <xen/sched.h>

static void path_of(uint32_t domid, const char *node, char path[80])
{
	snprintf(path, 80, "/local/domain/%u/control/%s", domid, node);
}

static int withdraw(struct pvctl *ctx, uint32_t domid)
{
	struct pvctl_error ignored;
	char path[80];

	path_of(domid, "shutdown", path);
	return store_client_write(ctx->t, path, "", 0, &ignored);
}

int save_suspend(struct pvctl *ctx, uint32_t domid, uint32_t timeout_ms, struct pvctl_error *err)
{
	int32_t reason = PVCTL_REASON_NONE;
	char path[80];
	int rc;

	path_of(domid, "shutdown", path);
	rc = store_client_write(ctx->t, path, "suspend", 7, err);
	if (rc)
		return rc;
	rc = pvctl_domain_wait(ctx, domid, timeout_ms ? timeout_ms : 60000, &reason, err);
	if (rc == -ETIMEDOUT)
		rc = err_set(err, rc, PVCTL_ORIGIN_LIB, "domain %u does not react to the request to suspend", domid);
	if (rc && rc != -ESRCH)
		(void)withdraw(ctx, domid);
	if (!rc && reason != PVCTL_REASON_SUSPEND)
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down instead of suspending", domid);
	return rc;
}

/* Its hypercall returns 1: it was not moved. */
int save_resume(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	vcpu_guest_context_t c;
	int rc = hv_vcpu_get_context(ctx->t, domid, 0, &c, err);

	if (rc)
		return rc < 0 ? rc : err_set(err, -EPROTO, PVCTL_ORIGIN_LIB, "domain %u has no vCPU", domid);
	c.user_regs.rax = 1;
	rc = hv_vcpu_set_context(ctx->t, domid, 0, &c, err);
	return rc ? rc : hv_domain_resume(ctx->t, domid, err);
}
