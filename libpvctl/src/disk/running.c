/* SPDX-License-Identifier: MIT */
/*
 * A running domain's disk grows. The daemon lets go of it for as long: to the guest its requests take a little longer.
 * Whatever becomes of us, the daemon has it back when this connection ends.
 */
#include "ctx/ctx.h"
#include "device/disk.h"
#include "device/disk_image.h"
#include "disk/image.h"
#include "util/err.h"
#include <inttypes.h>
#include <string.h>

static int ask(struct pvctl *ctx, uint32_t type, uint32_t domid, uint32_t vdev, struct pvctl_error *err)
{
	struct proto_device d = { .domid = domid, .class_id = PROTO_CLASS_DISK, .devid = vdev };

	return ctx_request(ctx, type, &d, sizeof(d), err);
}

static int spec_of(struct pvctl *ctx, uint32_t domid, uint32_t vdev, struct disk_spec *ret, struct pvctl_error *err)
{
	struct pvctl_config *config;
	const char *item;
	int rc = pvctl_domain_config(ctx, domid, &config, err), found = -ENOENT;

	if (rc)
		return rc;
	for (size_t i = 0; found && (item = pvctl_config_get_item(config, "disk", i)); i++)
		if (!disk_spec_parse(item, ret, NULL) && ret->vdev == vdev)
			found = 0;
	pvctl_config_free(config);
	return found ? err_set(err, found, PVCTL_ORIGIN_LIB, "domain %u has no such disk: a vdev of block-list is wanted", domid) : 0;
}

static int may_change(const struct disk_spec *s, struct pvctl_error *err)
{
	const char *why = !s->target[0] ? "it is a drive without a medium" : s->readonly ? "its guest may only read it" :
	                  s->script[0] ? "a script knows what it is: detach it, resize it, and attach it again" : NULL;

	return why ? err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s: %s", s->vdev_name, why) : 0;
}

/* All that can be known before the guest's requests wait. */
static int plan(const struct disk_spec *s, uint64_t now, uint64_t bytes, const struct pvctl_disk_image_info *i, struct pvctl_error *err)
{
	if (i->is_device && s->format == DISK_RAW) {
		if (bytes && i->bytes != bytes)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s is the device \"%.600s\" of %" PRIu64 " bytes: what that belongs to "
			               "resizes it (lvextend, say); then the guest is told by pvctl disk resize without a size",
			               s->vdev_name, s->target, i->bytes);
		bytes = i->bytes;
	}
	if (bytes && bytes < now)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk %s has %" PRIu64 " bytes, and %" PRIu64 " are less: the disk of a domain that "
		               "runs can only grow", s->vdev_name, now, bytes);
	return bytes ? image_may_resize(s->format, now, bytes, false, err) : 0;
}

int pvctl_disk_resize(struct pvctl *ctx, uint32_t domid, const char *vdev, uint64_t bytes, uint64_t *ret_bytes, struct pvctl_error *err)
{
	struct pvctl_disk_image_info i = { .size = sizeof(i) };
	struct pvctl_disk_image_resize_opts o = { .size = sizeof(o), .bytes = bytes };
	struct pvctl_disk_info row = { .size = sizeof(row) };
	struct pvctl_error back;
	struct disk_spec s;
	uint32_t number;
	int rc, rc_back;

	if (disk_vdev_parse(vdev, &number))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.40s\" does not name a disk: xvda or 51712 would", vdev);
	rc = spec_of(ctx, domid, number, &s, err);
	rc = rc ? rc : may_change(&s, err);
	rc = rc ? rc : disk_find(ctx, domid, number, &row, err);
	o.format = disk_format_name(s.format);
	rc = rc ? rc : pvctl_disk_image_get(s.target, o.format, &i, err);
	rc = rc ? rc : plan(&s, row.bytes, bytes, &i, err);
	if (rc)
		return rc;
	rc = ask(ctx, PROTO_DEVICE_HOLD, domid, number, err);
	if (rc)
		return rc;
	/* One that has that size already has grown by other hands. */
	if (bytes && !(i.is_device && s.format == DISK_RAW) && i.bytes != bytes)
		rc = pvctl_disk_image_resize(s.target, &o, err);
	rc_back = ask(ctx, PROTO_DEVICE_BACK, domid, number, &back);
	if (rc_back && !rc)
		return err_set(err, rc_back, back.origin, "disk %s has been resized, but cannot be used again yet: %.700s", s.vdev_name, back.msg);
	if (!rc)
		rc = disk_find(ctx, domid, number, &row, err);
	if (!rc && ret_bytes)
		*ret_bytes = row.bytes;
	return rc;
}
