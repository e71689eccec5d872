/* SPDX-License-Identifier: MIT */
/* What becomes of a device while its domain is suspended. */
#include "pvctld/backend/xenbus.h"
#include "pvctld/base/log.h"
#include "pvctld/domain/domains.h"
#include <errno.h>

static void tell(struct xenbus_dev *x)
{
	struct dom *dom = dom_find(x->d, x->domid);

	/* Not at once: the others' steps may not have begun. */
	if (dom)
		loop_task_post(&x->d->loop, &dom->rest_task);
}

void xenbus_dev_settled(struct xenbus_dev *x, int rc, const char *why)
{
	x->rest_error.code = 0;
	if (rc)
		(void)fail(&x->rest_error, rc, "%s", why);
	if (x->rest == XENBUS_QUIESCING || x->rest == XENBUS_RETAKING)
		x->rest = rc ? XENBUS_RELEASED : XENBUS_QUIET;
	else if (x->rest == XENBUS_RELEASING)
		x->rest = rc ? XENBUS_QUIET : XENBUS_RELEASED;
	if (x->holder)
		loop_task_post(&x->d->loop, &x->hold_task);
	else
		tell(x);
}

void xenbus_dev_quiesce(struct xenbus_dev *x)
{
	if (x->rest != XENBUS_AWAKE)
		return;
	x->rest = XENBUS_QUIESCING;
	if (x->up == XENBUS_DOWN || (x->up == XENBUS_UP && x->ops->quiesce(x)))
		xenbus_dev_settled(x, 0, NULL);
}

void xenbus_dev_thaw(struct xenbus_dev *x)
{
	if (x->holder)
		return;
	x->rest = XENBUS_AWAKE;
	x->rest_error.code = 0;
	if (x->up == XENBUS_UP)
		x->ops->thaw(x);
	/* What its frontend wrote last may not have been looked at. */
	loop_task_post(&x->d->loop, &x->step);
}

void xenbus_dev_release(struct xenbus_dev *x)
{
	x->rest_error.code = 0;
	if (x->rest != XENBUS_QUIET)
		return;
	x->rest = XENBUS_RELEASING;
	if (!x->ops->release || x->ops->release(x))
		xenbus_dev_settled(x, 0, NULL);
}

void xenbus_dev_retake(struct xenbus_dev *x)
{
	struct pvctl_error e = { 0 };
	int rc;

	x->rest_error.code = 0;
	if (x->rest != XENBUS_RELEASED)
		return;
	x->rest = XENBUS_RETAKING;
	rc = x->ops->retake ? x->ops->retake(x, &e) : 0;
	if (rc != -EINPROGRESS)
		xenbus_dev_settled(x, rc, e.msg);
}

void xenbus_dev_rest_gone(struct xenbus_dev *x)
{
	if (x->rest)
		tell(x);
}
