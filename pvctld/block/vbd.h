/* SPDX-License-Identifier: MIT */
/* One virtual disk of a domain: its file, its nodes in the store, its rings while it is connected. */
#ifndef BLOCK_VBD_H
#define BLOCK_VBD_H

#include "libpvctl/src/device/disk_spec.h"
#include "pvctld/backend/device.h"
#include "pvctld/backend/grants.h"
#include "pvctld/backend/xenbus.h"
#include "pvctld/block/pool.h"
#include "pvctld/block/ring.h"

#define VBD_MAX_RINGS 4u
#define VBD_MAX_BYTES (32u << 20) /* of data under way, which may all be in our memory */
#define VBD_MAX_INFLIGHT 256u /* requests of a disk; what is beyond waits in its ring */

struct vbd;
struct blk_io;
struct blk_nbd;
struct blk_script;
struct vbd_ring {
	struct vbd *vbd;
	struct blk_ring ring;
	struct blk_kept *kept;
	struct gnt_window window;
	uint32_t ref, port;      /* the first page's grant; our port */
	struct loop_task task;
	struct blk_io *held;     /* taken, waits for room in the table of grants */
};
/* Since it was attached; sectors of 512 bytes. */
struct vbd_stats {
	uint64_t reads, writes, flushes, discards, errors;
	uint64_t read_sectors, write_sectors, discard_sectors;
};
struct vbd {
	struct xenbus_dev x;
	struct blk_pool *pool;
	struct disk_spec spec;
	struct blk_script *script; /* not NULL: it knows what the target is */
	char *device;            /* which it said; NULL: none was asked */
	struct blk_job sync;     /* of a release */
	bool leaving;            /* nbd is closing, and its end is waited for */
	struct blk_nbd *nbd;     /* not NULL: the target is QEMU's; fd is not used */
	int fd;
	struct loop_timer again; /* its target is in use by what another daemon left under way */
	uint64_t again_until_ns;
	int direct_fd;           /* of the same file, past the page cache; -1: not to be used */
	uint32_t direct_align;   /* for that: of offsets, lengths and addresses */
	bool is_device, can_discard, can_secure;
	uint64_t sectors;        /* of 512 bytes, whatever sector_size is: so Linux counts on both ends */
	uint32_t sector_size, physical_size, discard_granularity, discard_alignment;
	uint64_t told_sectors;   /* what the guest may have read */
	bool unsynced;           /* a flush of its failed: it takes no more writes, whatever later flushes would say */
	bool broken;             /* its server has ended: it never connects again */
	struct vbd_stats stats;
	bool persistent;
	unsigned int nr_rings, inflight;
	uint64_t inflight_bytes;
	struct vbd_ring ring[VBD_MAX_RINGS];
	struct gnt_table table;
};

static inline struct vbd *vbd_of(struct xenbus_dev *x)
{
	return list_entry(x, struct vbd, x);
}

extern const struct xenbus_ops vbd_ops;

/* disk.c: opens the target and finds out what it is. */
/* device: what its script named; NULL: its target. */
int vbd_open(struct vbd *v, const char *device, struct pvctl_error *err);
/* What the target is. Of a script's disk whether that can be run, and nothing in *ret. */
struct stat;
int vbd_look(const struct disk_spec *s, struct stat *ret, struct pvctl_error *err);
void vbd_close(struct vbd *v);
/* Who has its target, for a message. */
void vbd_say_holder(const struct vbd *v, char *buf, size_t size);
/* The size of the target is known; sector_size is the target's own. */
int vbd_measured(struct vbd *v, uint64_t bytes, struct pvctl_error *err);
/* witness.c: a copy of a descriptor that is never synced is kept for the next daemon. */
void vbd_witness_put(const struct vbd *v, int fd);
/* There is one, and it was asked: unsynced is set if it knows of a failure. */
bool vbd_witness_ask(struct vbd *v);
void vbd_witness_drop(const struct vbd *v);
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
/* What was acknowledged may be lost: from here on, for a later daemon as well. */
void vbd_flush_failed(struct vbd *v);
/* What waits for room goes back to its ring, and what is answered is told. */
void vbd_untake(struct vbd_ring *r);
/* rest.c: the disk of a domain that is suspended */
bool vbd_quiesce(struct xenbus_dev *x);
void vbd_thaw(struct xenbus_dev *x);
bool vbd_release(struct xenbus_dev *x);
int vbd_retake(struct xenbus_dev *x, struct pvctl_error *err);
int vbd_retarget(struct xenbus_dev *x, const char *spec, struct pvctl_error *err);
/* The last request is answered. */
void vbd_at_rest(struct vbd *v);
/* block.c: qemu-nbd is asked for the target. */
int vbd_open_image(struct vbd *v, void (*ready)(void *data, int rc, const char *why), struct pvctl_error *err);
/* block.c: why an image could not be opened, with its name and who has it; into buf, which is returned. */
const char *vbd_say_failure(const struct vbd *v, int rc, const char *why, char *buf, size_t size);

extern const struct device_class block_class;

#endif
