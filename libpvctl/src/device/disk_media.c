/* SPDX-License-Identifier: MIT */
/* Another medium in a drive. Linux's blkfront knows no such thing, so that the drive goes and comes back. */
#include "device/disk.h"
#include "device/disk_spec.h"
#include "util/err.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIES 4
#define CONNECTED 4u
#define CONNECT_MS 4000u
#define POLL_MS 50u

static void drive_spec(const char *name, const char *target, char *buf)
{
	snprintf(buf, DISK_SPEC_MAX + 1, "vdev=%s,cdrom,target=%s", name, target);
}

static void pause_ms(unsigned int ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&t, NULL);
}

static bool connects(struct pvctl *ctx, uint32_t domid, uint32_t vdev)
{
	struct pvctl_disk_info row;

	for (unsigned int ms = 0; ms < CONNECT_MS; ms += POLL_MS) {
		if (!disk_find(ctx, domid, vdev, &row, NULL) && row.state == CONNECTED)
			return true;
		pause_ms(POLL_MS);
	}
	return false;
}

/*
 * A guest that is slow to look at the store finds a drive of the same name there,
 * takes it for the one that it has closed, and does nothing: it has to miss it first.
 */
static int come_back(struct pvctl *ctx, uint32_t domid, uint32_t vdev, const char *text, bool in_use,
                     struct pvctl_error *err)
{
	const struct pvctl_disk_detach_opts force = { .size = sizeof(force), .force = 1 };
	char number[16];
	int rc;

	snprintf(number, sizeof(number), "%u", vdev);
	for (unsigned int i = 1;; i++) {
		pause_ms(100 * i * i);
		rc = disk_attach_text(ctx, domid, text, err);
		if (rc || !in_use || connects(ctx, domid, vdev) || i == TRIES)
			return rc;
		rc = pvctl_disk_detach(ctx, domid, number, &force, err);
		if (rc)
			return rc;
	}
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
	rc = come_back(ctx, domid, number, text, row.state == CONNECTED, err);
	if (rc && strlen(row.target) < sizeof(row.target) - 1) {
		/* The first error is the one to tell. */
		drive_spec(row.name, row.target, text);
		(void)disk_attach_text(ctx, domid, text, NULL);
	}
	return rc;
}
