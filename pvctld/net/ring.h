/* SPDX-License-Identifier: MIT */
/*
 * A vif's two rings (xen/io/netif.h) as their backend sees them: pure code over
 * shared memory. Whatever lies there may change at any time, so that indices
 * and requests are read once, into memory of our own, and checked there.
 */
#ifndef NET_RING_H
#define NET_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/netif.h>

#define NET_RING_SIZE 256u  /* of both rings: one page */
#define NET_SLOTS_MAX 18u   /* XEN_NETIF_NR_SLOTS_MIN: data slots of a packet */
#define NET_SLOTS_TAKEN 24u /* of one that is refused, but no reason to disconnect */
#define NET_EXTRAS_MAX 4u   /* of a packet: each type once */
#define NET_PAGE 4096u

/*
 * What a daemon that comes after this one has to know of a queue, in memory that outlives us: what is shown of the
 * responses, and up to where they were begun to be written over requests, whose names are here, too. Those between were
 * dealt with or are lost, as packets may be; each is answered once.
 */
struct net_kept {
	uint32_t tx_shown, tx_begun, rx_shown, rx_begun;
	uint16_t tx_id[NET_RING_SIZE], rx_id[NET_RING_SIZE];
	uint8_t tx_is_extra[NET_RING_SIZE];
};

struct net_tx_ring {
	netif_tx_sring_t *shared;
	uint32_t req_cons, rsp_prod;
	struct net_kept *kept; /* NULL: not */
};
struct net_rx_ring {
	netif_rx_sring_t *shared;
	uint32_t req_cons, rsp_prod;
	struct net_kept *kept;
};

struct net_slot {
	uint32_t ref;
	uint16_t offset, len;
};
/* One packet, or one change of the multicast list. */
struct net_tx_packet {
	int16_t status;          /* to refuse it with; NETIF_RSP_OKAY: it is good so far */
	uint16_t flags;          /* NETTXF_ */
	uint32_t len;            /* of the whole */
	uint8_t gso_type;        /* XEN_NETIF_GSO_TYPE_ */
	uint16_t gso_size;
	uint8_t mcast;           /* XEN_NETIF_EXTRA_TYPE_MCAST_ADD or _DEL: no packet; or 0 */
	uint8_t mcast_addr[6];
	unsigned int nr_slots;   /* those with data */
	struct net_slot slot[NET_SLOTS_MAX];
	unsigned int nr_ids, nr_extras; /* what is to be answered */
	uint16_t id[NET_SLOTS_TAKEN];
};

void net_tx_init(struct net_tx_ring *r, void *shared);
/* 1: a copy of the next packet, which may be one to refuse; 0: there is none; -EPROTO: the ring makes no sense. */
int net_tx_take(struct net_tx_ring *r, struct net_tx_packet *ret);
/* Packets are answered in the order in which they were taken. */
void net_tx_respond(struct net_tx_ring *r, const struct net_tx_packet *p, int16_t status);
/* A look from outside: it would not be empty. */
bool net_tx_waits(const struct net_tx_ring *r);
/* Nothing is left; the frontend is to ring for the next one. False: there is something after all. */
bool net_tx_idle(struct net_tx_ring *r);
/* Shows the responses. True: the frontend wants to be told. */
bool net_tx_push(struct net_tx_ring *r);

/* Of new rings, or (resume) those that another daemon had. */
void net_tx_keep(struct net_tx_ring *r, struct net_kept *kept, bool resume);
void net_rx_keep(struct net_rx_ring *r, struct net_kept *kept, bool resume);

void net_rx_init(struct net_rx_ring *r, void *shared);
/* Requests that wait: how many, or -EPROTO. */
int net_rx_waiting(const struct net_rx_ring *r);
/* The frontend is to ring when that many (at most NET_RING_SIZE) are there. False: they are. */
bool net_rx_want(struct net_rx_ring *r, unsigned int need);
/* The next of them: net_rx_waiting() said that there is one. Each is answered in its own place: as often as this is called,
 * net_rx_respond() or net_rx_respond_gso() is called afterwards. */
void net_rx_take(struct net_rx_ring *r, uint16_t *ret_id, uint32_t *ret_ref);
/* status: bytes, or NETIF_RSP_ERROR. */
void net_rx_respond(struct net_rx_ring *r, uint16_t id, uint16_t flags, int16_t status);
void net_rx_respond_gso(struct net_rx_ring *r, uint8_t gso_type, uint16_t gso_size);
bool net_rx_push(struct net_rx_ring *r);
/* Slots that a packet takes. */
static inline unsigned int net_rx_slots(uint32_t len, bool gso)
{
	return (len + NET_PAGE - 1) / NET_PAGE + gso;
}

#endif
