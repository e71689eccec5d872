/* SPDX-License-Identifier: MIT */
/* What the texts of disk= and vif= say, for programs. */
#include "device/disk_spec.h"
#include "device/vif_spec.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/grow.h"
#include <string.h>

_Static_assert(sizeof(((struct pvctl_disk_spec *)0)->target) > DISK_TARGET_MAX, "a target fits");
#define COPY_TEXT(to, from) \
	do { \
		_Static_assert(sizeof(to) >= sizeof(from), "it fits"); \
		memcpy(to, from, sizeof(from)); \
	} while (0)

int pvctl_disk_parse(const char *text, struct pvctl_disk_spec *ret, struct pvctl_error *err)
{
	static const char *const backends[] = { "", "phy", "qdisk" };
	CLEANUP_FREE struct disk_spec *s = malloc(sizeof(*s));
	CLEANUP_FREE struct pvctl_disk_spec *out = calloc(1, sizeof(*out));
	int rc = s && out ? grow_check(ret, err) : err_nomem(err);

	rc = rc ? rc : disk_spec_parse(text, s, err);
	if (rc)
		return rc;
	out->vdev = s->vdev;
	out->sector_size = s->sector_size;
	out->readonly = s->readonly;
	out->cdrom = s->cdrom;
	out->no_discard = s->no_discard;
	out->direct_io_safe = s->direct_io_safe;
	out->untrusted = s->untrusted;
	COPY_TEXT(out->name, s->vdev_name);
	COPY_TEXT(out->script, s->script);
	COPY_TEXT(out->target, s->target);
	strcpy(out->format, disk_format_name(s->format));
	strcpy(out->backend, backends[s->backend]);
	grow_out(ret, out, sizeof(*out));
	return 0;
}

int pvctl_vif_parse(const char *text, struct pvctl_vif_spec *ret, struct pvctl_error *err)
{
	static const char *const links[] = { "", "user", "switch", "tap" };
	CLEANUP_FREE struct vif_spec *s = malloc(sizeof(*s));
	struct pvctl_vif_spec out = { 0 };
	int rc = s ? grow_check(ret, err) : err_nomem(err);

	rc = rc ? rc : vif_spec_parse(text, s, err);
	if (rc)
		return rc;
	out.devid = s->has_devid ? (int32_t)s->devid : -1;
	out.mtu = s->mtu;
	out.rate_bytes = s->rate_bytes;
	out.rate_us = s->rate_us;
	out.trusted = s->trusted;
	out.has_mac = s->has_mac;
	memcpy(out.mac, s->mac, sizeof(out.mac));
	strcpy(out.link, links[s->kind]);
	COPY_TEXT(out.bridge, s->bridge);
	COPY_TEXT(out.script, s->script);
	COPY_TEXT(out.vifname, s->vifname);
	COPY_TEXT(out.gatewaydev, s->gatewaydev);
	COPY_TEXT(out.ip, s->ip);
	grow_out(ret, &out, sizeof(out));
	return 0;
}
