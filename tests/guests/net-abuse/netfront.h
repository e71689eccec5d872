/* SPDX-License-Identifier: MIT */
/* A network frontend with one queue. It does as it is told: what is wrong with a packet is the test's business. */
#ifndef GUEST_NETFRONT_H
#define GUEST_NETFRONT_H

#include "xenbus.h"
#include <xen/io/netif.h>

#define NETFRONT_NONE 1000 /* no answer came */
#define NETFRONT_PAGES 4u
#define FRAME_LEN 60u

struct netfront {
	char dev[40];
	netif_tx_sring_t *tx;
	netif_rx_sring_t *rx;
	uint8_t (*data)[PAGE_SIZE]; /* NETFRONT_PAGES, granted */
	uint32_t tx_ref, rx_ref, port, ref[NETFRONT_PAGES];
	uint32_t tx_prod, tx_cons, rx_prod, rx_cons;
};

/* pages: NETFRONT_PAGES + 2, aligned. */
void netfront_init(struct netfront *f, unsigned int devid, uint8_t (*pages)[PAGE_SIZE]);
bool netfront_exists(const struct netfront *f);
/* Nodes and rings, without telling the backend to begin. */
void netfront_prepare(struct netfront *f);
bool netfront_connect(struct netfront *f);
/* Down to Closed, and back to where a connection can begin. False: the backend does not follow. */
bool netfront_reset(struct netfront *f);

/* One transmit entry; it is the backend's with netfront_push(). */
void netfront_put(struct netfront *f, uint32_t ref, uint16_t offset, uint16_t flags, uint16_t size);
void netfront_put_extra(struct netfront *f, uint8_t type, uint8_t flags);
void netfront_push(struct netfront *f);
/* The next answer's status; NETFRONT_NONE. */
int netfront_answer(struct netfront *f);
/* Gives n pages, all of this reference, to receive into. */
void netfront_give(struct netfront *f, unsigned int n, uint32_t ref);
/* The status of the next packet received; NETFRONT_NONE. */
int netfront_received(struct netfront *f);
/* A broadcast of FRAME_LEN bytes in data[0]. */
void netfront_frame(struct netfront *f);

#endif
