/* SPDX-License-Identifier: MIT */
/*
 * Files and block devices, read and written without the daemon's one thread
 * waiting: by io_uring, and by threads where that is refused or does not know
 * how. A job belongs to the pool from submit until done is called, in the
 * daemon's thread.
 */
#ifndef BLOCK_POOL_H
#define BLOCK_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct loop;
struct blk_pool;

enum blk_job_kind { BLK_JOB_READ, BLK_JOB_WRITE, BLK_JOB_FLUSH, BLK_JOB_DISCARD };
/* What a job that flushes goes through: what was acknowledged before must not come after its data on stable storage. */
enum blk_stage { BLK_STAGE_BEFORE, BLK_STAGE_DATA, BLK_STAGE_AFTER };
struct blk_job {
	struct blk_job *next;
	enum blk_job_kind kind;
	enum blk_stage stage;
	int fd;              /* through the page cache */
	int data_fd;         /* for the data: fd, or one for direct I/O of the same file */
	bool is_device;
	bool secure;         /* a discard after which nobody can read what was there */
	bool flush;          /* a write that is on stable storage, with all before it, when it is done */
	uint64_t offset, len;
	struct iovec *iov;   /* is changed */
	int niov;
	int result;          /* 0 or -errno */
	bool unsynced;       /* it failed at the stable storage: what was acknowledged before may be lost, and nobody says so again */
	void (*done)(struct blk_job *job);
};

/* n bytes of it are done. */
void blk_job_advance(struct blk_job *j, uint64_t n);

/* uring false: threads alone. */
struct blk_pool *blk_pool_new(struct loop *l, bool uring);
/* "io_uring" or "threads" */
const char *blk_pool_engine(const struct blk_pool *p);
void blk_pool_submit(struct blk_pool *p, struct blk_job *job);
/* Carries out what was submitted, calls done for it, ends. */
void blk_pool_free(struct blk_pool *p);

#endif
