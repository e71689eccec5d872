/* SPDX-License-Identifier: MIT */
/* Console, events and the store: services of the daemon, handed through. */
#include "domain/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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
	int rc;

	if (len >= sizeof(req.name))
		return err_set(err, -ESRCH, PVCTL_ORIGIN_LIB, "no domain has so long a name");
	if (name)
		memcpy(req.name, name, len + 1);
	rc = ctx->t->ops->request(ctx->t, PROTO_ENDED, &req, sizeof(req.d) + len, &body, &len, NULL, err);
	if (rc)
		return rc;
	if (len != sizeof(*ret))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "pvctld tells of a domain that is gone in another form");
	memcpy(ret, body, sizeof(*ret));
	ret->name[sizeof(ret->name) - 1] = '\0';
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
	struct timespec now;

	if (ev->down || !(ev->mask & PVCTL_EVENT_NODE_DOWN))
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the node went down");
	ev->down = true;
	clock_gettime(CLOCK_REALTIME, &now);
	memset(ret, 0, sizeof(*ret));
	ret->type = PVCTL_EVENT_NODE_DOWN;
	ret->reason = PVCTL_REASON_NONE;
	ret->time_unix_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	return 1;
}

int pvctl_events_next(struct pvctl_events *ev, struct pvctl_event *ret, struct pvctl_error *err)
{
	struct pvctl_event e;
	ssize_t n;

	do
		n = recv(ev->fd, &e, sizeof(e), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return node_down(ev, ret, err);
	if (n < 0)
		return err_os(err, errno, "receiving an event");
	if (n != (ssize_t)sizeof(e))
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "an event of %zd bytes", n);
	e.name[sizeof(e.name) - 1] = '\0';
	if (e.type == PVCTL_EVENT_NODE_DOWN)
		ev->down = true;
	*ret = e;
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
