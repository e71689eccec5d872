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
/* A write that was answered, and of which no flush has said yet that it is in the image: QEMU keeps tables in memory. */
struct nbd_kept {
	struct nbd_kept *next;
	uint64_t seq, offset, len;
	uint8_t data[];
};
struct nbd_queue { struct nbd_cmd *first, **tail; };
struct blk_nbd {
	struct list link;
	struct daemon *d;
	struct disk_spec spec;
	struct blk_nbd_user user;
	enum nbd_state state;
	void (*closed)(void *data, bool lost); /* not NULL: somebody waits for its end */
	void *closed_data;
	bool was_ready;
	uint64_t patience_ns;    /* until then: another daemon's server ends, having written what it was told, and has the image yet */
	bool given_up;           /* it is not started again */
	bool closing;            /* its user is gone, but what is kept is not in the image yet */
	unsigned int restarts;   /* since then */
	uint64_t restarts_ns;
	int64_t bytes;
	dev_t dev;               /* of the image */
	ino_t ino;
	bool spawned;            /* process is where its status comes from, not a pidfd */
	pid_t pid;               /* 0: there is none, or no more */
	struct nbd_handle *h;    /* NULL: not connected */
	struct loop_fd sock;     /* h's */
	struct loop_fd process, log;
	struct loop_timer timer;
	struct loop_task deliver, begin;
	struct nbd_queue finished;
	struct nbd_queue again;  /* for when there is a server again */
	struct nbd_queue held;   /* answered by the server, but too much is kept */
	struct nbd_kept *kept, **kept_tail, *replay_at;
	struct nbd_cmd *replay, *flush; /* our own; NULL: under way */
	bool replaying;
	bool lost;               /* a write that was answered is not in the image: the next flush fails */
	uint64_t kept_seq;
	size_t kept_bytes;
	unsigned int active;
	size_t said_len;
	char said[256];          /* the end of its stderr */
};

/* nbd.c: the connection is up; it is over. */
void nbd_is_ready(struct blk_nbd *n);
void nbd_lost(struct blk_nbd *n);
/* What was kept is replayed; all is done. */
void nbd_is_back(struct blk_nbd *n);
/* nbd_io.c */
int nbd_io_init(struct blk_nbd *n);
void nbd_io_fini(struct blk_nbd *n);
/* The server is ready again: what it may have lost, then what waits. */
void nbd_redo(struct blk_nbd *n);
/* What waits for a server fails. */
void nbd_fail_waiting(struct blk_nbd *n);
/* sock is consumed. */
int nbd_greet(struct blk_nbd *n, int sock);
/* The connection ends; what was under way waits for the next one, or fails where there will be none. */
void nbd_hang_up(struct blk_nbd *n);
void nbd_deliver(struct blk_nbd *n);

#endif
