/* SPDX-License-Identifier: MIT */
#include "pvctld/backend/xenbus.h"
#include "pvctld/backend/departed.h"
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void xenbus_keep(struct xenbus_dev *x, bool there)
{
	char key[64];

	if (!x->spec)
		return;
	snprintf(key, sizeof(key), "dev/%u/%s/%u", x->domid, x->ops->type, x->devid);
	if (there)
		state_set(&x->d->state, key, x->spec, strlen(x->spec) + 1);
	else
		state_drop(&x->d->state, key);
}

static void disconnect(struct xenbus_dev *x)
{
	if (x->up != XENBUS_UP)
		return;
	x->up = XENBUS_DRAINING;
	if (x->ops->disconnect(x))
		x->up = XENBUS_DOWN;
}

void xenbus_dev_tell(const struct xenbus_dev *x, uint32_t type, const char *why)
{
	const struct dom *dom = dom_find(x->d, x->domid);
	struct pvctl_event ev = { .type = type, .domid = x->domid, .reason = PVCTL_REASON_NONE };

	if (!dom || !dom->name[0] || dom->forgotten || dom->dying)
		return;
	ev.unique_id = dom->unique_id;
	memcpy(ev.name, dom->name, sizeof(ev.name));
	for (unsigned int i = 0; i < NR_DEVICE_CLASSES; i++)
		if (device_classes[i] && device_classes[i]->ops == x->ops)
			snprintf(ev.device_kind, sizeof(ev.device_kind), "%s", device_classes[i]->key);
	snprintf(ev.device, sizeof(ev.device), "%s", x->name);
	snprintf(ev.detail, sizeof(ev.detail), "%s", why ? why : "");
	events_send(x->d, &ev);
}

/* Let go of by a guest that goes on. */
static void let_go(struct xenbus_dev *x)
{
	xenbus_dev_tell(x, PVCTL_EVENT_DEVICE_DETACHED, NULL);
	xenbus_dev_remove(x);
}

void xenbus_dev_drained(struct xenbus_dev *x)
{
	x->up = XENBUS_DOWN;
	loop_task_post(&x->d->loop, &x->step);
}

static void set_state(struct xenbus_dev *x, enum xenbus_state state)
{
	if (x->gone || x->state == state)
		return;
	x->state = state;
	(void)xenbus_put(x, x->back, "state", "%d", (int)state);
}

void xenbus_dev_fail(struct xenbus_dev *x, const char *why)
{
	log_guest(x->domid, "%s %s disconnected: %s", x->ops->what, x->name, why);
	xenbus_dev_tell(x, PVCTL_EVENT_DEVICE_FAILED, why);
	set_state(x, XenbusStateClosing);
	disconnect(x);
	loop_task_post(&x->d->loop, &x->step);
}

void xenbus_dev_free(struct xenbus_dev *x)
{
	disconnect(x);
	loop_task_cancel(&x->step);
	if (x->d->store)
		store_unwatch(x->d->store, &x->watch);
	list_del(&x->link);
	if (x->ready)
		x->ready(x->ready_data, -ECANCELED, "it was taken away before it was there");
	free(x->spec);
	device_hold_gone(x);
	xenbus_dev_rest_gone(x);
	x->ops->free(x);
}

void xenbus_dev_remove(struct xenbus_dev *x)
{
	store_unwatch(x->d->store, &x->watch);
	if (!x->gone) {
		departed_add(x);
		(void)store_rm(x->d->store, x->front);
		(void)store_rm(x->d->store, x->back);
		xenbus_keep(x, false);
	}
	x->gone = true;
	disconnect(x);
	if (x->up == XENBUS_DOWN)
		xenbus_dev_free(x);
}

void xenbus_dev_detach(struct xenbus_dev *x)
{
	x->detaching = true;
	(void)xenbus_put(x, x->back, "online", "0");
	loop_task_post(&x->d->loop, &x->step);
}

/* The frontend is not there: it ended, or starts. With a new kernel it may not have said good-bye. */
static void front_away(struct xenbus_dev *x, enum xenbus_state next)
{
	disconnect(x);
	if (x->up != XENBUS_DOWN)
		return;
	if (x->detaching)
		let_go(x);
	else
		set_state(x, next);
}

static void connect_it(struct xenbus_dev *x)
{
	int rc = x->ops->connect(x);

	if (rc)
		log_guest(x->domid, "%s %s cannot be connected: %s", x->ops->what, x->name, strerror(-rc));
	else
		x->up = XENBUS_UP;
	set_state(x, rc ? XenbusStateClosing : XenbusStateConnected);
	xenbus_dev_tell(x, rc ? PVCTL_EVENT_DEVICE_FAILED : PVCTL_EVENT_DEVICE_ATTACHED, rc ? strerror(-rc) : NULL);
}

static void go_on_with(struct xenbus_dev *x)
{
	int rc;

	x->resuming = true;
	rc = x->ops->connect(x);
	x->resuming = false;
	if (!rc) {
		x->up = XENBUS_UP;
		return;
	}
	log_guest(x->domid, "%s %s cannot be taken over: %s", x->ops->what, x->name, strerror(-rc));
	set_state(x, XenbusStateClosing);
}

int xenbus_dev_adopt(struct xenbus_dev *x, struct pvctl_error *err)
{
	uint32_t state, online = 1;

	if (xenbus_read_own(x, "state", &state) || state > XenbusStateReconfigured)
		return fail(err, -ENOENT, "%s %s has no nodes in the store", x->ops->what, x->name);
	x->state = (enum xenbus_state)state;
	(void)xenbus_read_own(x, "online", &online);
	x->detaching = !online;
	store_watch(x->d->store, &x->watch);
	if (state == XenbusStateConnected)
		go_on_with(x);
	loop_task_post(&x->d->loop, &x->step);
	return 0;
}

static void front_ready(struct xenbus_dev *x)
{
	if (x->detaching && x->up == XENBUS_DOWN)
		let_go(x);
	else if (x->detaching)
		set_state(x, XenbusStateClosing);
	else if (x->up == XENBUS_DOWN && x->state == XenbusStateInitWait)
		connect_it(x);
}

static enum xenbus_state front_state(struct xenbus_dev *x)
{
	uint32_t n;

	return xenbus_read_u32(x, "state", &n) || n > XenbusStateReconfigured ? XenbusStateUnknown
									      : (enum xenbus_state)n;
}

/* One step of the handshake; what is under way ends first. */
static void step(void *data)
{
	struct xenbus_dev *x = data;

	if (x->up == XENBUS_DRAINING || mbox_defer(&x->d->mbox, &x->step))
		return;
	if (x->gone) {
		xenbus_dev_remove(x);
		return;
	}
	if (x->rest) {
		if (x->rest == XENBUS_QUIESCING && x->up == XENBUS_DOWN)
			xenbus_dev_settled(x, 0, NULL);
		return;
	}
	switch (front_state(x)) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		front_away(x, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		front_ready(x);
		break;
	case XenbusStateClosing:
		set_state(x, XenbusStateClosing);
		break;
	default:
		front_away(x, XenbusStateClosed);
		break;
	}
}

static void on_change(void *data)
{
	struct xenbus_dev *x = data;

	loop_task_post(&x->d->loop, &x->step);
}

void xenbus_dev_init(struct xenbus_dev *x, struct daemon *d, const struct xenbus_ops *ops, uint32_t domid,
		     uint32_t devid, const char *name)
{
	memset(x, 0, sizeof(*x));
	list_init(&x->link);
	x->d = d;
	x->ops = ops;
	x->domid = domid;
	x->devid = devid;
	x->adopted = d->adopting;
	snprintf(x->name, sizeof(x->name), "%s", name);
	snprintf(x->back, sizeof(x->back), "/local/domain/0/backend/%s/%u/%u", ops->type, domid, devid);
	snprintf(x->front, sizeof(x->front), "/local/domain/%u/device/%s/%u", domid, ops->type, devid);
	loop_task_init(&x->step, step, x);
	device_hold_init(x);
	x->watch = (struct store_watch){ .path = x->front, .fn = on_change, .data = x };
}
