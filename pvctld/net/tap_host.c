/* SPDX-License-Identifier: MIT */
#include "pvctld/base/log.h"
#include "pvctld/net/offload.h"
#include "pvctld/net/tap.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN "/dev/net/tun"
#define TCP_CHECKSUM 16u
#define UDP_CHECKSUM 6u
enum { TCP = 6, UDP = 17 };

/* tun's persistent devices are others'. */
static int claim_name(int fd, char name[16])
{
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &req) < 0)
		return -errno;
	memcpy(name, req.ifr_name, sizeof(req.ifr_name));
	name[sizeof(req.ifr_name) - 1] = '\0';
	return 0;
}

static int ifreq_call(const struct tap *t, unsigned long what, struct ifreq *req)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, what, req) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static struct ifreq ifreq_of(const char *name)
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	return req;
}

static int set_up(const struct tap *t)
{
	struct ifreq req = ifreq_of(t->name);
	int rc;

	req.ifr_mtu = (int)t->spec.mtu;
	rc = ifreq_call(t, SIOCSIFMTU, &req);
	if (rc)
		return rc;
	/* The highest: a bridge takes its own address from its lowest port. */
	req = ifreq_of(t->name);
	req.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(req.ifr_hwaddr.sa_data, (const uint8_t[]){ 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff }, 6);
	return ifreq_call(t, SIOCSIFHWADDR, &req);
}

int tap_create(struct tap *t, struct pvctl_error *err)
{
	int rc, size = sizeof(struct virtio_net_hdr);

	t->fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return fail(err, -errno, "vif %u: " TUN ": %s", t->spec.devid, strerror(errno));
	snprintf(t->name, sizeof(t->name), "%s", t->spec.vifname);
	if (!t->name[0])
		snprintf(t->name, sizeof(t->name), "vif%u.%u", t->domid, t->spec.devid);
	rc = claim_name(t->fd, t->name);
	/* Another node has a domain of this number. */
	if (rc == -EBUSY && !t->spec.vifname[0]) {
		snprintf(t->name, sizeof(t->name), "vif%hu.%hhun%%d", (unsigned short)t->domid, (unsigned char)t->spec.devid);
		rc = claim_name(t->fd, t->name);
	}
	if (!rc && ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0)
		rc = -errno;
	rc = rc ? rc : set_up(t);
	if (!rc)
		return 0;
	close(t->fd);
	t->fd = -1;
	if (rc == -EBUSY)
		return fail(err, -EEXIST, "vif %u: the host has an interface \"%s\" already", t->spec.devid, t->name);
	return fail(err, rc, "vif %u: tap \"%s\" cannot be made: %s", t->spec.devid, t->name, strerror(-rc));
}

int tap_plug(const struct tap *t, struct pvctl_error *err)
{
	struct ifreq req = ifreq_of(t->name);
	int rc = ifreq_call(t, SIOCGIFFLAGS, &req);

	req.ifr_flags |= IFF_UP;
	rc = rc ? rc : ifreq_call(t, SIOCSIFFLAGS, &req);
	if (rc)
		return fail(err, rc, "vif %u: \"%s\" cannot be set up: %s", t->spec.devid, t->name, strerror(-rc));
	if (!t->spec.bridge[0])
		return 0;
	req = ifreq_of(t->spec.bridge);
	req.ifr_ifindex = (int)if_nametoindex(t->name);
	rc = ifreq_call(t, SIOCBRADDIF, &req);
	if (rc == -EOPNOTSUPP)
		return fail(err, rc, "vif %u: \"%s\" is not one of Linux's own bridges: it needs a script=", t->spec.devid,
			    t->spec.bridge);
	if (rc)
		return fail(err, rc, "vif %u: bridge \"%s\": %s", t->spec.devid, t->spec.bridge, strerror(-rc));
	return 0;
}

void tap_set_carrier(const struct tap *t, const struct net_link *l, bool up)
{
	unsigned long offload = 0;
	int on = up;

	if (l->guest_csum)
		offload = TUN_F_CSUM | (l->guest_tso4 ? TUN_F_TSO4 : 0) | (l->guest_tso6 ? TUN_F_TSO6 : 0);
	(void)ioctl(t->fd, TUNSETOFFLOAD, offload);
	(void)ioctl(t->fd, TUNSETCARRIER, &on);
}

static unsigned int be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Where TCP or UDP begins; 0: not simply behind the IP header. */
static uint32_t transport_at(const struct net_frame *f, uint8_t *ret_protocol)
{
	uint32_t at = NET_FRAME_MIN;
	unsigned int type = be16(f->data + 12);

	if (type == 0x8100 && f->len >= at + 4) {
		type = be16(f->data + 16);
		at += 4;
	}
	if (type == 0x0800 && f->len >= at + 20) {
		*ret_protocol = f->data[at + 9];
		at += (f->data[at] & 15u) * 4;
	} else if (type == 0x86dd && f->len >= at + 40) {
		*ret_protocol = f->data[at + 6];
		at += 40;
	} else {
		return 0;
	}
	return at + 20 <= f->len || (*ret_protocol == UDP && at + 8 <= f->len) ? at : 0;
}

bool tap_header(const struct net_frame *f, struct virtio_net_hdr *ret)
{
	uint8_t protocol = 0;
	uint32_t at;

	memset(ret, 0, sizeof(*ret));
	if (!f->csum_blank) {
		ret->flags = f->csum_good ? VIRTIO_NET_HDR_F_DATA_VALID : 0;
		return f->gso == NET_GSO_NONE;
	}
	at = net_check(f) ? 0 : transport_at(f, &protocol);
	if (!at || (protocol != TCP && (protocol != UDP || f->gso != NET_GSO_NONE)))
		return false;
	ret->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ret->csum_start = (uint16_t)at;
	ret->csum_offset = protocol == TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
	if (f->gso == NET_GSO_NONE)
		return true;
	ret->gso_type = f->gso == NET_GSO_TCPV4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	ret->gso_size = f->gso_size;
	ret->hdr_len = (uint16_t)(at + (f->data[at + 12] >> 4) * 4u);
	return true;
}

bool tap_frame(const struct virtio_net_hdr *h, struct net_frame *f)
{
	f->csum_blank = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	f->csum_good = f->csum_blank || h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	f->gso_size = h->gso_size;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		f->gso = NET_GSO_NONE;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		f->gso = NET_GSO_TCPV4;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		f->gso = NET_GSO_TCPV6;
		return true;
	}
	return false;
}
