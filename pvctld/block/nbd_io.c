/* SPDX-License-Identifier: MIT */
/* Jobs over NBD. libnbd must not be called from its callbacks: what has finished goes to a list first. */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd_private.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIM_MAX (1ull << 30) /* NBD has 32 bits for it */
#define DEFAULT_GRANULARITY 65536u

struct nbd_cmd {
	struct nbd_cmd *next;
	struct blk_nbd *n;
	struct blk_job *job;
	uint8_t *data;     /* the guest's pages are not QEMU's to see while they may change */
	uint64_t chunk;    /* of a discard */
	bool flushed;      /* the write itself was made to be stable */
	bool answered;
	int error;
};

static void finish(struct nbd_cmd *c, int error)
{
	struct blk_nbd *n = c->n;

	c->error = error;
	c->next = NULL;
	*n->finished_tail = c;
	n->finished_tail = &c->next;
	loop_task_post(&n->d->loop, &n->deliver);
}

static int on_complete(void *data, int *error)
{
	struct nbd_cmd *c = data;

	c->answered = true;
	c->error = *error;
	return 1; /* nothing of it is left in libnbd */
}

/* The one call that libnbd makes for each command, however it ends: nbd_close() does not complete what is under way. */
static void on_free(void *data)
{
	struct nbd_cmd *c = data;

	finish(c, c->answered ? c->error : EIO);
}

static void gather(struct nbd_cmd *c, bool to_guest)
{
	uint8_t *at = c->data;

	for (int i = 0; i < c->job->niov; i++) {
		const struct iovec *v = &c->job->iov[i];

		memcpy(to_guest ? v->iov_base : at, to_guest ? at : v->iov_base, v->iov_len);
		at += v->iov_len;
	}
}

static int64_t send_data(struct nbd_cmd *c, nbd_completion_callback cb)
{
	struct nbd_handle *h = c->n->h;
	struct blk_job *j = c->job;
	uint32_t flags = 0;

	if (j->kind == BLK_JOB_READ)
		return nbd_aio_pread(h, c->data, j->len, j->offset, cb, 0);
	if (j->kind == BLK_JOB_DISCARD) {
		c->chunk = j->len < TRIM_MAX ? j->len : TRIM_MAX;
		return nbd_aio_trim(h, c->chunk, j->offset, cb, 0);
	}
	if (j->flush && nbd_can_fua(h) > 0) {
		flags = LIBNBD_CMD_FLAG_FUA;
		c->flushed = true;
	}
	return nbd_aio_pwrite(h, c->data, j->len, j->offset, cb, flags);
}

static void send_command(struct nbd_cmd *c)
{
	nbd_completion_callback cb = { .callback = on_complete, .free = on_free, .user_data = c };
	struct blk_nbd *n = c->n;

	c->answered = false;
	if (n->state != NBD_READY || !n->h) {
		finish(c, EIO);
		return;
	}
	/* What is refused is freed, too, which tells of it. */
	if (c->job->stage == BLK_STAGE_DATA)
		(void)send_data(c, cb);
	else
		(void)nbd_aio_flush(n->h, cb, 0);
}

/* True: there is more to do for the job. */
static bool next_stage(struct nbd_cmd *c)
{
	struct blk_job *j = c->job;

	if (c->error)
		return false;
	if (j->stage == BLK_STAGE_BEFORE && j->kind == BLK_JOB_FLUSH)
		return false;
	if (j->stage == BLK_STAGE_DATA && j->kind == BLK_JOB_DISCARD && j->len > c->chunk) {
		j->offset += c->chunk;
		j->len -= c->chunk;
		return true;
	}
	if (j->stage == BLK_STAGE_AFTER || (j->stage == BLK_STAGE_DATA && (!j->flush || c->flushed)))
		return false;
	j->stage++;
	return true;
}

static void want(struct blk_nbd *n)
{
	unsigned int dir = n->h ? nbd_aio_get_direction(n->h) : 0;

	if (n->sock.fd >= 0)
		loop_fd_want(&n->d->loop, &n->sock, (dir & LIBNBD_AIO_DIRECTION_READ ? EPOLLIN : 0u) |
						    (dir & LIBNBD_AIO_DIRECTION_WRITE ? EPOLLOUT : 0u));
}

void nbd_deliver(struct blk_nbd *n)
{
	struct nbd_cmd *c = n->finished, *next;

	n->finished = NULL;
	n->finished_tail = &n->finished;
	/* The last job's end may close n: nothing of it is touched after that. */
	for (; c; c = next) {
		struct blk_job *j = c->job;

		next = c->next;
		if (next_stage(c)) {
			send_command(c);
			want(n);
			continue;
		}
		if (!c->error && j->kind == BLK_JOB_READ)
			gather(c, true);
		j->result = -c->error;
		/* A write that is to be stable tells of one errno for both its halves. */
		j->unsynced = c->error && (j->stage != BLK_STAGE_DATA || (c->flushed && c->error != ENOSPC));
		free(c->data);
		free(c);
		n->active--;
		j->done(j);
	}
}

void blk_nbd_submit(struct blk_nbd *n, struct blk_job *job)
{
	struct nbd_cmd *c = calloc(1, sizeof(*c));

	job->stage = job->flush ? BLK_STAGE_BEFORE : BLK_STAGE_DATA;
	if (c && job->niov && !(c->data = malloc(job->len))) {
		free(c);
		c = NULL;
	}
	if (!c) {
		job->result = -ENOMEM;
		job->done(job);
		return;
	}
	c->n = n;
	c->job = job;
	n->active++;
	if (job->kind == BLK_JOB_WRITE)
		gather(c, false);
	send_command(c);
	want(n);
}

void blk_nbd_info(struct blk_nbd *n, struct blk_nbd_info *ret)
{
	int64_t size = nbd_get_size(n->h), block = nbd_get_block_size(n->h, LIBNBD_SIZE_PREFERRED);

	ret->bytes = size > 0 ? (uint64_t)size : 0;
	ret->can_trim = nbd_can_trim(n->h) > 0;
	ret->granularity = block >= 512 && block <= (1 << 25) ? (uint32_t)block : DEFAULT_GRANULARITY;
}

static void on_sock(void *data, uint32_t events)
{
	struct blk_nbd *n = data;
	unsigned int dir = nbd_aio_get_direction(n->h);
	int rc = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && dir & LIBNBD_AIO_DIRECTION_READ)
		rc = nbd_aio_notify_read(n->h);
	else if (events & EPOLLOUT && dir & LIBNBD_AIO_DIRECTION_WRITE)
		rc = nbd_aio_notify_write(n->h);
	else if (events & (EPOLLHUP | EPOLLERR))
		rc = -1;
	if (rc || nbd_aio_is_dead(n->h) || nbd_aio_is_closed(n->h)) {
		nbd_lost(n);
		return;
	}
	want(n);
	if (n->state == NBD_STARTING && nbd_aio_is_ready(n->h))
		nbd_is_ready(n);
}

int nbd_greet(struct blk_nbd *n, int sock)
{
	n->h = nbd_create();
	if (!n->h || nbd_set_full_info(n->h, true) || nbd_aio_connect_socket(n->h, sock)) {
		log_line("disk \"%.600s\": %s", n->spec.target, nbd_get_error() ? nbd_get_error() : "no memory");
		if (!n->h)
			close(sock);
		return -EIO;
	}
	if (loop_fd_add(&n->d->loop, &n->sock, nbd_aio_get_fd(n->h), EPOLLIN, on_sock, n))
		return -EIO;
	want(n);
	return 0;
}

void nbd_hang_up(struct blk_nbd *n)
{
	struct nbd_handle *h = n->h;

	if (!h)
		return;
	n->h = NULL;
	if (n->sock.fd >= 0)
		loop_fd_del(&n->d->loop, &n->sock);
	/* Frees, and so finishes, what was under way. */
	nbd_close(h);
}

void blk_nbd_drain(struct blk_nbd *n)
{
	while (n->active) {
		struct pollfd p = { .fd = n->sock.fd, .events = POLLIN };

		if (!n->finished && n->h) {
			if (nbd_aio_get_direction(n->h) & LIBNBD_AIO_DIRECTION_WRITE)
				p.events |= POLLOUT;
			if (poll(&p, 1, 10000) != 1)
				nbd_hang_up(n);
			else
				on_sock(n, (uint32_t)p.revents);
		}
		nbd_deliver(n);
	}
}
