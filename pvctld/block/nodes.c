/* SPDX-License-Identifier: MIT */
/* What a disk's directories in the store have beyond the common nodes, as xen/io/blkif.h describes it. */
#include "pvctld/block/vbd.h"

static int put_features(struct vbd *v)
{
	struct xenbus_dev *x = &v->x;
	int rc = xenbus_put(x, x->back, "feature-flush-cache", "1");

	rc = rc ? rc : xenbus_put(x, x->back, "feature-barrier", "0");
	rc = rc ? rc : xenbus_put(x, x->back, "feature-persistent", "1");
	rc = rc ? rc : xenbus_put(x, x->back, "feature-max-indirect-segments", "%u", BLK_MAX_SEGMENTS);
	rc = rc ? rc : xenbus_put(x, x->back, "max-ring-page-order", "%u", BLK_MAX_ORDER);
	rc = rc ? rc : xenbus_put(x, x->back, "multi-queue-max-queues", "%u", VBD_MAX_RINGS);
	rc = rc ? rc : xenbus_put(x, x->back, "feature-discard", "%d", v->can_discard);
	if (!rc && v->can_discard) {
		rc = xenbus_put(x, x->back, "discard-granularity", "%u", v->discard_granularity);
		rc = rc ? rc : xenbus_put(x, x->back, "discard-alignment", "%u", v->discard_alignment);
		rc = rc ? rc : xenbus_put(x, x->back, "discard-secure", "%d", v->can_secure);
	}
	return rc;
}

int vbd_put_backend(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);
	int info = (v->spec.cdrom ? VDISK_CDROM : 0) | (v->spec.readonly ? VDISK_READONLY : 0);
	int rc = xenbus_put(x, x->back, "removable", "0");

	rc = rc ? rc : xenbus_put(x, x->back, "bootable", "1");
	rc = rc ? rc : xenbus_put(x, x->back, "dev", "%s", v->spec.vdev_name);
	rc = rc ? rc : xenbus_put(x, x->back, "type", v->is_device ? "phy" : "qdisk");
	rc = rc ? rc : xenbus_put(x, x->back, "format", "%s", disk_format_name(v->spec.format));
	rc = rc ? rc : xenbus_put(x, x->back, "mode", v->spec.readonly ? "r" : "w");
	rc = rc ? rc : xenbus_put(x, x->back, "device-type", v->spec.cdrom ? "cdrom" : "disk");
	rc = rc ? rc : xenbus_put(x, x->back, "params", "%s", v->spec.target);
	/* In units of 512 bytes, as Linux has it on both ends, not of sector-size. */
	rc = rc ? rc : xenbus_put(x, x->back, "sectors", "%llu", (unsigned long long)v->sectors);
	v->told_sectors = v->sectors;
	rc = rc ? rc : xenbus_put(x, x->back, "sector-size", "%u", v->sector_size);
	rc = rc ? rc : xenbus_put(x, x->back, "physical-sector-size", "%u", v->physical_size);
	rc = rc ? rc : xenbus_put(x, x->back, "info", "%d", info);
	return rc ? rc : put_features(v);
}

int vbd_put_frontend(struct xenbus_dev *x)
{
	struct vbd *v = vbd_of(x);
	int rc = xenbus_put(x, x->front, "virtual-device", "%u", v->spec.vdev);

	rc = rc ? rc : xenbus_put(x, x->front, "trusted", "%d", !v->spec.untrusted);
	return rc ? rc : xenbus_put(x, x->front, "device-type", v->spec.cdrom ? "cdrom" : "disk");
}
