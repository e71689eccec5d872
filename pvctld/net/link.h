/* SPDX-License-Identifier: MIT */
/*
 * What a vif is plugged into: user-mode network, a switch of the node's, a tap
 * of the host's. A vif knows links by this alone, and links know vifs by it.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct daemon;
struct pvctl_error;
struct vif_spec;

#define NET_FRAME_MIN 14u
/* An Ethernet frame of any kind that the protocol lets through: a 16-bit length. */
#define NET_FRAME_MAX 65535u

enum net_gso { NET_GSO_NONE, NET_GSO_TCPV4, NET_GSO_TCPV6 };
/* One Ethernet frame in one piece of the daemon's own memory, valid during a call. */
struct net_frame {
	const uint8_t *data;
	uint32_t len;            /* NET_FRAME_MIN..NET_FRAME_MAX */
	enum net_gso gso;
	uint16_t gso_size;       /* payload bytes of a segment; with gso, csum_blank holds, too */
	bool csum_blank;         /* TCP/UDP: the checksum field has the pseudo header's sum only */
	bool csum_good;          /* it was checked, or the frame never left this machine */
};

struct net_link;
/* What a link asks of the vif plugged into it. */
struct net_link_user {
	/* False: no room now (or nobody connected), the frame was not taken. A link drops it or keeps it and waits for ready. */
	bool (*deliver)(void *data, const struct net_frame *f);
	void *data;
};
struct net_link_ops {
	/* The vif's nodes in the store are made just now: at the loop's next turn all are there. May be NULL. */
	void (*begin)(struct net_link *l);
	/* From the guest, offloads not yet resolved; what the link cannot do, it resolves with offload.h. */
	void (*send)(struct net_link *l, const struct net_frame *f);
	/* The guest has room again after deliver returned false. */
	void (*ready)(struct net_link *l);
	/* The frontend is there (up) or not. */
	void (*carrier)(struct net_link *l, bool up);
	/* Frees l; nothing of it is called back afterwards. */
	void (*close)(struct net_link *l);
};
struct net_link {
	const struct net_link_ops *ops;
	/* What deliver may be given without resolving; set by the vif at connect: frontends differ. */
	bool guest_csum, guest_tso4, guest_tso6;
};

/* By the spec: user.c, switch.c or tap.c. domid and devid are for names and messages. */
int net_link_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		  struct net_link **ret, struct pvctl_error *err);

/* offload.c: pure code. out is called for each resulting frame, with no gso and checksums filled in where csum_blank was. A frame
 * whose headers do not bear out what it says of itself is dropped: -EINVAL. */
int net_resolve(const struct net_frame *f, bool keep_csum_blank, void (*out)(void *data, const struct net_frame *f),
		void *data);

#endif
