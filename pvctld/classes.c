/* SPDX-License-Identifier: MIT */
/* The kinds of devices there are. */
#include "pvctld/block/vbd.h"
#include "pvctld/channel/channel.h"
#include "pvctld/net/vif.h"
#include "pvctld/p9/share.h"

const struct device_class *const device_classes[NR_DEVICE_CLASSES] = {
	[PROTO_CLASS_DISK] = &block_class,
	[PROTO_CLASS_P9] = &p9_class,
	[PROTO_CLASS_CHANNEL] = &channel_class,
	[PROTO_CLASS_VIF] = &vif_class,
};
