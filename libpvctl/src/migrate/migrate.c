/* SPDX-License-Identifier: MIT */
/* The two ends of a migration: save and restore, with the handshake between them. */
#include "ctx/ctx.h"
#include "domain/private.h"
#include "migrate/handshake.h"
#include "save/private.h"
#include "store/client.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INCOMING "--incoming"
#define AWAY "--migratedaway"
/* Who lost the connection lets go of the disks soon. */
#define RETAKE_NS 20000000000ull
#define RETAKE_STEP_NS 50000000
#define GOING_NS 5000000000ull

struct move {
	struct pvctl *ctx;
	uint32_t domid;
	struct pvctl_migrate_opts o;
	int in, out;
	char name[128];
	/* the sender's */
	struct pvctl_save_stats stats;
	uint64_t suspended_ns, started_ns; /* 0: not yet */
	bool logging;              /* its writes are logged still: it need not wait for the end of that */
};

static void say(void *data, const char *line)
{
	struct move *m = data;

	if (m->o.say)
		m->o.say(m->o.data, line);
}

static void point(void *data, const char *name)
{
	struct move *m = data;

	if (!strcmp(name, "sender-reported"))
		m->started_ns = ctx_now_ns();
	if (m->o.step)
		m->o.step(m->o.data, name);
}

static bool cancelled(void *data)
{
	struct move *m = data;

	/* Not as seldom as progress is told. */
	return m->ctx->progress && m->ctx->progress(m->ctx->progress_data, "waiting for the other side", 0, 0);
}

static void hang_up(void *data)
{
	struct move *m = data;

	if (m->in >= 0)
		close(m->in);
	if (m->out >= 0 && m->out != m->in)
		close(m->out);
	m->in = m->out = -1;
}

/* ---- the sender ---- */

static int save(void *data, int fd, struct pvctl_error *err)
{
	struct move *m = data;
	const struct pvctl_save_opts o = { .size = sizeof(o), .live = 1, .leave = PVCTL_SAVE_SUSPENDED, .config = m->o.config,
	                                   .keep_domid = m->o.keep_domid };
	int rc;

	m->stats.size = sizeof(m->stats);
	rc = save_keeping_log(m->ctx, m->domid, fd, &o, &m->stats, err);
	if (rc)
		return rc;
	m->logging = true;
	m->suspended_ns = ctx_now_ns() - m->stats.pause_ns;
	return pvctl_domain_release_disks(m->ctx, m->domid, err);
}

static int look_once(struct move *m)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_error why;
	struct pvctl *again;
	int rc = ctx_open_again(m->ctx, &again, &why);

	if (rc)
		return rc == -ENOENT ? -EIO : -ETIMEDOUT;
	rc = pvctl_domain_get(again, m->domid, &info, &why);
	pvctl_close(again);
	/* A daemon that ends in the midst of it says nothing of the node. */
	return rc == -EIO ? -ETIMEDOUT : rc;
}

/* -EIO: its hypervisor does not run, and neither does the domain, whatever we know of it; -ESRCH: it is not there; 0. Other: who knows. */
static int look_again(struct move *m)
{
	uint64_t end = ctx_now_ns() + RETAKE_NS;
	int rc;

	/* A daemon that ends, or takes over, is soon done with that. */
	while ((rc = look_once(m)) == -ETIMEDOUT && ctx_now_ns() < end)
		nanosleep(&(struct timespec){ .tv_nsec = RETAKE_STEP_NS }, NULL);
	return rc;
}

/* rc; 1: the node is gone, which is why. */
static int or_gone(struct move *m, int rc)
{
	return rc && look_again(m) == -EIO ? 1 : rc;
}

static int keep(void *data, struct pvctl_error *err)
{
	struct move *m = data;

	return or_gone(m, pvctl_domain_keep_suspended(m->ctx, m->domid, err));
}

static int set_name(void *data, bool away, struct pvctl_error *err)
{
	struct move *m = data;
	char name[sizeof(m->name) + sizeof(AWAY)];

	snprintf(name, sizeof(name), "%s%s", m->name, away ? AWAY : "");
	return or_gone(m, pvctl_domain_rename(m->ctx, m->domid, name, err));
}

static int resume(void *data, struct pvctl_error *err)
{
	uint64_t end = ctx_now_ns() + RETAKE_NS;
	struct pvctl *again = NULL;
	struct move *m = data;
	int rc;

	for (;;) {
		rc = pvctl_domain_resume(again ? again : m->ctx, m->domid, err);
		if (rc == -EIO && !again && !ctx_open_again(m->ctx, &again, err))
			continue;
		if (rc != -EBUSY || ctx_now_ns() >= end)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = RETAKE_STEP_NS }, NULL);
	}
	pvctl_close(again);
	/* It was not suspended, or saving it has let it go on already; or another has it suspended, who sees to it. */
	return rc == -ENOENT || rc == -EPERM ? 0 : rc;
}

static int destroy(void *data, struct pvctl_error *err)
{
	struct move *m = data;

	return pvctl_domain_destroy(m->ctx, m->domid, NULL, err);
}

static int load_opts(struct move *m, struct pvctl *ctx, int in, int out, const struct pvctl_migrate_opts *opts,
                     struct pvctl_error *err)
{
	*m = (struct move){ .ctx = ctx, .in = in, .out = out };
	return opts_load(&m->o, sizeof(m->o), opts, err);
}

int pvctl_domain_migrate_send(struct pvctl *ctx, uint32_t domid, int in, int out, const struct pvctl_migrate_opts *opts,
                              struct pvctl_migrate_result *ret, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_migrate_result r = { .end = PVCTL_MIGRATE_HERE };
	uint64_t start = ctx_now_ns();
	enum migrate_end end = MIGRATE_HERE;
	struct migrate_sender s;
	struct move m;
	int rc;

	rc = load_opts(&m, ctx, in, out, opts, err);
	if (!rc)
		rc = ret ? grow_check(ret, err) : 0;
	if (!rc)
		rc = refuse_host(domid, "migrated", err);
	if (!rc)
		rc = refuse_pvh(ctx, domid, "migrate", err);
	if (!rc)
		rc = pvctl_domain_get(ctx, domid, &info, err);
	if (!rc)
		rc = domain_may_move(ctx, domid, err);
	if (!rc) {
		m.domid = domid;
		snprintf(m.name, sizeof(m.name), "%s", info.name);
		s = (struct migrate_sender){
			.io = { .in = in, .out = out, .hang_up = hang_up, .cancelled = cancelled, .say = say, .point = point, .data = &m },
			.save = save, .keep = keep, .rename = set_name, .resume = resume, .destroy = destroy,
		};
		rc = migrate_send(&s, &end, err);
	}
	hang_up(&m);
	/* Of a daemon that is gone another one has ended it. */
	if (m.logging && end != MIGRATE_THERE)
		save_log_end(ctx, domid);
	r.end = (uint32_t)end;
	r.rounds = m.stats.rounds;
	r.bytes = m.stats.bytes;
	r.pages = m.stats.pages;
	r.total_ns = ctx_now_ns() - start;
	r.pause_ns = m.started_ns && m.suspended_ns ? m.started_ns - m.suspended_ns : 0;
	if (ret)
		grow_out(ret, &r, sizeof(r));
	return rc;
}

/* ---- the receiver ---- */

struct arrival {
	struct move *m;
	int (*ready)(void *data, struct pvctl_error *err);
	void *ready_data;
};

/* Until it may run it is ours, by another name: it goes if we do. */
static int name_incoming(struct move *m, struct pvctl_error *err)
{
	struct proto_commit c = { .domid = m->domid, .flags = PROTO_COMMIT_HOLD };
	CLEANUP_FREE char *name = NULL, *body = NULL;
	char path[64];
	size_t len;
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/name", m->domid);
	rc = store_client_read(m->ctx->t, path, &name, &len, err);
	if (rc)
		return rc;
	if (len + sizeof(INCOMING) > sizeof(c.name))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the name \"%.130s\" is too long to have \"" INCOMING "\" behind it", name);
	snprintf(c.name, sizeof(c.name), "%s" INCOMING, name);
	body = malloc(sizeof(c) + 2);
	if (!body)
		return err_nomem(err);
	memcpy(body, &c, sizeof(c));
	memcpy(body + sizeof(c), "{}", 2);
	return ctx_request(m->ctx, PROTO_COMMIT, body, sizeof(c) + 2, err);
}

static int arrived(void *data, uint32_t domid, struct pvctl_error *err)
{
	struct arrival *a = data;
	int rc;

	a->m->domid = domid;
	rc = name_incoming(a->m, err);
	return rc ? rc : a->ready(a->ready_data, err);
}

static int restore(void *data, int fd, int (*ready)(void *ready_data, struct pvctl_error *err), void *ready_data,
                   struct pvctl_error *err)
{
	struct move *m = data;
	struct arrival a = { .m = m, .ready = ready, .ready_data = ready_data };
	const struct pvctl_restore_opts o = { .size = sizeof(o), .paused = m->o.paused, .ready = arrived, .ready_data = &a };

	return pvctl_domain_restore(m->ctx, fd, m->o.config, &o, &m->domid, NULL, err);
}

static bool gone(void *data)
{
	uint64_t end = ctx_now_ns() + GOING_NS;
	struct move *m = data;
	int rc;

	/* What was being built for us goes with our connection, which takes a moment. */
	while (!(rc = look_again(m)) && ctx_now_ns() < end)
		nanosleep(&(struct timespec){ .tv_nsec = RETAKE_STEP_NS }, NULL);
	return rc == -ESRCH || rc == -EIO;
}

int pvctl_domain_migrate_receive(struct pvctl *ctx, int in, int out, const struct pvctl_migrate_opts *opts, uint32_t *ret_domid,
                                 struct pvctl_error *err)
{
	struct move m;
	struct migrate_receiver r;
	int rc = load_opts(&m, ctx, in, out, opts, err);

	if (!rc) {
		r = (struct migrate_receiver){
			.io = { .in = in, .out = out, .hang_up = hang_up, .cancelled = cancelled, .say = say, .point = point, .data = &m },
			.restore = restore, .gone = gone,
		};
		rc = migrate_receive(&r, err);
	}
	hang_up(&m);
	if (!rc && ret_domid)
		*ret_domid = m.domid;
	return rc;
}
