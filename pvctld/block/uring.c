/* SPDX-License-Identifier: MIT */
/*
 * One ring for all disks. What a turn of the loop brings is submitted by one
 * system call at its end; completions come by an eventfd.
 */
#include "pvctld/block/uring.h"
#include "pvctld/base/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SUBMIT_ENTRIES 256u
#define MAX_ACTIVE 2048u /* completions never find their queue full */

struct blk_uring {
	struct io_uring ring;
	struct loop *loop;
	struct loop_fd wake;
	struct loop_task submit;
	struct blk_job *waiting, **waiting_tail;
	unsigned int active;
	void (*fallback)(void *data, struct blk_job *job);
	void *data;
};

static void prepare(struct io_uring_sqe *sqe, struct blk_job *j)
{
	if (j->stage != BLK_STAGE_DATA)
		io_uring_prep_fsync(sqe, j->fd, IORING_FSYNC_DATASYNC);
	else if (j->kind == BLK_JOB_READ)
		io_uring_prep_readv(sqe, j->data_fd, j->iov, (unsigned int)j->niov, j->offset);
	else if (j->kind == BLK_JOB_WRITE)
		io_uring_prep_writev(sqe, j->data_fd, j->iov, (unsigned int)j->niov, j->offset);
	else
		io_uring_prep_fallocate(sqe, j->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)j->offset,
					(off_t)j->len);
	io_uring_sqe_set_data(sqe, j);
}

/* False: it waits for a completion. */
static bool queue(struct blk_uring *u, struct blk_job *j)
{
	struct io_uring_sqe *sqe;

	if (u->active >= MAX_ACTIVE)
		return false;
	sqe = io_uring_get_sqe(&u->ring);
	if (!sqe) {
		(void)io_uring_submit(&u->ring);
		sqe = io_uring_get_sqe(&u->ring);
	}
	if (!sqe)
		return false;
	prepare(sqe, j);
	u->active++;
	loop_task_post(u->loop, &u->submit);
	return true;
}

static void push(struct blk_uring *u, struct blk_job *j)
{
	j->next = NULL;
	if (!u->waiting && queue(u, j))
		return;
	*u->waiting_tail = j;
	u->waiting_tail = &j->next;
}

static void push_waiting(struct blk_uring *u)
{
	while (u->waiting && queue(u, u->waiting)) {
		u->waiting = u->waiting->next;
		if (!u->waiting)
			u->waiting_tail = &u->waiting;
	}
}

static bool last_stage(const struct blk_job *j)
{
	if (j->stage == BLK_STAGE_BEFORE)
		return j->kind == BLK_JOB_FLUSH;
	return j->stage == BLK_STAGE_AFTER || !j->flush;
}

static void completed(struct blk_uring *u, struct blk_job *j, int res)
{
	bool transfer = j->stage == BLK_STAGE_DATA && j->kind != BLK_JOB_DISCARD;

	if (res == -EINTR) {
		push(u, j);
		return;
	}
	/* Not on this file, or not at this moment, without waiting. */
	if (res == -EAGAIN || (res == -EINVAL && j->data_fd != j->fd)) {
		j->data_fd = j->fd;
		u->fallback(u->data, j);
		return;
	}
	if (transfer && res > 0) {
		blk_job_advance(j, (uint64_t)res);
		if (j->niov) {
			push(u, j);
			return;
		}
		res = 0;
	} else if (transfer && !res) {
		res = -EIO; /* the file became shorter */
	}
	if (!res && !last_stage(j)) {
		j->stage++;
		push(u, j);
		return;
	}
	j->result = res;
	j->unsynced = res && j->stage != BLK_STAGE_DATA;
	j->done(j);
}

static void reap(struct blk_uring *u)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&u->ring, &cqe)) {
		struct blk_job *j = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		u->active--;
		completed(u, j, res);
	}
	push_waiting(u);
}

static void on_submit(void *data)
{
	struct blk_uring *u = data;
	int rc;

	push_waiting(u);
	rc = io_uring_submit(&u->ring);
	/* The kernel is short of memory for the moment, or took a part. What waits for room a completion brings on. */
	if (rc != -EBADF && io_uring_sq_ready(&u->ring))
		loop_task_post(u->loop, &u->submit);
	/* What was in the page cache is done by now: its answer need not wait for a turn of the loop. */
	reap(u);
}

static void on_wake(void *data, uint32_t events)
{
	struct blk_uring *u = data;
	uint64_t count;

	(void)!read(u->wake.fd, &count, sizeof(count));
	reap(u);
}

static int open_ring(struct blk_uring *u)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP, .cq_entries = 2 * MAX_ACTIVE };
	int rc = io_uring_queue_init_params(SUBMIT_ENTRIES, &u->ring, &p);

	if (rc)
		return rc;
	/* Without these a completion could be lost, or punching a hole is not known. */
	if (!(p.features & IORING_FEAT_NODROP) || !(p.features & IORING_FEAT_FAST_POLL)) {
		io_uring_queue_exit(&u->ring);
		return -ENOSYS;
	}
	(void)io_uring_ring_dontfork(&u->ring);
	return 0;
}

struct blk_uring *blk_uring_new(struct loop *l, void (*fallback)(void *data, struct blk_job *job), void *data)
{
	struct blk_uring *u = calloc(1, sizeof(*u));
	int fd;

	if (!u)
		return NULL;
	u->loop = l;
	u->fallback = fallback;
	u->data = data;
	u->waiting_tail = &u->waiting;
	u->wake.fd = -1;
	loop_task_init(&u->submit, on_submit, u);
	if (open_ring(u)) {
		free(u);
		return NULL;
	}
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0 || io_uring_register_eventfd(&u->ring, fd) || loop_fd_add(l, &u->wake, fd, EPOLLIN, on_wake, u)) {
		if (fd >= 0)
			close(fd);
		io_uring_queue_exit(&u->ring);
		free(u);
		return NULL;
	}
	return u;
}

void blk_uring_submit(struct blk_uring *u, struct blk_job *job)
{
	job->stage = job->flush ? BLK_STAGE_BEFORE : BLK_STAGE_DATA;
	push(u, job);
}

void blk_uring_free(struct blk_uring *u)
{
	struct io_uring_cqe *cqe;
	int fd;

	if (!u)
		return;
	while (u->active || u->waiting) {
		push_waiting(u);
		(void)io_uring_submit(&u->ring);
		if (io_uring_wait_cqe(&u->ring, &cqe) == -EBADF)
			break;
		reap(u);
	}
	loop_task_cancel(&u->submit);
	fd = u->wake.fd;
	loop_fd_del(u->loop, &u->wake);
	io_uring_queue_exit(&u->ring);
	close(fd);
	free(u);
}
