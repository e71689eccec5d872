/* SPDX-License-Identifier: MIT */
#ifndef PVCTLD_STOP_H
#define PVCTLD_STOP_H

struct ctl_conn;
struct daemon;

/* PROTO_NODE_STOP: answered when the node is gone. */
void stop_request(struct ctl_conn *c);
/* At the very end: the requesters are told. */
void stop_answer(struct daemon *d);
void stop_free(struct daemon *d);

#endif
