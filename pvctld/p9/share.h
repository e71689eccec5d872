/* SPDX-License-Identifier: MIT */
/* A directory of the host's that a domain mounts: its rings, and the server behind them. */
#ifndef P9_SHARE_H
#define P9_SHARE_H

#include "libpvctl/src/device/p9_spec.h"
#include "pvctld/backend/device.h"
#include "pvctld/backend/grants.h"
#include "pvctld/backend/xenbus.h"
#include "pvctld/p9/ring.h"
#include <sys/types.h>

#define P9_MAX_RINGS 4u

struct share;
/* diod in its jail, from its start to the day its end is known. */
struct p9_server {
	struct daemon *d;
	struct share *share;     /* NULL: nobody wants it any more */
	pid_t pid;               /* 0: it has ended, and was waited for */
	int fd;                  /* the connection; in the loop as sock until it hangs up */
	struct loop_fd sock, log;
	bool ready;
};
/* server.c: NULL: it cannot be started; the log says why. */
struct p9_server *p9_server_start(struct share *s);
/* Harmless for NULL. It is freed. */
void p9_server_stop(struct p9_server *v);
/* Bytes that could be moved now, 0: none. Negative: it is lost. */
ssize_t p9_server_write(struct p9_server *v, const void *bytes, size_t len);
ssize_t p9_server_read(struct p9_server *v, void *bytes, size_t max);
/* The share has its turn when it can. */
void p9_server_want(struct p9_server *v, bool read, bool write);

struct share_ring {
	struct share *share;
	struct p9_ring ring;
	struct gnt_window page, data;
	uint32_t port;
};
/* For a later daemon, in memory that outlives us: what it has to refuse, as no server knows the guest's files then. */
struct share_kept {
	uint32_t current, spare;
	struct { struct p9_inflight inflight; uint32_t out_cons[P9_MAX_RINGS]; } v[2];
};

struct share {
	struct xenbus_dev x;
	struct share_kept *kept;
	struct p9_spec spec;
	unsigned int nr_rings, next;
	struct share_ring ring[P9_MAX_RINGS];
	struct loop_task task;
	struct loop_timer again;
	struct p9_server *server; /* NULL: none since the last one ended, or none yet */
	uint64_t started_ns;
	struct p9_inflight inflight;
	uint32_t tx_at, tx_len;   /* a request, on its way to the server */
	uint32_t rx_len;          /* of a reply; whole: it waits for room in its ring */
	uint8_t tx[P9_MSG_MAX], rx[P9_MSG_MAX];
};

static inline struct share *share_of(struct xenbus_dev *x)
{
	return list_entry(x, struct share, x);
}

/* connect.c */
int share_connect(struct xenbus_dev *x);
bool share_disconnect(struct xenbus_dev *x);
bool share_quiesce(struct xenbus_dev *x);
int share_may_move(struct xenbus_dev *x, struct pvctl_error *err);
void share_thaw(struct xenbus_dev *x);
/* serve.c */
void share_serve(void *share);

extern const struct device_class p9_class;

/* The spawner's part: 0 or -errno. */
int p9_server_spawn(const struct p9_spec *s, int sock, int log, pid_t *ret_pid);

#endif
