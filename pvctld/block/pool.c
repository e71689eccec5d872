/* SPDX-License-Identifier: MIT */
#include "pvctld/block/pool.h"
#include "pvctld/base/loop.h"
#include "pvctld/block/uring.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define THREADS 4u

struct blk_pool {
	struct loop *loop;
	struct blk_uring *uring; /* NULL: refused */
	struct loop_fd wake;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct blk_job *todo, **todo_tail, *done;
	bool quit;
	pthread_t thread[THREADS];
	unsigned int nr_threads;
};

void blk_job_advance(struct blk_job *j, uint64_t n)
{
	j->offset += n;
	j->len -= n < j->len ? n : j->len;
	while (j->niov && n >= j->iov->iov_len) {
		n -= j->iov->iov_len;
		j->iov++;
		j->niov--;
	}
	if (j->niov) {
		j->iov->iov_base = (char *)j->iov->iov_base + n;
		j->iov->iov_len -= n;
	}
	/* What is left of a transfer that was cut need not be aligned. */
	j->data_fd = j->fd;
}

static int transfer(struct blk_job *j)
{
	while (j->niov) {
		ssize_t n = j->kind == BLK_JOB_READ ? preadv(j->data_fd, j->iov, j->niov, (off_t)j->offset)
						    : pwritev(j->data_fd, j->iov, j->niov, (off_t)j->offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO; /* the file became shorter */
		blk_job_advance(j, (uint64_t)n);
	}
	return 0;
}

static int discard(const struct blk_job *j)
{
	uint64_t range[2] = { j->offset, j->len };
	int rc;

	rc = j->is_device ? ioctl(j->fd, j->secure ? BLKSECDISCARD : BLKDISCARD, range)
			  : fallocate(j->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)j->offset, (off_t)j->len);
	return rc ? -errno : 0;
}

static int sync_file(struct blk_job *j)
{
	if (!j->flush || !fdatasync(j->fd))
		return 0;
	j->unsynced = true;
	return -errno;
}

static int carry_out(struct blk_job *j)
{
	int rc;

	if (j->kind == BLK_JOB_DISCARD)
		return discard(j);
	/* Preflush: what was acknowledged before must not come after this on stable storage. */
	rc = sync_file(j);
	if (rc || j->kind == BLK_JOB_FLUSH)
		return rc;
	rc = transfer(j);
	return rc ? rc : sync_file(j);
}

static void *worker(void *data)
{
	struct blk_pool *p = data;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct blk_job *j = p->todo;
		uint64_t one = 1;
		bool first;

		if (!j && p->quit)
			break;
		if (!j) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->todo = j->next;
		if (!p->todo)
			p->todo_tail = &p->todo;
		pthread_mutex_unlock(&p->lock);
		j->result = carry_out(j);
		pthread_mutex_lock(&p->lock);
		first = !p->done;
		j->next = p->done;
		p->done = j;
		if (first)
			(void)!write(p->wake.fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void deliver(struct blk_pool *p)
{
	struct blk_job *j, *next;

	pthread_mutex_lock(&p->lock);
	j = p->done;
	p->done = NULL;
	pthread_mutex_unlock(&p->lock);
	for (; j; j = next) {
		next = j->next;
		j->done(j);
	}
}

static void on_wake(void *data, uint32_t events)
{
	struct blk_pool *p = data;
	uint64_t count;

	(void)!read(p->wake.fd, &count, sizeof(count));
	deliver(p);
}

/* For io_uring, about what it cannot do. */
static void to_threads(void *data, struct blk_job *job)
{
	struct blk_pool *p = data;

	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->todo_tail = job;
	p->todo_tail = &job->next;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

struct blk_pool *blk_pool_new(struct loop *l, bool uring)
{
	struct blk_pool *p = calloc(1, sizeof(*p));
	sigset_t all, old;
	int fd;

	if (!p)
		return NULL;
	p->loop = l;
	p->wake.fd = -1;
	p->todo_tail = &p->todo;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0 || loop_fd_add(l, &p->wake, fd, EPOLLIN, on_wake, p)) {
		if (fd >= 0)
			close(fd);
		free(p);
		return NULL;
	}
	/* Signals are the daemon's thread's business. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* by which the filter names the call that it refused */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->nr_threads < THREADS && !pthread_create(&p->thread[p->nr_threads], NULL, worker, p))
		p->nr_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!p->nr_threads) {
		blk_pool_free(p);
		return NULL;
	}
	if (uring)
		p->uring = blk_uring_new(l, to_threads, p);
	return p;
}

const char *blk_pool_engine(const struct blk_pool *p)
{
	return p->uring ? "io_uring" : "threads";
}

void blk_pool_submit(struct blk_pool *p, struct blk_job *job)
{
	/* Devices' discards are ioctls. */
	if (p->uring && !(job->kind == BLK_JOB_DISCARD && job->is_device))
		blk_uring_submit(p->uring, job);
	else
		to_threads(p, job);
}

void blk_pool_free(struct blk_pool *p)
{
	int fd;

	if (!p)
		return;
	/* First: it may hand jobs to the threads. */
	blk_uring_free(p->uring);
	p->uring = NULL;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->nr_threads; i++)
		pthread_join(p->thread[i], NULL);
	deliver(p);
	fd = p->wake.fd;
	loop_fd_del(p->loop, &p->wake);
	close(fd);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
