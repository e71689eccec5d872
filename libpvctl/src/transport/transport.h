/* SPDX-License-Identifier: MIT */
/*
 * The one seam between libpvctl and a hypervisor: hypercalls, foreign memory,
 * and domain 0's services. hosted.c speaks to pvctld; mock.c serves the tests;
 * privcmd.c will drive a Linux domain 0.
 *
 * Hypercall arguments that a pointer names live in an arena that
 * transport->arena gives: write there, pass arena_handle(ptr) where the ABI
 * wants a guest handle, read results there after the call.
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The answers must fit the socket's buffers while nobody reads them. */
#define TRANSPORT_BATCH_BYTES 16384u

struct transport;
struct transport_ops {
	/* The result of the hypercall (negative: Xen errno), preempted calls carried on to their end. On a
	 * transport failure -EIO with *err filled and err->origin DAEMON or OS. args: 5 words. used: arena bytes in use. */
	int64_t (*hypercall)(struct transport *, uint32_t op, uint64_t *args, size_t used, struct pvctl_error *err);
	/* count machine frames from mfn on, contiguous, in this process. NULL: outside RAM. Valid until close. */
	void *(*map)(struct transport *, uint64_t mfn, uint64_t count);
	/* Nobody has touched that frame since its memory was given to the node, so it is all zeroes: reading it would make
	 * the host clear a page. What it knows is from the last call with ~0 at the latest: make one before each pass, and have
	 * writes during it logged. NULL: the transport cannot tell. */
	bool (*untouched)(struct transport *, uint64_t mfn);
	/* Bytes to machine memory without mapping it page by page (pwrite to the RAM file): 0 or -errno. */
	int (*write_mem)(struct transport *, uint64_t paddr, const void *src, size_t len);
	/* The same from there (pread). */
	int (*read_mem)(struct transport *, uint64_t paddr, void *to, size_t len);
	/* A request to domain 0's services (proto.h): reply body is malloc'd; up to one fd. 0 or -errno with *err. */
	int (*request)(struct transport *, uint32_t type, const void *body, size_t len,
	               void **ret_body, size_t *ret_len, int *ret_fd, struct pvctl_error *err);
	/* n such requests sent at once, together at most TRANSPORT_BATCH_BYTES. All are carried out; reply() sees each
	 * answer's body in order. What is returned is the first failure, a refusal or what reply() said. */
	int (*batch)(struct transport *, uint32_t type, const struct iovec *bodies, unsigned int n,
	             int (*reply)(void *data, unsigned int i, const void *body, size_t len, struct pvctl_error *err),
	             void *data, struct pvctl_error *err);
	/* The daemon may have what this names opened: see proto_allow. NULL: nobody asks. */
	int (*allow)(struct transport *, const char *key, const char *text, struct pvctl_error *err);
	void (*close)(struct transport *);
};
struct transport {
	const struct transport_ops *ops;
	uint8_t *arena;          /* page aligned */
	size_t arena_size;
	uint64_t arena_base;     /* handle of arena[0] */
};
static inline uint64_t arena_handle(const struct transport *t, const void *p)
{
	return p ? t->arena_base + (uint64_t)((const uint8_t *)p - t->arena) : 0;
}
int transport_allow(struct transport *t, const char *key, const char *text, struct pvctl_error *err);
int transport_open_hosted(const char *node, struct transport **ret, struct pvctl_error *err);
struct transport *transport_open_mock(void);
/* A hosted node's daemon has been told to end: waits for that. 0 or -ETIMEDOUT. */
int transport_wait_gone(struct transport *t, uint32_t timeout_ms);

#endif
