/* SPDX-License-Identifier: MIT */
/*
 * The rings of a share (xen/io/9pfs.h) as a guest may have left them, and the little
 * of 9P2000.L that must be known to move whole messages between them and a server.
 * Pure code; the words that the guest can write are read once each.
 */
#ifndef P9_RING_H
#define P9_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P9_MAX_ORDER 6u                 /* of a ring's pages: 128 KiB each way */
#define P9_MSG_MAX (1u << (P9_MAX_ORDER + 11))
#define P9_HEADER 7u                    /* size[4] type[1] tag[2] */
#define P9_RLERROR_SIZE 11u
#define P9_NOTAG 0xffffu
#define P9_MAX_INFLIGHT 128u            /* of a share; what is beyond waits in its ring */
enum p9_type { P9_RLERROR = 7, P9_TVERSION = 100, P9_TATTACH = 104, P9_TFLUSH = 108, P9_RFLUSH = 109 };

struct xen_9pfs_data_intf;
struct p9_ring {
	struct xen_9pfs_data_intf *intf;
	uint8_t *in, *out;
	uint32_t size;                  /* of each, a power of two */
	uint32_t in_prod, out_cons;     /* ours: what the page says of them does not count */
};
/* bytes: 1 << order pages. */
void p9_ring_init(struct p9_ring *r, struct xen_9pfs_data_intf *intf, void *bytes, unsigned int order);
/* The next whole request's size, 0: none yet, -EPROTO: impossible indices or sizes. header: P9_HEADER bytes of it. */
int p9_ring_next(const struct p9_ring *r, uint8_t *header);
/* size as p9_ring_next had it: the message is header, then what the guest has behind it now. */
void p9_ring_take(struct p9_ring *r, const uint8_t *header, void *dst, uint32_t size);
/* The room of what was taken is the guest's again. */
void p9_ring_took(struct p9_ring *r);
/* Bytes that fit; 0 as well when the indices are impossible. */
uint32_t p9_ring_space(const struct p9_ring *r);
/* len fits. */
void p9_ring_put(struct p9_ring *r, const void *src, uint32_t len);

uint32_t p9_get32(const uint8_t *p);
uint16_t p9_get16(const uint8_t *p);
/* A message's type and tag are there. */
static inline uint8_t p9_type(const uint8_t *msg)
{
	return msg[4];
}
static inline uint16_t p9_tag(const uint8_t *msg)
{
	return p9_get16(msg + 5);
}
void p9_make_error(uint8_t msg[P9_RLERROR_SIZE], uint16_t tag, uint32_t ecode);
/*
 * A Tattach as the server takes it: below root, by the one user that there is. The
 * new size, or -EPROTO: it is none, or does not fit in max.
 */
int p9_attach_rewrite(uint8_t *msg, uint32_t len, uint32_t max, const char *root, uint32_t uid);

/* Which ring waits for which tag. */
struct p9_inflight {
	unsigned int n;
	struct p9_request { uint16_t tag, old; uint8_t ring; bool flush; } r[P9_MAX_INFLIGHT];
};
/* msg of len bytes, whole. -EPROTO: a tag that is in use, or a Tflush that is none. There is room for it. */
int p9_inflight_add(struct p9_inflight *f, const uint8_t *msg, uint32_t len, uint8_t ring);
/* The ring that a reply goes to; -ENOENT: nobody waits (any more). */
int p9_inflight_end(struct p9_inflight *f, const uint8_t *msg);

#endif
