/* SPDX-License-Identifier: MIT */
/* What nbd.c (the process) and nbd_io.c (the protocol, libnbd's) share. */
#ifndef BLOCK_NBD_PRIVATE_H
#define BLOCK_NBD_PRIVATE_H

#include "pvctld/block/nbd.h"
#include "pvctld/core/daemon.h"
#include <fcntl.h>
#include <libnbd.h>

enum nbd_state { NBD_WAITING, NBD_STARTING, NBD_READY, NBD_DEAD, NBD_CLOSED };
struct nbd_cmd;
struct blk_nbd {
	struct list link;
	struct daemon *d;
	struct disk_spec spec;
	struct blk_nbd_user user;
	enum nbd_state state;
	bool was_ready;
	dev_t dev;               /* of the image */
	ino_t ino;
	pid_t pid;               /* 0: there is none, or no more */
	struct nbd_handle *h;    /* NULL: not connected */
	struct loop_fd sock;     /* h's */
	struct loop_fd process, log;
	struct loop_timer timer;
	struct loop_task deliver;
	struct nbd_cmd *finished, **finished_tail;
	unsigned int active;
	size_t said_len;
	char said[256];          /* the end of its stderr */
};

/* nbd.c: the connection is up; it is over. */
void nbd_is_ready(struct blk_nbd *n);
void nbd_lost(struct blk_nbd *n);
/* nbd_io.c: sock is consumed. */
int nbd_greet(struct blk_nbd *n, int sock);
/* The connection ends; what was under way fails. */
void nbd_hang_up(struct blk_nbd *n);
void nbd_deliver(struct blk_nbd *n);

#endif
