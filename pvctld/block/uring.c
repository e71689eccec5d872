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
#include <sys/syscall.h>
#include <unistd.h>

#define SUBMIT_ENTRIES 256u
#define MAX_ACTIVE 2048u /* completions never find their queue full */

struct blk_uring {
	struct io_uring ring;
	int event_fd;
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

/*
 * The kernel carries out what stands in this ring without asking the daemon's filter: so only what disks need may stand there, on
 * descriptors, and nothing more may be registered. A kernel that cannot be told (before 5.10) has no ring of ours.
 */
static int restrict_ring(struct io_uring *r)
{
	static const uint8_t ops[] = { IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_FALLOCATE };
	struct io_uring_restriction only[sizeof(ops)] = { 0 };

	for (unsigned int i = 0; i < sizeof(ops); i++) {
		only[i].opcode = IORING_RESTRICTION_SQE_OP;
		only[i].sqe_op = ops[i];
	}
	/* Not every liburing has functions for these. */
	if (syscall(SYS_io_uring_register, r->ring_fd, IORING_REGISTER_RESTRICTIONS, only, sizeof(ops)) ||
	    syscall(SYS_io_uring_register, r->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

static int open_ring(struct io_uring *r, int *ret_event_fd)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED,
				     .cq_entries = 2 * MAX_ACTIVE };
	int rc = io_uring_queue_init_params(SUBMIT_ENTRIES, r, &p), fd;

	if (rc)
		return rc;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = fd < 0 ? -errno : io_uring_register_eventfd(r, fd);
	/* Without these a completion could be lost, or punching a hole is not known. */
	if (!(p.features & IORING_FEAT_NODROP) || !(p.features & IORING_FEAT_FAST_POLL))
		rc = -ENOSYS;
	rc = rc ? rc : restrict_ring(r);
	if (!rc) {
		(void)io_uring_ring_dontfork(r);
		*ret_event_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	io_uring_queue_exit(r);
	return rc;
}

static struct { struct io_uring ring; int event_fd; bool is_there; } prepared;

void blk_uring_prepare(void)
{
	prepared.is_there = !open_ring(&prepared.ring, &prepared.event_fd);
}

static int take_ring(struct blk_uring *u)
{
	int rc;

	if (!prepared.is_there)
		return open_ring(&u->ring, &u->event_fd);
	prepared.is_there = false;
	u->ring = prepared.ring;
	u->event_fd = prepared.event_fd;
	/* Nothing is asked for: may it be used? */
	rc = syscall(SYS_io_uring_enter, u->ring.ring_fd, 0, 0, 0, NULL, 0) < 0 ? -errno : 0;
	if (!rc)
		return 0;
	close(u->event_fd);
	io_uring_queue_exit(&u->ring);
	return rc;
}

struct blk_uring *blk_uring_new(struct loop *l, void (*fallback)(void *data, struct blk_job *job), void *data)
{
	struct blk_uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->loop = l;
	u->fallback = fallback;
	u->data = data;
	u->waiting_tail = &u->waiting;
	u->wake.fd = -1;
	loop_task_init(&u->submit, on_submit, u);
	u->submit.brief = true;
	if (take_ring(u)) {
		free(u);
		return NULL;
	}
	if (loop_fd_add(l, &u->wake, u->event_fd, EPOLLIN, on_wake, u)) {
		close(u->event_fd);
		io_uring_queue_exit(&u->ring);
		free(u);
		return NULL;
	}
	u->wake.brief = true;
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
	loop_fd_del(u->loop, &u->wake);
	io_uring_queue_exit(&u->ring);
	close(u->event_fd);
	free(u);
}
