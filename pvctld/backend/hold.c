/* SPDX-License-Identifier: MIT */
/*
 * A device of a domain that runs is taken out of use while a client does something to what is behind it: quiet, released,
 * and, when the client says so or its connection ends, retaken and thawed. To its guest requests take that long.
 *
 * The domain may suspend, resume or end meanwhile. While held, a device counts as none that has come to rest, so that
 * a suspension waits for the client; a resumption leaves it alone.
 */
#include "pvctld/backend/device.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS 500000000u

static void answer(struct xenbus_dev *x, int rc, const char *why)
{
	void (*done)(void *data, int rc, const char *why) = x->hold_done;

	x->hold_done = NULL;
	if (done)
		done(x->hold_data, rc, why);
}

/* As others of its domain: awake, or quiet because that is suspended. */
static void rejoin(struct xenbus_dev *x)
{
	struct dom *dom = dom_find(x->d, x->domid);

	x->holder = NULL;
	x->hold_over = false;
	if (!dom || !dom->rest)
		xenbus_dev_thaw(x);
	else
		loop_task_post(&x->d->loop, &dom->rest_task);
}

static void work_held(struct xenbus_dev *x)
{
	struct pvctl_error e = x->rest_error;

	if (x->rest == XENBUS_RELEASED) {
		answer(x, 0, NULL);
	} else if (!e.code) {
		xenbus_dev_release(x);
	} else {
		rejoin(x);
		answer(x, e.code, e.msg);
	}
}

/* Who held it has left, and what it did may end a little later. */
static bool try_again(struct xenbus_dev *x, const struct pvctl_error *e)
{
	if (x->hold_done)
		return false;
	if (!x->hold_tries++)
		log_line("domain %u: %s %s is not served until it can be had again: %s", x->domid, x->ops->what, x->name, e->msg);
	loop_timer_set(&x->d->loop, &x->hold_timer, RETRY_NS);
	return true;
}

static void work_over(struct xenbus_dev *x)
{
	struct pvctl_error e = x->rest_error;

	if (x->rest == XENBUS_QUIET) {
		rejoin(x);
		answer(x, 0, NULL);
	} else if (!e.code) {
		xenbus_dev_retake(x);
	} else if (!try_again(x, &e)) {
		/* It stays released: its client may do something about it, and ask again. */
		x->hold_over = false;
		answer(x, e.code, e.msg);
	}
}

static void work(void *data)
{
	struct xenbus_dev *x = data;

	if (!x->holder || x->gone || (x->rest != XENBUS_QUIET && x->rest != XENBUS_RELEASED))
		return;
	if (x->hold_over)
		work_over(x);
	else
		work_held(x);
}

static void on_retry(void *data)
{
	struct xenbus_dev *x = data;

	x->rest_error.code = 0;
	work(x);
}

void device_hold_init(struct xenbus_dev *x)
{
	loop_task_init(&x->hold_task, work, x);
	loop_timer_init(&x->hold_timer, on_retry, x);
}

void device_hold_gone(struct xenbus_dev *x)
{
	loop_task_cancel(&x->hold_task);
	loop_timer_cancel(&x->hold_timer);
	answer(x, -ESRCH, "the device is gone");
}

void device_hold(struct xenbus_dev *x, const void *holder, void (*done)(void *data, int rc, const char *why), void *data)
{
	struct dom *dom = dom_find(x->d, x->domid);
	const char *why = NULL;

	if (!dom || dom->rest || dom->suspend_asked)
		why = "the domain is suspended, or about to be: try again when it runs";
	else if (x->holder || x->rest || x->pending)
		why = "somebody else does something with it: try again when that has ended";
	else if (x->detaching || x->gone)
		why = "it is being detached";
	if (why) {
		done(data, -EBUSY, why);
		return;
	}
	x->holder = holder;
	x->hold_over = false;
	x->hold_tries = 0;
	x->hold_done = done;
	x->hold_data = data;
	xenbus_dev_quiesce(x);
}

static int retarget(struct xenbus_dev *x, const char *spec, struct pvctl_error *err)
{
	char *copy;
	int rc;

	if (!x->ops->retarget)
		return fail(err, -EINVAL, "a %s cannot be given something else to stand on", x->ops->what);
	copy = strdup(spec);
	if (!copy)
		return fail(err, -ENOMEM, "no memory");
	rc = x->ops->retarget(x, spec, err);
	if (rc) {
		free(copy);
		return rc;
	}
	free(x->spec);
	x->spec = copy;
	xenbus_keep(x, true);
	return 0;
}

int device_retarget(struct xenbus_dev *x, const char *spec, struct pvctl_error *err)
{
	if (x->rest != XENBUS_RELEASED)
		return fail(err, -EBUSY, "%s %s is in use", x->ops->what, x->name);
	return retarget(x, spec, err);
}

void device_hold_end(struct xenbus_dev *x, const void *holder, void (*done)(void *data, int rc, const char *why), void *data)
{
	if (x->holder != holder || x->hold_done) {
		done(data, -ENOENT, "it is not held");
		return;
	}
	x->hold_over = true;
	x->hold_done = done;
	x->hold_data = data;
	x->rest_error.code = 0;
	loop_task_post(&x->d->loop, &x->hold_task);
}

void devices_holder_gone(struct daemon *d, const void *holder)
{
	list_for(p, &d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (!x->holder || x->holder != holder)
			continue;
		log_line("domain %u: who had %s %s taken out of use has left: it is used again", x->domid, x->ops->what, x->name);
		/* A value that no other holder has. */
		x->holder = x;
		x->hold_done = NULL;
		x->hold_over = true;
		x->rest_error.code = 0;
		loop_task_post(&d->loop, &x->hold_task);
	}
}
