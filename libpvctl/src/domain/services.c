/* SPDX-License-Identifier: MIT */
/* Console, events and the store: services of the daemon, handed through. */
#include "domain/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <inttypes.h>
#include <stdio.h>
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
	struct pvctl_domain_list *there; /* of the snapshot; NULL: it has been told */
	size_t next;
	bool up_told;
	uint64_t made_unix_ns;           /* what happened before is in it */
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

static uint64_t unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* After the subscription: what happens from now on is in one of the two. */
static int take_snapshot(struct pvctl *ctx, struct pvctl_events *ev, struct pvctl_error *err)
{
	ev->made_unix_ns = unix_ns();
	return pvctl_domain_list(ctx, &ev->there, err);
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
	if (rc) {
		free(ev);
		return rc;
	}
	rc = mask & PVCTL_EVENT_PRESENT ? take_snapshot(ctx, ev, err) : 0;
	if (rc)
		pvctl_events_close(ev);
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

	if (ev->down || !(ev->mask & PVCTL_EVENT_NODE_DOWN))
		return err_set(err, -EIO, PVCTL_ORIGIN_DAEMON, "the node went down");
	ev->down = true;
	e.time_unix_ns = unix_ns();
	grow_out(ret, &e, sizeof(e));
	return 1;
}

/* 0: all of it has been told. */
static int next_present(struct pvctl_events *ev, struct pvctl_event *e)
{
	const struct pvctl_domain_info *d;

	*e = (struct pvctl_event){ .reason = PVCTL_REASON_NONE, .time_unix_ns = ev->made_unix_ns };
	if (!ev->up_told) {
		ev->up_told = true;
		e->type = PVCTL_EVENT_NODE_UP;
		if (ev->mask & PVCTL_EVENT_NODE_UP)
			return 1;
	}
	do
		d = pvctl_domain_list_at(ev->there, ev->next++);
	while (d && (d->domid == 0 || !d->name[0]));
	if (!d) {
		pvctl_domain_list_free(ev->there);
		ev->there = NULL;
		return 0;
	}
	e->type = PVCTL_EVENT_PRESENT;
	e->domid = d->domid;
	e->reason = d->reason;
	e->state = d->state;
	e->unique_id = d->unique_id;
	memcpy(e->name, d->name, sizeof(e->name));
	return 1;
}

static void terminate(struct pvctl_event *e)
{
	e->name[sizeof(e->name) - 1] = '\0';
	e->device_kind[sizeof(e->device_kind) - 1] = '\0';
	e->device[sizeof(e->device) - 1] = '\0';
	e->detail[sizeof(e->detail) - 1] = '\0';
}

/* 1, 0 (none now), or an error; -EPIPE: there will be none. */
static int receive(struct pvctl_events *ev, struct pvctl_event *e, struct pvctl_error *err)
{
	char msg[EVENT_MAX];
	ssize_t n;
	int rc;

	do {
		do
			n = recv(ev->fd, msg, sizeof(msg), MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (n < 0)
			return err_os(err, errno, "receiving an event");
		rc = grow_in(e, sizeof(*e), msg, (size_t)n, err);
		if (rc)
			return rc;
		/* What happened before the snapshot was made is part of it. */
	} while (e->time_unix_ns < ev->made_unix_ns);
	terminate(e);
	return 1;
}

int pvctl_events_next(struct pvctl_events *ev, struct pvctl_event *ret, struct pvctl_error *err)
{
	struct pvctl_event e;
	int rc = grow_check(ret, err);

	if (rc)
		return rc;
	if (!ev->there || !next_present(ev, &e)) {
		rc = receive(ev, &e, err);
		if (rc == -EPIPE)
			return node_down(ev, ret, err);
		if (rc <= 0)
			return rc;
	}
	if (e.type == PVCTL_EVENT_NODE_DOWN)
		ev->down = true;
	grow_out(ret, &e, sizeof(e));
	return 1;
}

void pvctl_events_close(struct pvctl_events *ev)
{
	if (!ev)
		return;
	pvctl_domain_list_free(ev->there);
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

/* All words of a request about a domain's quotas; end is the last one. */
static int ask_quota(struct pvctl *ctx, uint32_t domid, const char *verb, const char *word, const char *end, char **ret, struct pvctl_error *err)
{
	struct xen_domctl_getdomaininfo info;
	char words[160], what[120];
	int n, rc = refuse_host(domid, "limited in the store", err);

	rc = rc ? rc : hv_domain_info(ctx->t, domid, &info, err);
	if (rc)
		return rc;
	n = snprintf(words, sizeof(words), "quota%c%s%c%u%c%.60s%c%s", 0, verb, 0, domid, 0, word, 0, end);
	snprintf(what, sizeof(what), "domain %u: store quota %.60s", domid, word);
	return store_client_control(ctx->t, words, (size_t)n + 1, what, ret, err);
}

int pvctl_store_quota_get(struct pvctl *ctx, uint32_t domid, uint32_t i, struct pvctl_store_quota *ret, struct pvctl_error *err)
{
	struct pvctl_store_quota q = { .size = sizeof(q) };
	CLEANUP_FREE char *text = NULL;
	char word[16];
	int rc = grow_check(ret, err);

	snprintf(word, sizeof(word), "%u", i);
	rc = rc ? rc : ask_quota(ctx, domid, "get", word, "", &text, err);
	if (rc)
		return rc;
	if (sscanf(text, "%23s %" SCNu32 " %" SCNu32 " %" SCNd64, q.name, &q.limit, &q.own, &q.used) != 4)
		return err_set(err, -EPROTO, PVCTL_ORIGIN_DAEMON, "domain %u: store quotas: the daemon's answer makes no sense", domid);
	grow_out(ret, &q, sizeof(q));
	return 0;
}

int pvctl_store_quota_set(struct pvctl *ctx, uint32_t domid, const char *name, uint32_t value, struct pvctl_error *err)
{
	char word[16];
	int rc;

	snprintf(word, sizeof(word), "%u", value);
	rc = ask_quota(ctx, domid, "set", name, word, NULL, err);
	if (rc == -EINVAL)
		err_set(err, rc, PVCTL_ORIGIN_STORE, "domain %u: the store quota \"%.40s\" cannot be set to %u: there is no such, it is fixed, "
			"or that is more than 4 times its own value", domid, name, value);
	return rc;
}
