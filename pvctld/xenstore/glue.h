/* SPDX-License-Identifier: MIT */
/* Between the store and its users: guests' rings, local sockets, and the daemon's own nodes. */
#ifndef PVCTLD_STORE_GLUE_H
#define PVCTLD_STORE_GLUE_H

#include "pvctld/base/fifo.h"
#include "pvctld/base/loop.h"

struct daemon;
struct dom;
struct pvctl_error;
struct store_conn;
struct xenstore_domain_interface;

/* A guest's connection. */
struct store_link {
	struct daemon *d;
	uint32_t domid, port;
	struct xenstore_domain_interface *ring; /* NULL: not connected */
	struct store_conn *conn;
	struct fifo out;
	struct loop_task more;
	struct loop_timer again; /* a last look after the ring moved */
	const char *broken;
	bool frozen;             /* the domain is suspended: its ring is left alone */
};

int store_glue_init(struct daemon *d, struct pvctl_error *err);
void store_glue_fini(struct daemon *d);

void store_link_init(struct store_link *l, struct daemon *d, uint32_t domid);
int store_link_start(struct store_link *l, struct xenstore_domain_interface *ring, uint32_t port);
/* A connection that a daemon before this one had. */
int store_link_resume(struct store_link *l, struct xenstore_domain_interface *ring, uint32_t port);
void store_link_event(struct store_link *l);
void store_link_freeze(struct store_link *l, bool on);
void store_link_stop(struct store_link *l);

/* store_sock.c */
int store_sock_open(struct daemon *d, struct pvctl_error *err);
void store_sock_close(struct daemon *d);

#endif
