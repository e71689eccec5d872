/* SPDX-License-Identifier: MIT */
/* One virtual disk of a domain: its file, its nodes in the store, its rings while it is connected. */
#ifndef BLOCK_VBD_H
#define BLOCK_VBD_H

#include "libpvctl/src/device/disk_spec.h"
#include "pvctld/backend/grants.h"
#include "pvctld/backend/xenbus.h"
#include "pvctld/block/pool.h"
#include "pvctld/block/ring.h"

#define VBD_MAX_RINGS 4u
#define VBD_MAX_INFLIGHT 128u /* requests of a disk; what is beyond waits in its ring */

struct vbd;
struct blk_io;
struct vbd_ring {
	struct vbd *vbd;
	struct blk_ring ring;
	struct gnt_window window;
	uint32_t ref, port;      /* the first page's grant; our port */
	struct loop_task task;
	struct blk_io *held;     /* taken, waits for room in the table of grants */
};
struct vbd {
	struct xenbus_dev x;
	struct blk_pool *pool;
	struct disk_spec spec;
	int fd;
	bool is_device, can_discard;
	uint64_t sectors;
	uint32_t sector_size, physical_size;
	bool persistent;
	unsigned int nr_rings, inflight;
	struct vbd_ring ring[VBD_MAX_RINGS];
	struct gnt_table table;
};

static inline struct vbd *vbd_of(struct xenbus_dev *x)
{
	return list_entry(x, struct vbd, x);
}

extern const struct xenbus_ops vbd_ops;

/* disk.c: opens the target and finds out what it is. */
int vbd_open(struct vbd *v, struct pvctl_error *err);
/* nodes.c */
int vbd_put_backend(struct xenbus_dev *x);
int vbd_put_frontend(struct xenbus_dev *x);
/* connect.c: rings by what the frontend wrote. */
int vbd_connect(struct xenbus_dev *x);
bool vbd_disconnect(struct xenbus_dev *x);
/* What is left of the connection when nothing is under way. */
void vbd_let_go(struct vbd *v);
/* serve.c */
void vbd_serve(void *ring);
void vbd_drop_held(struct vbd_ring *r);

#endif
