/* SPDX-License-Identifier: MIT */
/* Another medium in a drive. Linux's blkfront knows no such thing, so that the drive goes and comes back. */
#include "device/disk.h"
#include "device/disk_spec.h"
#include "device/request.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>

static void drive_spec(const char *name, const char *target, char *buf)
{
	snprintf(buf, DISK_SPEC_MAX + 1, "vdev=%s,cdrom,target=%s", name, target);
}

int pvctl_disk_change(struct pvctl *ctx, uint32_t domid, const char *vdev, const char *target,
                      const struct pvctl_disk_detach_opts *opts, struct pvctl_error *err)
{
	char spec[DISK_SPEC_MAX + 1], text[DISK_SPEC_MAX + 1];
	struct pvctl_disk_info row;
	uint32_t number;
	int rc;

	if (disk_vdev_parse(vdev, &number))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.40s\" does not name a disk: xvda or 51712 would", vdev);
	if (target && (!target[0] || strlen(target) > DISK_TARGET_MAX))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the medium's path is empty or too long");
	rc = disk_find(ctx, domid, number, &row, err);
	if (rc)
		return rc;
	if (!row.cdrom)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s of domain %u is no cdrom drive", row.name, domid);
	drive_spec(row.name, target ? target : "", spec);
	rc = disk_plan_one(spec, text, err);
	rc = rc ? rc : pvctl_disk_detach(ctx, domid, vdev, opts, err);
	if (rc)
		return rc;
	/* The daemon waits until the guest has missed the old one. */
	rc = device_request_attach(ctx, PROTO_CLASS_DISK, domid, text, err);
	if (rc && strlen(row.target) < sizeof(row.target) - 1) {
		/* The first error is the one to tell. */
		drive_spec(row.name, row.target, text);
		(void)device_request_attach(ctx, PROTO_CLASS_DISK, domid, text, NULL);
	}
	return rc;
}
