/* SPDX-License-Identifier: MIT */
/* Framing of proto.h messages on a socket; the daemon's tests use it as well. */
#ifndef TRANSPORT_WIRE_H
#define TRANSPORT_WIRE_H

#include "transport/proto.h"
#include <stddef.h>
#include <sys/uio.h>

/* All bytes, with fd (-1: none) attached to the first: 0 or -errno. */
int wire_send(int sock, const struct iovec *iov, int n, int fd);
/* Exactly len bytes; an fd that comes along goes to *ret_fd (-1: none came),
 * close-on-exec; surplus fds are closed. -EPIPE: end of file. */
int wire_recv(int sock, void *p, size_t len, int *ret_fd);

#endif
