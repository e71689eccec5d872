/* SPDX-License-Identifier: MIT */
/* One virtual disk of a domain: its file, its nodes in the store, its rings while it is connected. */
#ifndef BLOCK_VBD_H
#define BLOCK_VBD_H

#include "libpvctl/src/device/disk_spec.h"
#include "pvctld/block/grants.h"
#include "pvctld/block/pool.h"
#include "pvctld/block/ring.h"
#include "pvctld/daemon.h"
#include <xen/io/xenbus.h>

#define VBD_MAX_RINGS 4u
#define VBD_MAX_INFLIGHT 128u /* requests of a disk; what is beyond waits in its ring */

struct vbd;
struct blk_io;
struct vbd_ring {
	struct vbd *vbd;
	struct blk_ring ring;
	struct blk_window window;
	uint32_t ref, port;      /* the first page's grant; our port */
	struct loop_task task;
	struct blk_io *held;     /* taken, waits for room in the table of grants */
};
enum vbd_link { VBD_DOWN, VBD_UP, VBD_DRAINING };
struct vbd {
	struct list link;
	struct daemon *d;
	struct blk_pool *pool;
	uint32_t domid;
	struct disk_spec spec;
	int fd;
	bool is_device, can_discard;
	uint64_t sectors;
	uint32_t sector_size, physical_size;
	char front[64], back[64];
	struct store_watch watch;
	struct loop_task step;
	enum xenbus_state state; /* as the store has it */
	bool detaching;          /* goes when the frontend lets go */
	bool gone;               /* has no nodes any more */
	enum vbd_link up;
	bool persistent;
	unsigned int nr_rings, inflight;
	struct vbd_ring ring[VBD_MAX_RINGS];
	struct blk_table table;
};

/* disk.c: opens the target and finds out what it is. */
int vbd_open(struct vbd *v, struct pvctl_error *err);
/* nodes.c */
int vbd_make_nodes(struct vbd *v);
void vbd_remove_nodes(struct vbd *v);
void vbd_set_state(struct vbd *v, enum xenbus_state state);
enum xenbus_state vbd_front_state(struct vbd *v);
/* A number in the frontend's directory: 0 or -ENOENT, -EINVAL. */
int vbd_read_u32(struct vbd *v, const char *node, uint32_t *ret);
/* "x86_64-abi", or not said. */
bool vbd_protocol_ok(struct vbd *v);
/* connect.c: rings by what the frontend wrote. */
int vbd_connect(struct vbd *v);
/* No request is taken any more; what is under way is waited for, then the step task runs. */
void vbd_disconnect(struct vbd *v);
/* What is left of the connection when nothing is under way. */
void vbd_let_go(struct vbd *v);
/* serve.c */
void vbd_serve(void *ring);
void vbd_drop_held(struct vbd_ring *r);

#endif
