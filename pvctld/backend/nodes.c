/* SPDX-License-Identifier: MIT */
/* A device's two directories in the store, as far as all kinds have the same in them. */
#include "pvctld/backend/xenbus.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 4000

int xenbus_put(struct xenbus_dev *x, const char *dir, const char *node, const char *fmt, ...)
{
	char path[128], value[VALUE_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", dir, node);
	return store_write(x->d->store, path, value, (size_t)n < sizeof(value) ? (size_t)n : sizeof(value) - 1);
}

/* What is written below has the same permissions. */
static int make_dir(struct xenbus_dev *x, const char *dir, uint32_t owner, uint32_t reader)
{
	char p[2][16];
	const char *perms[2] = { p[0], p[1] };
	int rc = store_mkdir(x->d->store, dir);

	snprintf(p[0], sizeof(p[0]), "n%u", owner);
	snprintf(p[1], sizeof(p[1]), "r%u", reader);
	return rc && rc != -EEXIST ? rc : store_set_perms(x->d->store, dir, perms, 2);
}

static int put_backend(struct xenbus_dev *x)
{
	int rc = make_dir(x, x->back, 0, x->domid);

	rc = rc ? rc : xenbus_put(x, x->back, "frontend", "%s", x->front);
	rc = rc ? rc : xenbus_put(x, x->back, "frontend-id", "%u", x->domid);
	rc = rc ? rc : xenbus_put(x, x->back, "online", "1");
	rc = rc ? rc : x->ops->put_backend(x);
	x->state = XenbusStateInitWait;
	return rc ? rc : xenbus_put(x, x->back, "state", "%d", XenbusStateInitWait);
}

static int put_frontend(struct xenbus_dev *x)
{
	int rc = make_dir(x, x->front, x->domid, 0);

	rc = rc ? rc : xenbus_put(x, x->front, "backend", "%s", x->back);
	rc = rc ? rc : xenbus_put(x, x->front, "backend-id", "0");
	rc = rc ? rc : x->ops->put_frontend(x);
	return rc ? rc : xenbus_put(x, x->front, "state", "%d", XenbusStateInitialising);
}

int xenbus_dev_start(struct xenbus_dev *x, struct pvctl_error *err)
{
	int rc = put_backend(x);

	/* The guest's frontend looks at once, so that its directory comes last. */
	rc = rc ? rc : put_frontend(x);
	if (rc) {
		(void)store_rm(x->d->store, x->front);
		(void)store_rm(x->d->store, x->back);
		return fail(err, rc, "%s %s: its store nodes: %s", x->ops->what, x->name, strerror(-rc));
	}
	store_watch(x->d->store, &x->watch);
	return 0;
}

char *xenbus_read(struct xenbus_dev *x, const char *node)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", x->front, node);
	return store_read(x->d->store, path, NULL);
}

/* text is freed. */
static int number(char *text, uint32_t *ret)
{
	unsigned long n;
	char *end;
	int rc = 0;

	if (!text)
		return -ENOENT;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n > UINT32_MAX)
		rc = -EINVAL;
	else
		*ret = (uint32_t)n;
	free(text);
	return rc;
}

int xenbus_read_u32(struct xenbus_dev *x, const char *node, uint32_t *ret)
{
	return number(xenbus_read(x, node), ret);
}

int xenbus_read_own(struct xenbus_dev *x, const char *node, uint32_t *ret)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", x->back, node);
	return number(store_read(x->d->store, path, NULL), ret);
}
