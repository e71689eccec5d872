/* SPDX-License-Identifier: MIT */
/* Clients' requests about domains that are suspended, or saved while they run. */
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/life/logger.h"
#include "pvctld/life/still.h"
#include "pvctld/life/suspend.h"
#include <errno.h>

/* NULL: refused. All bodies begin with the domain's number. */
static struct dom *domain_of(struct ctl_conn *c, size_t len)
{
	const struct proto_domid *b = (const void *)c->body;
	struct dom *dom;

	if (c->head.len < len) {
		ctl_refuse(c, -EINVAL, "the request is too short");
		return NULL;
	}
	dom = dom_find(c->d, b->domid);
	if (!dom)
		ctl_refuse(c, -ESRCH, "there is no such domain");
	return dom;
}

void request_suspend(struct ctl_conn *c)
{
	const struct proto_suspend *b = (const void *)c->body;
	struct dom *dom = domain_of(c, sizeof(*b));
	struct pvctl_error e;
	int rc;

	if (!dom)
		return;
	rc = suspend_check(dom, b->flags & PROTO_SUSPEND_MOVE, &e);
	if (!rc && !(b->flags & PROTO_SUSPEND_CHECK))
		rc = suspend_ask(dom, c, &e);
	ctl_answer(c, rc, rc ? e.msg : NULL);
}

/* Refused. */
static bool is_anothers(const struct dom *dom, struct ctl_conn *c)
{
	bool is = suspend_is_anothers(dom, c);

	if (is)
		ctl_refuse(c, -EPERM, "somebody else has it suspended, to save, copy or move it: when that has ended, or its process, it goes on");
	return is;
}

void request_quiesce(struct ctl_conn *c)
{
	const struct proto_quiesce *b = (const void *)c->body;
	struct dom *dom = domain_of(c, sizeof(*b));

	if (!dom || is_anothers(dom, c))
		return;
	if (b->flags & PROTO_QUIESCE_KEEP)
		suspend_keep(dom);
	suspend_wait(dom, b->flags & PROTO_QUIESCE_RELEASE, ctl_answer, c);
	if (!(b->flags & PROTO_QUIESCE_KEEP))
		suspend_read(dom, c);
}

void request_resume(struct ctl_conn *c)
{
	struct dom *dom = domain_of(c, sizeof(struct proto_domid));

	if (dom && !is_anothers(dom, c))
		suspend_end(dom, ctl_answer, c);
}

void request_log(struct ctl_conn *c)
{
	const struct proto_log *b = (const void *)c->body;
	struct dom *dom = domain_of(c, sizeof(*b));
	struct pvctl_error e = { 0 };

	if (dom)
		ctl_answer(c, logger_set(dom, c, b->on != 0, &e), e.msg);
}

void request_hold(struct ctl_conn *c)
{
	const struct proto_log *b = (const void *)c->body;
	struct dom *dom = domain_of(c, sizeof(*b));

	if (dom)
		still_set(dom, c, b->on != 0, ctl_answer);
}
