/* SPDX-License-Identifier: MIT */
/* Taps: tap.c moves frames, tap_host.c sets them up, tap_script.c runs the user's scripts for them. */
#ifndef NET_TAP_H
#define NET_TAP_H

#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/core/daemon.h"
#include "pvctld/net/link.h"
#include <linux/virtio_net.h>

struct tap {
	struct daemon *d;
	struct vif_spec spec;
	uint32_t domid;
	char name[16];
	int fd;
};

/* tap_host.c: name is filled in; on failure nothing is left. */
int tap_create(struct tap *t, struct pvctl_error *err);
/* Up, and on its bridge. */
int tap_plug(const struct tap *t, struct pvctl_error *err);
/* What the other side may get unresolved, and whether there is one. */
void tap_set_carrier(const struct tap *t, const struct net_link *l, bool up);
/* Pure code. False: what the frame leaves to be done cannot be said in a header. */
bool tap_header(const struct net_frame *f, struct virtio_net_hdr *ret);
/* False: no frame that we asked for. f->data and len are set already. */
bool tap_frame(const struct virtio_net_hdr *h, struct net_frame *f);

/* tap_script.c */
/* The spawner's part: its pid, or -errno. back: what XENBUS_PATH is to be. Its output goes to the log. */
pid_t tap_script_spawn(const struct vif_spec *spec, const char *name, bool online, const char *back, const char *store_path);
struct tap_run;
/* "online"; the result is reported by net_report(). NULL: it cannot be started, and that is reported. */
struct tap_run *tap_script_online(const struct tap *t, struct tap_run **owner);
/* An "online" that may still run ends. Then "offline", after which the tap (a copy: fd belongs to it now) is gone. */
void tap_script_offline(const struct tap *t, struct tap_run *online);

#endif
