/* SPDX-License-Identifier: MIT */
/* Console, events and the store: services of the daemon, handed through. */
#include "domain/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENT_MAX 4096u /* of any version's */

struct pvctl_events {
	int fd;
	uint32_t mask;
	bool down;  /* the end was reported */
};

int pvctl_console_attach(struct pvctl *ctx, uint32_t domid, uint64_t replay_bytes, int *ret_fd, struct pvctl_error *err)
{
	struct proto_console req = { .domid = domid, .replay_bytes = replay_bytes };

	return ctx->t->ops->request(ctx->t, PROTO_CONSOLE, &req, sizeof(req), NULL, NULL, ret_fd, err);
}

int pvctl_domain_ended(struct pvctl *ctx, const char *name, uint32_t domid, struct pvctl_ended *ret,
                       struct pvctl_error *err)
{
	struct { struct proto_domid d; char name[sizeof(ret->name)]; } req = { .d.domid = domid };
	CLEANUP_FREE void *body = NULL;
	size_t len = name ? strlen(name) : 0;
	struct pvctl_ended ended;
	int rc = grow_check(ret, err);

	if (rc)
		return rc;
	if (len >= sizeof(req.name))
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "no domain has so long a name");
	if (name)
		memcpy(req.name, name, len + 1);
	rc = ctx->t->ops->request(ctx->t, PROTO_ENDED, &req, sizeof(req.d) + len, &body, &len, NULL, err);
	rc = rc ? rc : grow_in(&ended, sizeof(ended), body, len, err);
	if (rc)
		return rc;
	ended.name[sizeof(ended.name) - 1] = '\0';
	grow_out(ret, &ended, sizeof(ended));
	return 0;
}

int pvctl_events_open(struct pvctl *ctx, uint32_t mask, struct pvctl_events **ret, struct pvctl_error *err)
{
	struct proto_events req = { .mask = mask };
	struct pvctl_events *ev = calloc(1, sizeof(*ev));
	int rc;

	if (!ev)
		return err_nomem(err);
	ev->mask = mask;
	rc = ctx->t->ops->request(ctx->t, PROTO_EVENTS, &req, sizeof(req), NULL, NULL, &ev->fd, err);
	if (rc)
		free(ev);
	else
		*ret = ev;
	return rc;
}

int pvctl_events_fd(const struct pvctl_events *ev)
{
	return ev->fd;
}

static int node_down(struct pvctl_events *ev, struct pvctl_event *ret, struct pvctl_error *err)
{
	struct pvctl_event e = { .type = PVCTL_EVENT_NODE_DOWN, .reason = PVCTL_REASON_NONE };
	struct timespec now;

	if (ev->down || !(ev->mask & PVCTL_EVENT_NODE_DOWN))
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the node went down");
	ev->down = true;
	clock_gettime(CLOCK_REALTIME, &now);
	e.time_unix_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	grow_out(ret, &e, sizeof(e));
	return 1;
}

int pvctl_events_next(struct pvctl_events *ev, struct pvctl_event *ret, struct pvctl_error *err)
{
	char msg[EVENT_MAX];
	struct pvctl_event e;
	ssize_t n;
	int rc = grow_check(ret, err);

	if (rc)
		return rc;
	do
		n = recv(ev->fd, msg, sizeof(msg), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return node_down(ev, ret, err);
	if (n < 0)
		return err_os(err, errno, "receiving an event");
	rc = grow_in(&e, sizeof(e), msg, (size_t)n, err);
	if (rc)
		return rc;
	e.name[sizeof(e.name) - 1] = '\0';
	if (e.type == PVCTL_EVENT_NODE_DOWN)
		ev->down = true;
	grow_out(ret, &e, sizeof(e));
	return 1;
}

void pvctl_events_close(struct pvctl_events *ev)
{
	if (!ev)
		return;
	close(ev->fd);
	free(ev);
}

int pvctl_store_read(struct pvctl *ctx, const char *path, char **ret_value, size_t *ret_len, struct pvctl_error *err)
{
	size_t len;
	char *value;
	int rc = store_client_read(ctx->t, path, &value, &len, err);

	if (rc)
		return rc;
	*ret_value = value;
	if (ret_len)
		*ret_len = len;
	return 0;
}

int pvctl_store_write(struct pvctl *ctx, const char *path, const void *value, size_t len, struct pvctl_error *err)
{
	return store_client_write(ctx->t, path, value, len, err);
}

int pvctl_store_rm(struct pvctl *ctx, const char *path, struct pvctl_error *err)
{
	return store_client_rm(ctx->t, path, err);
}
