/* SPDX-License-Identifier: MIT */
/* A disk's two directories in the store, as xen/io/blkif.h describes them. */
#include "pvctld/block/vbd.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put(struct vbd *v, const char *dir, const char *node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int put(struct vbd *v, const char *dir, const char *node, const char *fmt, ...)
{
	char path[128], value[DISK_TARGET_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", dir, node);
	return store_write(v->d->store, path, value, (size_t)n < sizeof(value) ? (size_t)n : sizeof(value) - 1);
}

/* What is written below has the same permissions. */
static int make_dir(struct vbd *v, const char *dir, uint32_t owner, uint32_t reader)
{
	char p[2][16];
	const char *perms[2] = { p[0], p[1] };
	int rc = store_mkdir(v->d->store, dir);

	snprintf(p[0], sizeof(p[0]), "n%u", owner);
	snprintf(p[1], sizeof(p[1]), "r%u", reader);
	return rc && rc != -EEXIST ? rc : store_set_perms(v->d->store, dir, perms, 2);
}

static int put_features(struct vbd *v)
{
	int rc = put(v, v->back, "feature-flush-cache", "1");

	rc = rc ? rc : put(v, v->back, "feature-barrier", "0");
	rc = rc ? rc : put(v, v->back, "feature-persistent", "1");
	rc = rc ? rc : put(v, v->back, "feature-max-indirect-segments", "%u", BLK_MAX_SEGMENTS);
	rc = rc ? rc : put(v, v->back, "max-ring-page-order", "%u", BLK_MAX_ORDER);
	rc = rc ? rc : put(v, v->back, "multi-queue-max-queues", "%u", VBD_MAX_RINGS);
	rc = rc ? rc : put(v, v->back, "feature-discard", "%d", v->can_discard);
	if (!rc && v->can_discard) {
		rc = put(v, v->back, "discard-granularity", "%u", v->is_device ? v->physical_size : 4096u);
		rc = rc ? rc : put(v, v->back, "discard-alignment", "0");
		rc = rc ? rc : put(v, v->back, "discard-secure", "0");
	}
	return rc;
}

static int put_backend(struct vbd *v)
{
	int info = (v->spec.cdrom ? VDISK_CDROM : 0) | (v->spec.readonly ? VDISK_READONLY : 0);
	int rc = put(v, v->back, "frontend", "%s", v->front);

	rc = rc ? rc : put(v, v->back, "frontend-id", "%u", v->domid);
	rc = rc ? rc : put(v, v->back, "online", "1");
	rc = rc ? rc : put(v, v->back, "removable", "0");
	rc = rc ? rc : put(v, v->back, "bootable", "1");
	rc = rc ? rc : put(v, v->back, "dev", "%s", v->spec.vdev_name);
	rc = rc ? rc : put(v, v->back, "type", v->is_device ? "phy" : "qdisk");
	rc = rc ? rc : put(v, v->back, "mode", v->spec.readonly ? "r" : "w");
	rc = rc ? rc : put(v, v->back, "device-type", v->spec.cdrom ? "cdrom" : "disk");
	rc = rc ? rc : put(v, v->back, "params", "%s", v->spec.target);
	rc = rc ? rc : put(v, v->back, "sectors", "%llu", (unsigned long long)v->sectors);
	rc = rc ? rc : put(v, v->back, "sector-size", "%u", v->sector_size);
	rc = rc ? rc : put(v, v->back, "physical-sector-size", "%u", v->physical_size);
	rc = rc ? rc : put(v, v->back, "info", "%d", info);
	rc = rc ? rc : put_features(v);
	return rc ? rc : put(v, v->back, "state", "%d", XenbusStateInitWait);
}

static int put_frontend(struct vbd *v)
{
	int rc = put(v, v->front, "backend", "%s", v->back);

	rc = rc ? rc : put(v, v->front, "backend-id", "0");
	rc = rc ? rc : put(v, v->front, "virtual-device", "%u", v->spec.vdev);
	rc = rc ? rc : put(v, v->front, "device-type", v->spec.cdrom ? "cdrom" : "disk");
	return rc ? rc : put(v, v->front, "state", "%d", XenbusStateInitialising);
}

int vbd_make_nodes(struct vbd *v)
{
	int rc = make_dir(v, v->back, 0, v->domid);

	rc = rc ? rc : put_backend(v);
	v->state = XenbusStateInitWait;
	rc = rc ? rc : make_dir(v, v->front, v->domid, 0);
	/* The guest's frontend looks at once, so that its directory comes last. */
	return rc ? rc : put_frontend(v);
}

void vbd_remove_nodes(struct vbd *v)
{
	(void)store_rm(v->d->store, v->front);
	(void)store_rm(v->d->store, v->back);
}

void vbd_set_state(struct vbd *v, enum xenbus_state state)
{
	if (v->gone || v->state == state)
		return;
	v->state = state;
	(void)put(v, v->back, "state", "%d", (int)state);
}

int vbd_read_u32(struct vbd *v, const char *node, uint32_t *ret)
{
	char path[128], *text, *end;
	unsigned long n;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s", v->front, node);
	text = store_read(v->d->store, path, NULL);
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

enum xenbus_state vbd_front_state(struct vbd *v)
{
	uint32_t n;

	return vbd_read_u32(v, "state", &n) || n > XenbusStateReconfigured ? XenbusStateUnknown : (enum xenbus_state)n;
}

bool vbd_protocol_ok(struct vbd *v)
{
	char path[128], *text;
	bool ok;

	snprintf(path, sizeof(path), "%s/protocol", v->front);
	text = store_read(v->d->store, path, NULL);
	ok = !text || !strcmp(text, "x86_64-abi");
	free(text);
	return ok;
}
