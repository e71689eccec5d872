/* SPDX-License-Identifier: MIT */
#include "pvctld/life/logger.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <xen/domctl.h>

void logger_init(struct dom *dom)
{
	list_init(&dom->log_off.link);
}

int logger_set(struct dom *dom, const struct ctl_conn *conn, bool on, struct pvctl_error *err)
{
	if (dom->logger && dom->logger != conn)
		return fail(err, -EBUSY, "somebody else is saving domain %u while it runs", dom->domid);
	dom->logger = on ? conn : NULL;
	return 0;
}

/* Nothing was logged, or it is gone: either is as well. */
static void ended(struct mbox_call *call, int64_t ret, bool down)
{
}

static void end(struct dom *dom)
{
	const struct xen_domctl op = { .cmd = XEN_DOMCTL_shadow_op, .domain = (domid_t)dom->domid,
				       .u.shadow_op.op = XEN_DOMCTL_SHADOW_OP_OFF };

	dom->logger = NULL;
	if (dom->dying || !list_empty(&dom->log_off.link))
		return;
	hvc_queue_domctl(dom->d, &dom->log_off, dom->log_off_arg, &op, ended, dom);
}

void logger_gone(struct daemon *d, const struct ctl_conn *conn)
{
	list_for(p, &d->domains) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->logger != conn)
			continue;
		log_line("domain %u (%s): who had its writes logged has left", dom->domid, dom->name);
		end(dom);
	}
}

void logger_adopt(struct dom *dom)
{
	end(dom);
}

void logger_fini(struct dom *dom)
{
	mbox_cancel(&dom->d->mbox, &dom->log_off);
}
