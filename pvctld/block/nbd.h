/* SPDX-License-Identifier: MIT */
/*
 * Disk images in QEMU's formats: a qemu-nbd of its own for each, spoken to over
 * a socket pair of nobody else's. No format is parsed here.
 */
#ifndef BLOCK_NBD_H
#define BLOCK_NBD_H

#include "libpvctl/src/device/disk_spec.h"
#include "pvctld/block/pool.h"
#include <sys/types.h>

struct daemon;
struct blk_nbd;

struct blk_nbd_user {
	/* Once: 0, or why there will be no disk. */
	void (*ready)(void *data, int rc, const char *why);
	/* It was ready, and ended too often. Jobs fail from here on; before that they wait for the next one. */
	void (*dead)(void *data, const char *why);
	void *data;
};
struct blk_nbd_info {
	uint64_t bytes;
	uint32_t granularity;
	bool can_trim;
};

/* Returns at once; user hears of the rest. */
int blk_nbd_open(struct daemon *d, const struct disk_spec *s, const struct blk_nbd_user *user, struct blk_nbd **ret,
		 struct pvctl_error *err);
/* When it is ready. */
void blk_nbd_info(struct blk_nbd *n, struct blk_nbd_info *ret);
void blk_nbd_submit(struct blk_nbd *n, struct blk_job *job);
/*
 * What is under way holds its user's device, and with it the domain's pages: on, it may take half a minute, then the
 * program is killed and dead() is called. Off: it has ended in time.
 */
void blk_nbd_hurry(struct blk_nbd *n, bool on);
/* Nothing is under way; the user hears no more. The program writes what it has and ends; the image is free then. */
void blk_nbd_close(struct blk_nbd *n);
/*
 * Called once, by the end of one that was closed: nobody has the image any more. lost: nor is all in it that was
 * acknowledged. NULL: nobody wants to know.
 */
void blk_nbd_closing(struct blk_nbd *n, void (*closed)(void *data, bool lost), void *data);
/* At the daemon's end: jobs of this one end, all closed ones are waited for. */
void blk_nbd_drain(struct blk_nbd *n);
void blk_nbd_fini(struct daemon *d);

/* nbd_spawn.c: its stderr goes to log; a socket that is connected to it in *ret_sock. -errno, or its pid. */
pid_t nbd_spawn(const char *run_dir, const struct disk_spec *s, int log, int *ret_sock, struct pvctl_error *err);

#endif
