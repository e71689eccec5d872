/* SPDX-License-Identifier: MIT */
#include "domain/private.h"
#include "store/client.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

/* Events can be missed (a daemon restarted in between), so the state is looked at now and then. */
#define LOOK_EVERY_MS 500
#define PROGRESS_MS 100

int refuse_host(uint32_t domid, const char *what, struct pvctl_error *err)
{
	if (domid != 0)
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "domain 0 is the host: it cannot be %s", what);
}

int pvctl_domain_pause(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "paused", err);

	return rc ? rc : hv_domain_pause(ctx->t, domid, err);
}

int pvctl_domain_unpause(struct pvctl *ctx, uint32_t domid, struct pvctl_error *err)
{
	int rc = refuse_host(domid, "unpaused", err);

	return rc ? rc : hv_domain_unpause(ctx->t, domid, err);
}

/*
 * Only "0" says that the guest would not listen. One that is booting has written
 * nothing yet and finds the request later; many never write a flag at all.
 * halt has no flag of its own.
 */
int check_listens(struct pvctl *ctx, uint32_t domid, const char *what, struct pvctl_error *err)
{
	const char *feature = strcmp(what, "halt") == 0 ? "poweroff" : what;
	CLEANUP_FREE char *value = NULL;
	char path[96];
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/control/feature-%s", domid, feature);
	rc = store_client_read(ctx->t, path, &value, &len, err);
	if (rc && rc != -ENOENT)
		return rc;
	if (!rc && len == 1 && value[0] == '0')
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "domain %u says that it does not listen to \"%s\" requests",
		               domid, what);
	return 0;
}

int pvctl_domain_request(struct pvctl *ctx, uint32_t domid, const char *what, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	char path[64];
	int rc;

	if (strcmp(what, "poweroff") != 0 && strcmp(what, "reboot") != 0 && strcmp(what, "halt") != 0 && strcmp(what, "suspend") != 0)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.40s\": must be poweroff, reboot, halt or suspend", what);
	rc = refuse_host(domid, "shut down", err);
	if (!rc)
		rc = hv_domain_info(ctx->t, domid, &info, err);
	if (!rc && info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
		rc = err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "domain %u has shut down already", domid);
	if (!rc)
		rc = check_listens(ctx, domid, what, err);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
	return store_client_write(ctx->t, path, what, strlen(what), err);
}

/* 1: it is over, with *ret_reason; 0: not yet. */
static int drain(struct pvctl_events *ev, uint32_t domid, int32_t *ret_reason, struct pvctl_error *err)
{
	struct pvctl_event e = { .size = sizeof(e) };
	int rc;

	while ((rc = pvctl_events_next(ev, &e, err)) == 1) {
		if (e.type == PVCTL_EVENT_NODE_DOWN)
			return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the node went down");
		if (e.domid != domid)
			continue;
		*ret_reason = e.type == PVCTL_EVENT_SHUTDOWN ? e.reason : PVCTL_REASON_NONE;
		return 1;
	}
	return rc;
}

static int look(struct pvctl *ctx, uint32_t domid, int32_t *ret_reason, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	int rc = hv_domain_info(ctx->t, domid, &info, err);

	if (rc)
		return rc;
	if (info.flags & XEN_DOMINF_dying && !(info.flags & XEN_DOMINF_shutdown)) {
		*ret_reason = PVCTL_REASON_NONE;
		return 1;
	}
	*ret_reason = domain_reason(&info);
	return *ret_reason != PVCTL_REASON_NONE;
}

/* Until the next event, the next look, or the deadline (0: none). */
static int nap(struct pvctl *ctx, struct pvctl_events *ev, uint64_t deadline, struct pvctl_error *err)
{
	struct pollfd p = { .fd = pvctl_events_fd(ev), .events = POLLIN };
	int ms = ctx->progress ? PROGRESS_MS : LOOK_EVERY_MS;
	uint64_t now = ctx_now_ns();

	if (deadline && now >= deadline)
		return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB, "the domain has not shut down in time");
	if (deadline && (deadline - now) / 1000000 < (uint64_t)ms)
		ms = (int)((deadline - now) / 1000000) + 1;
	if (poll(&p, 1, ms) < 0 && errno != EINTR)
		return err_os(err, errno, "poll");
	if (ctx_progress(ctx, "shutdown", 0, 0))
		return err_set(err, -ECANCELED, PVCTL_ORIGIN_LIB, "canceled");
	return 0;
}

int pvctl_domain_wait(struct pvctl *ctx, uint32_t domid, uint32_t timeout_ms, int32_t *ret_reason,
                      struct pvctl_error *err)
{
	uint64_t deadline = timeout_ms ? ctx_now_ns() + timeout_ms * 1000000ull : 0;
	struct pvctl_events *ev;
	int32_t reason = PVCTL_REASON_NONE;
	bool seen = false;
	int rc;

	rc = pvctl_events_open(ctx, PVCTL_EVENT_SHUTDOWN | PVCTL_EVENT_DESTROYED | PVCTL_EVENT_NODE_DOWN, &ev, err);
	if (rc)
		return rc;
	do {
		/* Events first: they know the reason even when policy has removed the domain at once. */
		rc = drain(ev, domid, &reason, err);
		if (rc == 0)
			rc = look(ctx, domid, &reason, err);
		if (rc == -ESRCH && seen) {
			rc = drain(ev, domid, &reason, err);
			if (rc == 0)
				reason = PVCTL_REASON_NONE;
			rc = rc < 0 ? rc : 1;
		}
		seen = true;
		if (rc == 0)
			rc = nap(ctx, ev, deadline, err);
		else
			break;
	} while (rc == 0);
	pvctl_events_close(ev);
	if (rc < 0)
		return rc;
	*ret_reason = reason;
	return 0;
}

int pvctl_domain_set_config(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *config, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct proto_commit c = { .domid = domid };
	struct pvctl_config *copy = NULL;
	struct create_plan plan;
	CLEANUP_FREE char *json = NULL;
	CLEANUP_BUF struct buf body = { 0 };
	char uuid[37];
	int rc = refuse_host(domid, "configured", err);

	rc = rc ? rc : pvctl_domain_get(ctx, domid, &info, err);
	if (!rc && !info.name[0])
		rc = err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain %u is being built, or destroyed", domid);
	rc = rc ? rc : config_copy(config, &copy, err);
	if (rc)
		return rc;
	uuid_unparse_lower(info.uuid, uuid);
	rc = pvctl_config_set_str(copy, "name", info.name, err);
	rc = rc ? rc : pvctl_config_set_str(copy, "uuid", uuid, err);
	/* Without the node: the domain itself has the name and the disks. What it gives has absolute paths. */
	rc = rc ? rc : plan_make(NULL, &ctx->log, copy, NULL, &plan, err);
	pvctl_config_free(copy);
	if (rc)
		return rc;
	rc = pvctl_config_to_json(plan.config, &json, err);
	plan_free(&plan);
	if (rc)
		return rc;
	c.created_unix_ns = info.created_unix_ns;
	memcpy(c.name, info.name, sizeof(c.name));
	memcpy(c.uuid, info.uuid, sizeof(c.uuid));
	if (buf_add(&body, &c, sizeof(c)) || buf_add(&body, json, strlen(json)))
		return err_nomem(err);
	return ctx_request(ctx, PROTO_COMMIT, body.data, body.len, err);
}

int pvctl_domain_config(struct pvctl *ctx, uint32_t domid, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct proto_domid req = { .domid = domid };
	struct pvctl_config *c = NULL;
	CLEANUP_FREE char *json = NULL;
	void *body = NULL;
	size_t len;
	int rc;

	rc = ctx->t->ops->request(ctx->t, PROTO_CONFIG, &req, sizeof(req), &body, &len, NULL, err);
	if (rc)
		return rc;
	json = body; /* the transport terminates it */
	rc = pvctl_config_from_json(json, &c, err);
	/* A daemon that somebody has taken over must not get at a file by what the owner's client names anew. */
	rc = rc ? rc : create_was_named(ctx, c, err);
	if (rc)
		pvctl_config_free(c);
	else
		*ret = c;
	return rc;
}
