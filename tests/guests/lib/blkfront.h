/* SPDX-License-Identifier: MIT */
/* A block frontend with one ring. It does as it is told: what is wrong with a request is the test's business. */
#ifndef GUEST_BLKFRONT_H
#define GUEST_BLKFRONT_H

#include "xenbus.h"
#include <xen/io/blkif.h>

#define BLKFRONT_MAX_ORDER 2u
#define BLKFRONT_NONE 1000 /* no answer came */

struct blkfront {
	char dev[40];        /* its directory in the store */
	void *pages;         /* of the ring: aligned, 1 << BLKFRONT_MAX_ORDER */
	unsigned int order;
	uint32_t ref[1u << BLKFRONT_MAX_ORDER], port;
	blkif_sring_t *ring;
	uint32_t size, req_prod, rsp_cons;
};

void blkfront_init(struct blkfront *f, unsigned int vdev, void *pages);
bool blkfront_exists(const struct blkfront *f);
/* Grants, nodes and a ring, without telling the backend to begin. */
void blkfront_prepare(struct blkfront *f, unsigned int order, bool persistent);
bool blkfront_connect(struct blkfront *f, unsigned int order, bool persistent);
/* Down to Closed, and back to where a connection can begin. False: the backend does not follow. */
bool blkfront_reset(struct blkfront *f);

/* The next entry, zeroed; it is the backend's with blkfront_push(). */
union blkif_sring_entry *blkfront_slot(struct blkfront *f);
void blkfront_push(struct blkfront *f);
/* The next answer's status, and its id where asked for; BLKFRONT_NONE. */
int blkfront_answer(struct blkfront *f, uint64_t *id);
/* One request of one segment, answered. */
int blkfront_one(struct blkfront *f, uint8_t op, uint64_t sector, uint32_t ref, uint8_t first, uint8_t last);

#endif
