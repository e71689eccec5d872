/* SPDX-License-Identifier: MIT */
#include "pvctld/life/suspend.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/hv/hvcall.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xen/sched.h>

#define TRY_NS 200000000u
#define TRIES 1500u

static void answer(struct dom *dom, int rc, const char *why)
{
	void (*done)(void *data, int rc, const char *why) = dom->rest_done;

	dom->rest_done = NULL;
	if (done)
		done(dom->rest_data, rc, why);
	else if (rc && dom->rest && !dom->forgotten)
		log_line("domain %u (%s) stays suspended: %s", dom->domid, dom->name, why);
}

static bool is_settled(const struct dom *dom)
{
	return dom->rest == DOM_AWAKE || dom->rest == DOM_QUIET || dom->rest == DOM_RELEASED;
}

static void begin(struct dom *dom, enum dom_rest rest, void (*step)(struct xenbus_dev *x))
{
	dom->rest = rest;
	devices_each(dom->d, dom->domid, step);
	loop_task_post(&dom->d->loop, &dom->rest_task);
}

static void run(struct dom *dom)
{
	char why[160];
	int rc = hvc_resume(dom->d, dom->domid);

	dom->rest_resume = false;
	if (rc) {
		snprintf(why, sizeof(why), "the hypervisor does not resume it: %s", strerror(-rc));
		answer(dom, rc, why);
		return;
	}
	log_line("domain %u (%s) goes on", dom->domid, dom->name);
	dom_resumed(dom);
	events_emit(dom->d, PVCTL_EVENT_RESUMED, dom->domid, PVCTL_REASON_NONE, dom->name);
	answer(dom, 0, NULL);
}

/*
 * Who suspended it has left, and it is to run; but the one whom its disks were meant for has not let go
 * of them yet. He will, having lost the same connection.
 */
static bool try_again(struct dom *dom, const struct pvctl_error *e)
{
	if (!dom->rest_resume || dom->rest_done || e->code != -EBUSY || dom->rest_tries++ >= TRIES)
		return false;
	if (dom->rest_tries == 1)
		log_line("domain %u (%s) stays suspended, until it has its disks again: %s", dom->domid, dom->name, e->msg);
	loop_timer_set(&dom->d->loop, &dom->rest_timer, TRY_NS);
	return true;
}

static void on_try(void *data)
{
	struct dom *dom = data;

	loop_task_post(&dom->d->loop, &dom->rest_task);
}

/* A step of all devices has ended. */
static void settle(struct dom *dom, const struct pvctl_error *e)
{
	static const enum dom_rest next[] = {
		[DOM_QUIESCING] = DOM_QUIET, [DOM_RELEASING] = DOM_RELEASED, [DOM_RETAKING] = DOM_QUIET,
	};

	dom->rest = next[dom->rest];
	if (!e->code)
		return;
	/* Some are released, some are not: those that are must be had again before it runs. */
	dom->rest = DOM_RELEASED;
	dom->rest_release = false;
	if (try_again(dom, e))
		return;
	dom->rest_resume = false;
	answer(dom, e->code, e->msg);
}

/*
 * A guest that has read it may suspend yet. Linux reads it and takes it away in one transaction; others do that in two steps, and
 * may have done the first.
 */
static void take_back(struct dom *dom)
{
	char path[64], *what;
	bool was_read;

	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", dom->domid);
	what = store_read(dom->d->store, path, NULL);
	was_read = !what || strcmp(what, "suspend");
	if (!was_read)
		(void)store_write(dom->d->store, path, "", 0);
	free(what);
	dom->suspend_unwanted = true;
	dom->suspend_asked = was_read;
	dom->suspender = NULL;
}

static void work_awake(struct dom *dom)
{
	if (dom->rest_resume && dom->suspend_asked)
		take_back(dom);
	dom->rest_resume = dom->rest_release = false;
	answer(dom, -ECANCELED, "the domain runs again");
}

static void work(void *data)
{
	static const enum xenbus_rest want[] = {
		[DOM_QUIESCING] = XENBUS_QUIET, [DOM_RELEASING] = XENBUS_RELEASED, [DOM_RETAKING] = XENBUS_QUIET,
	};
	struct dom *dom = data;
	struct pvctl_error e = { 0 };

	if (dom->forgotten || dom->dying || mbox_defer(&dom->d->mbox, &dom->rest_task))
		return;
	if (dom->rest == DOM_AWAKE) {
		work_awake(dom);
		return;
	}
	if (!is_settled(dom)) {
		if (!devices_rest(dom->d, dom->domid, want[dom->rest], &e))
			return;
		settle(dom, &e);
	}
	if (loop_timer_armed(&dom->rest_timer) && !dom->rest_done)
		return;
	if (dom->rest_resume && dom->rest == DOM_RELEASED)
		begin(dom, DOM_RETAKING, xenbus_dev_retake);
	else if (dom->rest_resume)
		run(dom);
	else if (dom->rest_release && dom->rest == DOM_QUIET)
		begin(dom, DOM_RELEASING, xenbus_dev_release);
	else
		answer(dom, 0, NULL);
}

static void answered(struct mbox_call *call, int64_t ret, bool down)
{
	struct dom *dom = call->data;

	if (!down)
		loop_task_post(&dom->d->loop, &dom->rest_task);
}

void suspend_init(struct dom *dom)
{
	list_init(&dom->rest_ask.link);
	loop_task_init(&dom->rest_task, work, dom);
	loop_timer_init(&dom->rest_timer, on_try, dom);
}

int suspend_check(struct dom *dom, bool move, struct pvctl_error *err)
{
	if (dom->forgotten || dom->dying)
		return fail(err, -ESRCH, "domain %u is being destroyed", dom->domid);
	if (dom->rest)
		return fail(err, -EBUSY, "domain %u is suspended already", dom->domid);
	if (dom->suspender)
		return fail(err, -EBUSY, "somebody else is suspending domain %u", dom->domid);
	return devices_may_rest(dom->d, dom->domid, move, err);
}

int suspend_ask(struct dom *dom, struct ctl_conn *holder, struct pvctl_error *err)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", dom->domid);
	rc = store_write(dom->d->store, path, "suspend", 7);
	if (rc)
		return fail(err, rc, "%s: %s", path, strerror(-rc));
	dom->suspend_asked = true;
	dom->suspend_unwanted = false;
	dom->suspender = holder;
	dom_keep(dom);
	return 0;
}

/* The hypervisor may know of it before we have heard. */
static bool is_suspended(struct dom *dom)
{
	struct xen_domctl_getdomaininfo info;

	if (!dom->rest && !dom->forgotten && !dom->dying && !hvc_get(dom->d, dom->domid, &info) &&
	    info.flags & XEN_DOMINF_shutdown &&
	    (info.flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask) == SHUTDOWN_suspend)
		suspend_seen(dom);
	return dom->rest != DOM_AWAKE;
}

/* Nobody will do anything with it any more. */
static bool is_ending(const struct dom *dom, void (*done)(void *data, int rc, const char *why), void *data)
{
	if (!dom->forgotten && !dom->dying)
		return false;
	done(data, -ESRCH, "the domain is being destroyed");
	return true;
}

void suspend_wait(struct dom *dom, bool release, void (*done)(void *data, int rc, const char *why), void *data)
{
	if (is_ending(dom, done, data))
		return;
	if (!is_suspended(dom)) {
		done(data, -ENOENT, "the domain is not suspended");
		return;
	}
	if (dom->rest_done || dom->rest_resume) {
		done(data, -EBUSY, "somebody else does something with the suspended domain");
		return;
	}
	dom->rest_release |= release;
	dom->rest_done = done;
	dom->rest_data = data;
	loop_task_post(&dom->d->loop, &dom->rest_task);
}

bool suspend_is_anothers(const struct dom *dom, const struct ctl_conn *conn)
{
	return (dom->suspender && dom->suspender != conn) || (dom->reader && dom->reader != conn);
}

void suspend_read(struct dom *dom, struct ctl_conn *conn)
{
	if (dom->rest && !dom->suspender)
		dom->reader = conn;
}

void suspend_keep(struct dom *dom)
{
	if (dom->suspender)
		log_line("domain %u (%s) stays suspended, whatever becomes of who suspended it, until it is resumed or destroyed",
			 dom->domid, dom->name);
	dom->suspender = dom->reader = NULL;
	dom_keep(dom);
}

void suspend_adopt(struct dom *dom, bool is_suspended, bool was_held)
{
	if (was_held)
		log_line("domain %u (%s): who suspended it has left: it goes on", dom->domid, dom->name);
	dom->suspend_asked = dom->suspend_unwanted = dom->rest_resume = was_held;
	if (is_suspended)
		suspend_seen(dom);
	else if (was_held)
		loop_task_post(&dom->d->loop, &dom->rest_task);
}

void suspend_end(struct dom *dom, void (*done)(void *data, int rc, const char *why), void *data)
{
	if (is_ending(dom, done, data))
		return;
	if (dom->rest_done) {
		done(data, -EBUSY, "somebody else does something with the suspended domain");
		return;
	}
	if (!is_suspended(dom)) {
		bool asked = dom->suspend_asked;

		if (asked)
			take_back(dom);
		done(data, asked ? 0 : -ENOENT, "the domain is not suspended");
		return;
	}
	dom->rest_release = false;
	dom->rest_resume = true;
	dom->rest_done = done;
	dom->rest_data = data;
	loop_task_post(&dom->d->loop, &dom->rest_task);
}

void suspend_holder_gone(struct daemon *d, const struct ctl_conn *holder)
{
	list_for(p, &d->domains) {
		struct dom *dom = list_entry(p, struct dom, link);

		if (dom->rest_data == holder)
			dom->rest_done = NULL;
		if (dom->reader == holder)
			dom->reader = NULL;
		if (dom->suspender != holder)
			continue;
		log_line("domain %u (%s): who suspended it has left: it goes on", dom->domid, dom->name);
		dom->suspender = NULL;
		dom->rest_release = false;
		dom->rest_resume = true;
		dom->rest_tries = 0;
		/* Not from inside: it takes hypercalls and the store. */
		mbox_ask_once(&d->mbox, &dom->rest_ask, answered, dom);
	}
}

bool suspend_is_released(const struct dom *dom)
{
	return dom->rest >= DOM_RELEASING;
}

void suspend_seen(struct dom *dom)
{
	if (dom->rest || dom->forgotten || dom->dying)
		return;
	/* Who asked may have left in this very turn of the loop, and that not be seen to yet. */
	dom->rest_resume |= dom->suspend_unwanted;
	dom->rest_release = dom->suspend_asked = dom->suspend_unwanted = false;
	if (dom->console)
		console_stop(dom->console);
	store_link_freeze(&dom->store, true);
	begin(dom, DOM_QUIESCING, xenbus_dev_quiesce);
}

void suspend_over(struct dom *dom)
{
	if (!dom->rest)
		return;
	dom->rest = DOM_AWAKE;
	dom->rest_release = dom->rest_resume = false;
	dom->suspender = dom->reader = NULL;
	loop_timer_cancel(&dom->rest_timer);
	store_link_freeze(&dom->store, false);
	if (dom->console && dom->console_ring.mapped)
		console_start(dom->console, dom->console_ring.page, dom->console_ring.port);
	devices_each(dom->d, dom->domid, xenbus_dev_thaw);
	/* Who waited for something else must hear. */
	loop_task_post(&dom->d->loop, &dom->rest_task);
}

void suspend_gone(struct dom *dom)
{
	loop_task_cancel(&dom->rest_task);
	loop_timer_cancel(&dom->rest_timer);
	mbox_cancel(&dom->d->mbox, &dom->rest_ask);
	dom->suspender = dom->reader = NULL;
	answer(dom, -ESRCH, "the domain is gone");
}
