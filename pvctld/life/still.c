/* SPDX-License-Identifier: MIT */
#include "pvctld/life/still.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/events.h"
#include "pvctld/hv/hvcall.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <xen/domctl.h>

void still_init(struct dom *dom)
{
	list_init(&dom->still_call.link);
}

static void answer(struct dom *dom, int rc, const char *why)
{
	void (*done)(void *conn, int rc, const char *why) = dom->still_done;

	dom->still_done = NULL;
	if (done)
		done(dom->still_for, rc, why);
}

static void note(struct dom *dom, enum dom_still still)
{
	dom->still = still;
	dom_keep(dom);
}

static void finished(struct mbox_call *call, int64_t ret, bool down)
{
	struct dom *dom = call->data;
	bool on = dom->still_on;

	die_point("still-called");
	dom->still_last = false;
	note(dom, (down || ret) == on ? DOM_STILL_NOT : DOM_STILL_HELD);
	if (down || ret) {
		answer(dom, down ? -EIO : (int)ret, on ? "the hypervisor does not pause it" : "the hypervisor does not let it go on");
		return;
	}
	dom->pauser = on ? dom->still_for : NULL;
	if (dom->name[0])
		events_emit(dom->d, on ? PVCTL_EVENT_PAUSED : PVCTL_EVENT_UNPAUSED, dom->domid, PVCTL_REASON_NONE, dom->name);
	answer(dom, 0, NULL);
}

static void call(struct dom *dom, bool on)
{
	const struct xen_domctl op = { .cmd = on ? XEN_DOMCTL_pausedomain : XEN_DOMCTL_unpausedomain, .domain = (domid_t)dom->domid };

	dom->still_on = on;
	note(dom, dom->still_shared ? DOM_STILL_CALL_SHARED : DOM_STILL_CALL);
	hvc_queue_domctl(dom->d, &dom->still_call, dom->still_arg, &op, finished, dom);
}

static bool is_paused(struct dom *dom)
{
	struct xen_domctl_getdomaininfo info;

	return !hvc_get(dom->d, dom->domid, &info) && info.flags & XEN_DOMINF_paused;
}

void still_set(struct dom *dom, struct ctl_conn *conn, bool on, void (*done)(void *conn, int rc, const char *why))
{
	/* A call is under way: somebody's first word, or his last. */
	if (dom->still_done || dom->still_last || (dom->pauser && (on || dom->pauser != conn)))
		done(conn, -EBUSY, "somebody else has the domain paused for a while");
	else if (dom->dying)
		done(conn, -ESRCH, "the domain is ending");
	else if (!on && !dom->pauser)
		done(conn, -ENOENT, "the domain is not paused so");
	else {
		dom->still_for = conn;
		dom->still_done = done;
		if (on)
			dom->still_shared = is_paused(dom);
		call(dom, on);
	}
}

void still_gone(struct daemon *d, const struct ctl_conn *conn)
{
	list_for(p, &d->domains) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->still_for == conn) {
			dom->still_for = NULL;
			dom->still_done = NULL;
		}
		if (dom->pauser != conn)
			continue;
		dom->pauser = NULL;
		if (dom->dying || dom->still_last)
			continue;
		log_line("domain %u (%s): who had it paused for a while has left: it goes on", dom->domid, dom->name);
		dom->still_last = true;
		call(dom, false);
	}
}

void still_adopt(struct dom *dom, enum dom_still kept)
{
	if (kept == DOM_STILL_NOT || dom->dying)
		return;
	note(dom, DOM_STILL_NOT);
	if (kept == DOM_STILL_CALL_SHARED) {
		log_line("domain %u (%s): who had it paused for a while has left; another has it paused, too, and is to let it go on",
			 dom->domid, dom->name);
		return;
	}
	if (kept == DOM_STILL_CALL && !is_paused(dom))
		return;
	log_line("domain %u (%s): who had it paused for a while has left: it goes on", dom->domid, dom->name);
	if (hvc_unpause(dom->d, dom->domid))
		log_line("domain %u (%s) cannot be unpaused", dom->domid, dom->name);
	else
		events_emit(dom->d, PVCTL_EVENT_UNPAUSED, dom->domid, PVCTL_REASON_NONE, dom->name);
}

void still_fini(struct dom *dom)
{
	mbox_cancel(&dom->d->mbox, &dom->still_call);
	answer(dom, -ESRCH, "the domain has ended");
}
