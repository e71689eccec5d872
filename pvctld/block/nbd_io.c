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

#define KEPT_SOFT (16u << 20) /* then a flush of our own lets go of it */
#define KEPT_HARD (32u << 20) /* then writes wait for that */

struct nbd_cmd {
	struct nbd_cmd *next;
	struct blk_nbd *n;
	struct blk_job *job;   /* NULL: our own */
	struct nbd_kept *buf;  /* the guest's pages are not QEMU's to see while they may change */
	uint64_t upto;         /* of a flush: it covers what was kept up to here */
	bool refused;          /* by libnbd: there is no use in trying again */
	uint64_t chunk;    /* of a discard */
	bool flushed;      /* the write itself was made to be stable */
	bool answered;
	int error;
};

static void push(struct nbd_queue *q, struct nbd_cmd *c)
{
	c->next = NULL;
	*q->tail = c;
	q->tail = &c->next;
}

static struct nbd_cmd *take_all(struct nbd_queue *q)
{
	struct nbd_cmd *c = q->first;

	q->first = NULL;
	q->tail = &q->first;
	return c;
}

static void finish(struct nbd_cmd *c, int error)
{
	struct blk_nbd *n = c->n;

	c->error = error;
	push(&n->finished, c);
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
	uint8_t *at = c->buf->data;

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
		return nbd_aio_pread(h, c->buf->data, j->len, j->offset, cb, 0);
	if (j->kind == BLK_JOB_DISCARD) {
		c->chunk = j->len < TRIM_MAX ? j->len : TRIM_MAX;
		return nbd_aio_trim(h, c->chunk, j->offset, cb, 0);
	}
	if (j->flush && nbd_can_fua(h) > 0) {
		flags = LIBNBD_CMD_FLAG_FUA;
		c->flushed = true;
	}
	return nbd_aio_pwrite(h, c->buf->data, j->len, j->offset, cb, flags);
}

static bool is_over(const struct blk_nbd *n)
{
	return !n->h || nbd_aio_is_dead(n->h) || nbd_aio_is_closed(n->h);
}

static bool comes_back(const struct blk_nbd *n)
{
	return n->was_ready && !n->given_up;
}

static void send_command(struct nbd_cmd *c)
{
	nbd_completion_callback cb = { .callback = on_complete, .free = on_free, .user_data = c };
	struct blk_nbd *n = c->n;
	int64_t rc;

	c->answered = c->refused = c->flushed = false;
	if (n->state != NBD_READY || !n->h || (n->replaying && c != n->replay)) {
		if (comes_back(n))
			push(&n->again, c);
		else
			finish(c, EIO);
		return;
	}
	/* What is refused is freed, too, which tells of it. */
	if (c == n->replay)
		rc = nbd_aio_pwrite(n->h, n->replay_at->data, n->replay_at->len, n->replay_at->offset, cb, 0);
	else if (c->job && c->job->stage == BLK_STAGE_DATA && c->job->kind != BLK_JOB_FLUSH) {
		rc = send_data(c, cb);
	} else {
		c->upto = n->kept_seq;
		rc = nbd_aio_flush(n->h, cb, 0);
	}
	c->refused = rc < 0 && !is_over(n);
}

/* Its server died with it: whether it was carried out is not known. */
static bool is_lost(const struct nbd_cmd *c)
{
	return !c->refused && (!c->answered || c->error == ENOTCONN || c->error == ESHUTDOWN);
}

static void let_go(struct blk_nbd *n, uint64_t upto)
{
	while (n->kept && n->kept->seq <= upto) {
		struct nbd_kept *k = n->kept;

		n->kept = k->next;
		n->kept_bytes -= k->len;
		free(k);
	}
	if (!n->kept)
		n->kept_tail = &n->kept;
}

static void keep(struct nbd_cmd *c)
{
	struct blk_nbd *n = c->n;
	struct nbd_kept *k = c->buf;

	c->buf = NULL;
	k->next = NULL;
	k->seq = ++n->kept_seq;
	k->offset = c->job->offset;
	k->len = c->job->len;
	*n->kept_tail = k;
	n->kept_tail = &k->next;
	n->kept_bytes += k->len;
	if (n->kept_bytes > KEPT_SOFT && n->flush) {
		struct nbd_cmd *f = n->flush;

		n->flush = NULL;
		n->active++;
		send_command(f);
	}
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

	/* It can die while something is sent: then its socket is closed, and nobody tells of that. */
	if (n->h && n->state == NBD_READY && is_over(n)) {
		nbd_lost(n);
		return;
	}
	if (n->sock.fd >= 0)
		loop_fd_want(&n->d->loop, &n->sock, (dir & LIBNBD_AIO_DIRECTION_READ ? EPOLLIN : 0u) |
						    (dir & LIBNBD_AIO_DIRECTION_WRITE ? EPOLLOUT : 0u));
}

static void complete(struct nbd_cmd *c)
{
	struct blk_nbd *n = c->n;
	struct blk_job *j = c->job;

	if (!c->error && j->kind == BLK_JOB_READ)
		gather(c, true);
	j->result = -c->error;
	/* A write that is to be stable tells of one errno for both its halves. */
	j->unsynced = c->error && (j->stage != BLK_STAGE_DATA || (c->flushed && c->error != ENOSPC));
	free(c->buf);
	free(c);
	n->active--;
	j->done(j);
}

static void replay_next(struct blk_nbd *n)
{
	struct nbd_cmd *c, *next;

	if (n->replay_at) {
		send_command(n->replay);
		return;
	}
	n->replaying = false;
	for (c = take_all(&n->again); c; c = next) {
		next = c->next;
		send_command(c);
	}
	nbd_is_back(n);
}

void nbd_redo(struct blk_nbd *n)
{
	n->replaying = true;
	n->replay_at = n->kept;
	replay_next(n);
	want(n);
}

static void replayed(struct blk_nbd *n)
{
	if (is_lost(n->replay)) /* the next one begins anew */
		return;
	if (n->replay->error) {
		log_line("disk \"%.600s\": a write that was lost with qemu-nbd cannot be repeated: %s", n->spec.target,
			 strerror(n->replay->error));
		n->lost = true;
	}
	n->replay_at = n->replay_at->next;
	replay_next(n);
}

static void flushed(struct nbd_cmd *c)
{
	struct blk_nbd *n = c->n;
	struct nbd_cmd *next;

	if (is_lost(c) && comes_back(n)) {
		push(&n->again, c);
		return;
	}
	n->flush = c;
	n->active--;
	/* Keeping it any longer would not put it on the disk; the guest's next flush tells of it. */
	n->lost |= c->error != 0;
	let_go(n, c->error ? n->kept_seq : c->upto);
	for (c = take_all(&n->held); c; c = next) {
		next = c->next;
		push(&n->finished, c);
		loop_task_post(&n->d->loop, &n->deliver);
	}
}

/* True: it is not over. */
static bool goes_on(struct nbd_cmd *c)
{
	struct blk_nbd *n = c->n;
	struct blk_job *j = c->job;
	bool is_data = j->stage == BLK_STAGE_DATA && j->kind != BLK_JOB_FLUSH;

	if (is_lost(c) && comes_back(n)) {
		push(&n->again, c);
		return true;
	}
	if (!c->error && is_data && j->kind == BLK_JOB_WRITE && c->buf)
		keep(c);
	if (!is_data && !c->error) {
		let_go(n, c->upto);
		c->error = n->lost ? EIO : 0;
		n->lost = false;
	}
	if (next_stage(c)) {
		send_command(c);
		return true;
	}
	if (n->kept_bytes > KEPT_HARD && !n->flush && is_data && j->kind == BLK_JOB_WRITE && !c->error) {
		push(&n->held, c);
		return true;
	}
	return false;
}

void nbd_deliver(struct blk_nbd *n)
{
	struct nbd_cmd *c = take_all(&n->finished), *next;
	struct nbd_queue done = { .tail = &done.first };

	for (; c; c = next) {
		next = c->next;
		if (c == n->replay)
			replayed(n);
		else if (!c->job)
			flushed(c);
		else if (!goes_on(c))
			push(&done, c);
	}
	want(n);
	/* The last job's end may close n: nothing of it is touched after that. */
	for (c = done.first; c; c = next) {
		next = c->next;
		complete(c);
	}
}

static void fail_all(struct blk_nbd *n, struct nbd_queue *q)
{
	struct nbd_cmd *c, *next;

	for (c = take_all(q); c; c = next) {
		next = c->next;
		/* What is kept is kept on, while there is hope. */
		if (!c->job && !n->given_up) {
			push(q, c);
			continue;
		}
		c->refused = true;
		finish(c, EIO);
	}
}

void nbd_fail_waiting(struct blk_nbd *n)
{
	fail_all(n, &n->again);
	fail_all(n, &n->held);
}

int nbd_io_init(struct blk_nbd *n)
{
	n->finished.tail = &n->finished.first;
	n->again.tail = &n->again.first;
	n->held.tail = &n->held.first;
	n->kept_tail = &n->kept;
	n->replay = calloc(1, sizeof(*n->replay));
	n->flush = calloc(1, sizeof(*n->flush));
	if (!n->replay || !n->flush) {
		free(n->replay);
		free(n->flush);
		return -ENOMEM;
	}
	n->replay->n = n->flush->n = n;
	return 0;
}

/* Nothing of anybody else's is under way; our own may be. */
void nbd_io_fini(struct blk_nbd *n)
{
	struct nbd_queue *q[] = { &n->finished, &n->again };

	for (unsigned int i = 0; i < 2; i++)
		for (struct nbd_cmd *c = take_all(q[i]), *next; c; c = next) {
			next = c->next;
			if (!c->job && c != n->replay)
				n->flush = c;
		}
	let_go(n, ~0ull);
	free(n->replay);
	free(n->flush);
}

void blk_nbd_submit(struct blk_nbd *n, struct blk_job *job)
{
	struct nbd_cmd *c = calloc(1, sizeof(*c));

	job->stage = job->flush ? BLK_STAGE_BEFORE : BLK_STAGE_DATA;
	if (c && job->niov && !(c->buf = malloc(sizeof(*c->buf) + job->len))) {
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
	if (rc || is_over(n)) {
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
	/* There will be no other server. */
	n->given_up = true;
	nbd_fail_waiting(n);
	while (n->active) {
		struct pollfd p = { .fd = n->sock.fd, .events = POLLIN };

		if (!n->finished.first && n->h) {
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
