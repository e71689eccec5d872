/* SPDX-License-Identifier: MIT */
#include "pvctld/life/still.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>

void still_init(struct dom *dom)
{
	list_init(&dom->go_on.link);
}

int still_set(struct dom *dom, const struct ctl_conn *conn, bool on, struct pvctl_error *err)
{
	if (dom->pauser && dom->pauser != conn)
		return fail(err, -EBUSY, "somebody else has domain %u paused for a while", dom->domid);
	dom->pauser = on ? conn : NULL;
	return 0;
}

static void done(struct mbox_call *call, int64_t ret, bool down)
{
}

void still_gone(struct daemon *d, const struct ctl_conn *conn)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_unpausedomain, .interface_version = XEN_DOMCTL_INTERFACE_VERSION };

	list_for(p, &d->domains) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->pauser != conn)
			continue;
		dom->pauser = NULL;
		/* The second is never so: a later pause is behind it in the queue. */
		if (dom->dying || !list_empty(&dom->go_on.link))
			continue;
		log_line("domain %u (%s): who had it paused for a while has left: it goes on", dom->domid, dom->name);
		op.domain = (domid_t)dom->domid;
		memcpy(dom->go_on_arg, &op, sizeof(op));
		dom->go_on = (struct mbox_call){ .op = __HYPERVISOR_domctl, .args = { NODE_ARENA_BASE }, .arena = dom->go_on_arg,
						 .arena_len = sizeof(op), .done = done, .data = dom };
		list_init(&dom->go_on.link);
		mbox_queue(&d->mbox, &dom->go_on);
	}
}

void still_fini(struct dom *dom)
{
	mbox_cancel(&dom->d->mbox, &dom->go_on);
}
