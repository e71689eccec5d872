/* SPDX-License-Identifier: MIT */
/* The kinds of links, for net_link_open() alone to choose from. */
#ifndef NET_LINKS_H
#define NET_LINKS_H

#include "pvctld/net/link.h"
#include <sys/types.h>

/*
 * Each as net_link_open(), for a spec of its kind. A user and a tap link come up later, or do not: then hotplug-status in the
 * backend's directory is "connected" or "error", with hotplug-error, as Xen's scripts have it; clients wait for that.
 */
int net_user_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		  struct net_link **ret, struct pvctl_error *err);
int net_tap_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		 struct net_link **ret, struct pvctl_error *err);
int net_switch_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		    struct net_link **ret, struct pvctl_error *err);

/* user.c: the spawner's part; its pid, or -errno. */
pid_t net_user_spawn(const char *spec, int sock);
/* tap_script.c: an "offline" is under way. */
bool net_scripts_busy(void);
/* report.c: why NULL: up. Also to the log. */
void net_report(struct daemon *d, uint32_t domid, uint32_t devid, const char *why);
/*
 * report.c: a program of ours or of the user's, with fd (-1: none) as its fd 3, the signals as at the start and nothing else
 * open but fd 2, which goes to log (-1: nowhere). The program dies with the daemon. Its pid, or -errno.
 */
pid_t net_spawn(const char *path, char *const *argv, char *const *env, int fd, int log);

#endif
