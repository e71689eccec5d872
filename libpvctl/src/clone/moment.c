/* SPDX-License-Identifier: MIT */
#include "clone/moment.h"
#include "domain/private.h"
#include "save/private.h"
#include "util/err.h"

void moment_point(const struct moment *m, const char *name)
{
	if (m->point)
		m->point(m->point_data, name);
}

/* It is suspended: its disks, then it goes on. */
static int split(struct moment *m, struct fork *f, struct pvctl_error *err)
{
	int rc = pvctl_domain_release_disks(f->ctx, f->domid, err);

	moment_point(m, "released");
	rc = rc ? rc : fork_check(f, err);
	rc = rc ? rc : fork_switch(f, err);
	moment_point(m, "switched");
	rc = rc ? rc : pvctl_domain_resume(f->ctx, f->domid, err);
	if (!rc)
		return 0;
	/* As it was, or with an overlay more. */
	fork_undo(f);
	if (pvctl_domain_resume(f->ctx, f->domid, NULL))
		log_msg(&f->ctx->log, LOG_ERROR, "domain %u stays suspended", f->domid);
	return rc;
}

static int suspend_saved(struct moment *m, struct fork *f, struct pvctl_error *err)
{
	struct pvctl_save_stats s = { .size = sizeof(s) };
	const struct pvctl_save_opts o = { .size = sizeof(o), .live = 1, .leave = PVCTL_SAVE_SUSPENDED,
	                                   .suspend_timeout_ms = m->suspend_timeout_ms };
	int rc;

	if (m->fd < 0)
		return domain_suspend(f->ctx, f->domid, false, m->suspend_timeout_ms, err);
	rc = save_keeping_log(f->ctx, f->domid, m->fd, &o, &s, err);
	m->pause_ns = s.pause_ns;
	m->bytes = s.bytes;
	m->rounds = s.rounds;
	return rc;
}

int moment_take(struct moment *m, struct fork *f, struct pvctl_error *err)
{
	uint64_t stopped;
	int rc = f->prepared ? 0 : fork_prepare(f, err);

	moment_point(m, "prepared");
	rc = rc ? rc : suspend_saved(m, f, err);
	if (rc) {
		fork_undo(f);
		return rc;
	}
	stopped = ctx_now_ns();
	moment_point(m, "saved");
	rc = split(m, f, err);
	m->pause_ns += ctx_now_ns() - stopped;
	if (m->fd >= 0)
		save_log_end(f->ctx, f->domid);
	moment_point(m, "resumed");
	return rc;
}
