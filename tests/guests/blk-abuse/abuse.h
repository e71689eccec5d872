/* SPDX-License-Identifier: MIT */
#ifndef ABUSE_H
#define ABUSE_H

#include "blkfront.h"

#define ABUSE_PAGES 16u
extern uint8_t abuse_data[ABUSE_PAGES][PAGE_SIZE];
extern uint32_t abuse_ref[ABUSE_PAGES], abuse_ro_ref; /* the last: the first page, read-only */

/* An honest connection, checked. */
bool abuse_connect(struct blkfront *f, unsigned int order, bool persistent);
/* The connection works: a sector is read. */
void abuse_alive(struct blkfront *f);

/* requests.c, connected: single requests that must be refused, and what must not be. */
void abuse_requests(struct blkfront *f, bool persistent);
void abuse_indirect(struct blkfront *f);
void abuse_discard(struct blkfront *f);
void abuse_readonly(struct blkfront *f);
/* connection.c, not connected: indices, events, store values. */
void abuse_ring(struct blkfront *f, bool persistent);
void abuse_store(struct blkfront *f);

#endif
