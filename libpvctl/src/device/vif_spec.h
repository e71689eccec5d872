/* SPDX-License-Identifier: MIT */
/* xl-network-configuration(5): a network interface in one line of text. Pure code. */
#ifndef DEVICE_VIF_SPEC_H
#define DEVICE_VIF_SPEC_H

#include "libpvctl.h"
#include <stdbool.h>

#define VIF_SPEC_MAX 2600
#define VIF_MAX_FORWARDS 32
#define VIF_DEFAULT_MTU 1500
#define VIF_RATE_DEFAULT_US 50000

enum vif_kind { VIF_AUTO, VIF_USER, VIF_SWITCH, VIF_TAP };
struct vif_forward {
	bool udp;
	char host_addr[46];      /* "" is 127.0.0.1 */
	uint16_t host_port;
	uint16_t guest_port;
};
struct vif_spec {
	enum vif_kind kind;      /* AUTO only before it is planned */
	bool has_devid, has_mac;
	uint32_t devid;
	uint8_t mac[6];
	char bridge[16];         /* TAP: of the host; SWITCH: of the node; "" */
	char script[256];        /* TAP: "" is the built-in */
	char vifname[16], gatewaydev[16];
	char ip[128];
	uint64_t rate_bytes;     /* in each rate_us; 0: no limit */
	uint32_t rate_us;
	uint32_t mtu;
	bool trusted;
	bool has_model;          /* model= was there: for HVM guests only */
	unsigned int nr_forwards;
	struct vif_forward forward[VIF_MAX_FORWARDS];
};

/* -EINVAL; -ENOSYS: xl knows it, but it is not supported. */
int vif_spec_parse(const char *text, struct vif_spec *ret, struct pvctl_error *err);
/* A text that parses to the same. */
void vif_spec_format(const struct vif_spec *s, char buf[VIF_SPEC_MAX + 1]);

#endif
