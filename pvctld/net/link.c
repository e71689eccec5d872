/* SPDX-License-Identifier: MIT */
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/base/log.h"
#include "pvctld/net/links.h"
#include <errno.h>

int net_link_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		  struct net_link **ret, struct pvctl_error *err)
{
	switch (s->kind) {
	case VIF_SWITCH:
		return net_switch_open(d, s, domid, user, ret, err);
	case VIF_USER:
		return net_user_open(d, s, domid, user, ret, err);
	case VIF_TAP:
		return net_tap_open(d, s, domid, user, ret, err);
	case VIF_AUTO:
		break;
	}
	return fail(err, -EINVAL, "vif %u: what it is plugged into was not chosen", s->devid);
}
