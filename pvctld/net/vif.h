/* SPDX-License-Identifier: MIT */
/* One network interface of a domain: its link, its nodes in the store, its rings while it is connected. */
#ifndef NET_VIF_H
#define NET_VIF_H

#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/backend/device.h"
#include "pvctld/backend/grants.h"
#include "pvctld/backend/xenbus.h"
#include "pvctld/hv/watch.h"
#include "pvctld/net/link.h"
#include "pvctld/net/rate.h"
#include "pvctld/net/ring.h"

#define VIF_MAX_QUEUES 4u
/* Frames that wait for the guest's rx requests, of one queue. */
#define VIF_RX_FRAMES 256u
#define VIF_RX_BYTES (1u << 20)
#define VIF_MCAST_MAX 64u

struct vif;
struct vif_queue {
	struct vif *vif;
	struct net_tx_ring tx;
	struct net_rx_ring rx;
	struct gnt_window tx_window, rx_window;
	struct net_kept *kept;
	uint32_t tx_ref, rx_ref;
	uint32_t tx_port, rx_port; /* ours; the same where the frontend has one for both */
	struct loop_task tx_task, rx_task;
	struct watched tx_watched;
	struct loop_timer rx_poll; /* for frontends that do not ring when they add requests */
	struct list frames;        /* struct vif_frame, of rx.c */
	unsigned int nr_frames;
	uint32_t bytes;
};
struct vif_counters { uint64_t bytes, packets, drops, gso_packets; };
/* What the frontend can take. */
struct vif_features { bool sg, gso4, gso6, csum4, csum6, rx_notify; };

struct vif {
	struct xenbus_dev x;
	struct vif_spec spec;
	struct net_link *link;
	struct vif_features can;
	unsigned int nr_queues;
	struct vif_queue queue[VIF_MAX_QUEUES];
	struct net_rate rate;
	struct loop_timer rate_timer;
	struct vif_counters tx, rx; /* as the guest sees it: tx is what it sent */
	bool link_waits;            /* a frame was not taken: the link is told when there is room */
	bool mcast_filter;
	bool mcast_lost;            /* what another daemon was told: all is let through */
	struct store_watch mcast_watch;
	struct loop_task mcast_task;
	char mcast_path[96];
	unsigned int nr_mcast;
	uint8_t mcast[VIF_MCAST_MAX][6];
};

static inline struct vif *vif_of(struct xenbus_dev *x)
{
	return list_entry(x, struct vif, x);
}

extern const struct xenbus_ops vif_ops;

/* nodes.c */
int vif_put_backend(struct xenbus_dev *x);
int vif_put_frontend(struct xenbus_dev *x);
/* What the frontend can do, by its directory. */
int vif_read_features(struct vif *v);
/* connect.c: rings by what the frontend wrote. */
int vif_connect(struct xenbus_dev *x);
bool vif_disconnect(struct xenbus_dev *x);
bool vif_quiesce(struct xenbus_dev *x);
void vif_thaw(struct xenbus_dev *x);
/* tx.c: the task of a queue. */
void vif_tx_serve(void *queue);
/* rx.c */
void vif_rx_serve(void *queue);
void vif_rx_drop_all(struct vif_queue *q);
/* What links call. */
bool vif_deliver(void *vif, const struct net_frame *f);
/* mcast.c */
bool vif_mcast_change(struct vif *v, bool add, const uint8_t addr[6]);
/* True: the guest asked for a filter, and does not want this address. */
bool vif_mcast_unwanted(const struct vif *v, const uint8_t addr[6]);
/* Does it ask for the filter, now and when it changes its mind? */
void vif_mcast_start(struct vif *v);
void vif_mcast_stop(struct vif *v);

extern const struct device_class vif_class;

#endif
