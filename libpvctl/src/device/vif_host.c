/* SPDX-License-Identifier: MIT */
/* What a vif is plugged into, by what its specification says and what the host has. Nothing is changed. */
#include "device/vif.h"
#include "util/cleanup.h"
#include "util/err.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCRIPTS "/etc/xen/scripts"
#define TUN "/dev/net/tun"

/* Not by /sys, which may show another network namespace. */
static bool host_has_bridge(const char *name)
{
	CLEANUP_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq req = { .ifr_data = (void *)&info };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	return fd >= 0 && !ioctl(fd, SIOCETHTOOL, &req) &&
	       (!strcmp(info.driver, "bridge") || !strcmp(info.driver, "openvswitch"));
}

static bool may_admin_net(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };

	return !syscall(SYS_capget, &h, d) && d[0].effective & 1u << CAP_NET_ADMIN;
}

static int check_script(struct vif_spec *s, struct pvctl_error *err)
{
	char full[sizeof(s->script)];

	if (!s->script[0])
		return 0;
	if (s->script[0] != '/') {
		if (snprintf(full, sizeof(full), SCRIPTS "/%s", s->script) >= (int)sizeof(full))
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "vif: the script's name is too long");
		strcpy(s->script, full);
	}
	if (access(s->script, X_OK))
		return err_os(err, errno, "vif: script \"%.600s\" cannot be run", s->script);
	return 0;
}

static int check_tap(struct vif_spec *s, struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = -1;

	if (!may_admin_net())
		return err_set(err, -EPERM, PVCTL_ORIGIN_LIB, "vif: %s%s%s needs CAP_NET_ADMIN: run the node as root, or take "
		               "link=user, or link=switch with bridge= for a private switch",
		               s->bridge[0] ? "the host's bridge \"" : "a tap", s->bridge, s->bridge[0] ? "\"" : "");
	fd = open(TUN, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_os(err, errno, "vif: " TUN " (\"modprobe tun\" makes it)");
	if (s->bridge[0] && !s->script[0] && !host_has_bridge(s->bridge))
		return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "vif: the host has no bridge \"%s\" (\"ip link add %s type bridge\" "
		               "makes one; link=user needs none, link=switch is a private switch of the node's domains)",
		               s->bridge, s->bridge);
	return check_script(s, err);
}

int vif_resolve(struct vif_spec *s, const struct log *log, struct pvctl_error *err)
{
	if (s->kind == VIF_AUTO && (s->script[0] || s->vifname[0] || s->gatewaydev[0])) {
		s->kind = VIF_TAP;
	} else if (s->kind == VIF_AUTO && s->bridge[0]) {
		s->kind = host_has_bridge(s->bridge) ? VIF_TAP : VIF_SWITCH;
		if (s->kind == VIF_SWITCH && log)
			log_msg(log, LOG_WARN, "vif: the host has no bridge \"%s\": it is a private switch of the node's domains, "
			        "which leads nowhere else (link=switch says so; link=user reaches the host's network)", s->bridge);
	} else if (s->kind == VIF_AUTO) {
		s->kind = VIF_USER;
	}
	if (s->has_model && log)
		log_msg(log, LOG_WARN, "vif: model= is for HVM guests: ignored");
	if (s->ip[0] && !s->script[0] && log)
		log_msg(log, LOG_WARN, "vif: ip= is for a script, and there is none: ignored");
	s->has_model = false;
	return s->kind == VIF_TAP ? check_tap(s, err) : 0;
}
