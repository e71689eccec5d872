/* SPDX-License-Identifier: MIT */
/* control.sock: clients of the daemon, by libpvctl/src/transport/proto.h. */
#ifndef PVCTLD_CONTROL_H
#define PVCTLD_CONTROL_H

#include "libpvctl/src/transport/proto.h"
#include "pvctld/base/fifo.h"
#include "pvctld/base/loop.h"
#include "pvctld/hv/mailbox.h"
#include "pvctld/node/listen.h"

struct daemon;
struct pvctl_error;
struct store_conn;

struct control {
	struct daemon *d;
	struct listener listener;
	struct list conns;            /* those that asked for something longest ago first */
	unsigned int nr;
};

struct ctl_conn {
	struct list link;
	struct daemon *d;
	struct loop_fd lf;
	struct proto_header head;     /* of the request that comes in or is worked on */
	size_t head_have, body_have;
	uint8_t *body;                /* malloc'd, or small */
	_Alignas(16) uint8_t small[1024]; /* what ends a domain must not need memory */
	bool starved;                 /* there was no memory for the body: it is read all the same, and refused */
	struct fifo out;
	int out_fd;                   /* -1: none; goes with the byte */
	size_t out_fd_at;             /* of out that is so far off */
	bool busy;                    /* a request is being worked on: none is read */
	bool gone;                    /* the client left while busy */
	bool served;                  /* a request of it was answered */
	struct loop_task resume;
	struct mbox_call call;
	struct dom *made;             /* what the domain that is being created will be known by */
	uint64_t call_handle;         /* args[0] as it was asked */
	bool held;                    /* nothing of it is done before the hypervisor has answered: call */
	bool begun;                   /* a part of what it asks for is done already */
	struct store_conn *store;
	struct fifo store_reply;
	bool store_starved;           /* there was no memory for it */
};

int control_open(struct daemon *d, struct pvctl_error *err);
/* No new connections; those that are lose their ties to domains and store. */
void control_detach(struct daemon *d);
void control_close(struct daemon *d);
/* The hypervisor is silent: nobody waits for it any longer. What was not begun is not done. */
void control_answer_all(struct daemon *d);
/* Answers the request at hand. fd (-1: none) is consumed. */
void ctl_reply(struct ctl_conn *c, const void *body, size_t len, int fd);
/* Room for an answer with a body so long. False: the request was refused, and nothing must have been done for it. */
bool ctl_room(struct ctl_conn *c, size_t len);
/* A refusal: negative errno and text. */
void ctl_refuse(struct ctl_conn *c, int code, const char *text);
/* One or the other, by rc: for callbacks, whose data is the connection. An answer has nothing in it. */
void ctl_answer(void *conn, int rc, const char *why);
/* Sends what it can without waiting. */
void ctl_flush(struct ctl_conn *c);

/* requests.c: handles c->head, c->body; answers now or, having set c->busy, later. */
void request_handle(struct ctl_conn *c);
/* The client left, or the daemon ends. */
void request_conn_closed(struct ctl_conn *c);
/* requests_hv.c */
void request_hypercall(struct ctl_conn *c);
/* It ends a domain, whose rings are let go of first. */
bool request_hypercall_lets_go(const struct ctl_conn *c);
/* requests_device.c */
void request_device_attach(struct ctl_conn *c);
void request_device_detach(struct ctl_conn *c);
void request_devices(struct ctl_conn *c);
void request_device_hold(struct ctl_conn *c);
void request_device_back(struct ctl_conn *c);
void request_device_retarget(struct ctl_conn *c);
/* requests_memory.c: PROTO_MEMORY_CHECK, PROTO_MEMORY_BACK */
void request_memory_check(struct ctl_conn *c);
void request_memory_back(struct ctl_conn *c);
/* requests_suspend.c */
void request_suspend(struct ctl_conn *c);
void request_log(struct ctl_conn *c);
void request_hold(struct ctl_conn *c);
void request_quiesce(struct ctl_conn *c);
void request_resume(struct ctl_conn *c);
/* requests_store.c */
void request_store(struct ctl_conn *c);

#endif
