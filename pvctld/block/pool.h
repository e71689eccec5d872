/* SPDX-License-Identifier: MIT */
/*
 * Threads that wait for disks, so that the daemon's one does not. A job belongs
 * to the pool from submit until done is called, in the daemon's thread.
 */
#ifndef BLOCK_POOL_H
#define BLOCK_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct blk_pool;

enum blk_job_kind { BLK_JOB_READ, BLK_JOB_WRITE, BLK_JOB_FLUSH, BLK_JOB_DISCARD };
struct blk_job {
	struct blk_job *next;
	enum blk_job_kind kind;
	int fd;
	bool is_device;
	bool flush;          /* a write that is on stable storage, with all before it, when it is done */
	uint64_t offset, len;
	struct iovec *iov;   /* is changed */
	int niov;
	int result;          /* 0 or -errno */
	void (*done)(struct blk_job *job);
};

struct blk_pool *blk_pool_new(struct loop *l);
void blk_pool_submit(struct blk_pool *p, struct blk_job *job);
/* Carries out what was submitted, calls done for it, ends. */
void blk_pool_free(struct blk_pool *p);

#endif
