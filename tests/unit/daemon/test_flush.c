/* SPDX-License-Identifier: MIT */
/*
 * A flush is carried out, by each engine. What cannot be synced (a pipe) makes
 * it fail: an answer without fdatasync would be a success.
 */
#include "pvctld/block/pool.h"
#include "pvctld/base/loop.h"
#include "pvctld/block/vbd.h"
#include "pvctld/core/daemon.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop loop;
static struct blk_pool *pool;
static int pipe_fds[2], file;

static void finished(struct blk_job *job)
{
	loop.quit = true;
}

static int run(struct blk_job *j)
{
	j->done = finished;
	j->result = 1;
	loop.quit = false;
	blk_pool_submit(pool, j);
	loop_run(&loop);
	return j->result;
}

static void setup(bool uring)
{
	char name[] = "/tmp/test-flush.XXXXXX";

	ck_assert_int_eq(loop_init(&loop), 0);
	pool = blk_pool_new(&loop, uring);
	ck_assert_ptr_nonnull(pool);
	ck_assert_int_eq(pipe(pipe_fds), 0);
	file = mkstemp(name);
	ck_assert_int_ge(file, 0);
	unlink(name);
}

static void teardown(void)
{
	blk_pool_free(pool);
	loop_fini(&loop);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(file);
}

/* Loop 0: io_uring where there is one; 1: threads. */
START_TEST(flushes)
{
	static char data[4096];
	struct iovec iov = { data, sizeof(data) };
	struct blk_job flush = { .kind = BLK_JOB_FLUSH, .flush = true };
	struct blk_job write = { .kind = BLK_JOB_WRITE, .iov = &iov, .niov = 1, .len = sizeof(data) };

	setup(!_i);
	flush.fd = flush.data_fd = file;
	ck_assert_int_eq(run(&flush), 0);
	ck_assert(!flush.unsynced);
	flush = (struct blk_job){ .kind = BLK_JOB_FLUSH, .flush = true, .fd = pipe_fds[1], .data_fd = pipe_fds[1] };
	ck_assert_int_lt(run(&flush), 0);
	ck_assert(flush.unsynced);
	write.fd = pipe_fds[1];
	write.data_fd = file;
	ck_assert_int_eq(run(&write), 0);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), sizeof(data));
	teardown();
}
END_TEST

/* A write that is to be on stable storage: what cannot be synced fails, and is not written behind what should be there. */
START_TEST(write_through)
{
	static char data[4096];
	struct iovec iov = { data, sizeof(data) };
	struct blk_job write = { .kind = BLK_JOB_WRITE, .flush = true, .iov = &iov, .niov = 1, .len = sizeof(data) };

	setup(!_i);
	write.fd = pipe_fds[1];
	write.data_fd = file;
	ck_assert_int_lt(run(&write), 0);
	ck_assert(write.unsynced);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
	write = (struct blk_job){ .kind = BLK_JOB_WRITE, .flush = true, .fd = file, .data_fd = file, .iov = &iov,
				  .niov = 1, .len = sizeof(data) };
	iov = (struct iovec){ data, sizeof(data) };
	ck_assert_int_eq(run(&write), 0);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), sizeof(data));
	/* The data itself is refused: nothing that was acknowledged is lost. */
	write = (struct blk_job){ .kind = BLK_JOB_WRITE, .flush = true, .fd = file, .data_fd = pipe_fds[0], .iov = &iov,
				  .niov = 1, .len = sizeof(data) };
	iov = (struct iovec){ data, sizeof(data) };
	ck_assert_int_lt(run(&write), 0);
	ck_assert(!write.unsynced);
	teardown();
}
END_TEST

static void look(void *data)
{
	struct xenbus_dev *x = data;

	if (x->rest == XENBUS_RELEASING)
		loop_timer_set(&x->d->loop, &x->hold_timer, 1000000);
	else
		x->d->loop.quit = true;
}

/* So does what a suspended domain's disk is given back after, and who takes over knows it, too. */
START_TEST(released)
{
	static struct blk_kept kept;
	static struct daemon d;
	static struct vbd v;

	memset(&v, 0, sizeof(v));
	memset(&d, 0, sizeof(d));
	setup(!_i);
	list_init(&d.domains);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	xenbus_dev_init(&v.x, &d, &vbd_ops, 1, 51712, "xvda");
	v.pool = blk_pool_new(&d.loop, !_i);
	v.fd = pipe_fds[1];
	v.direct_fd = -1;
	v.nr_rings = 1;
	v.ring[0].ring.kept = &kept;
	v.x.up = XENBUS_UP;
	v.x.rest = XENBUS_QUIET;
	kept.unsynced = 0;
	xenbus_dev_release(&v.x);
	ck_assert_int_eq(v.x.rest, XENBUS_RELEASING);
	loop_timer_init(&v.x.hold_timer, look, &v.x);
	loop_timer_set(&d.loop, &v.x.hold_timer, 0);
	loop_run(&d.loop);
	ck_assert_int_eq(v.x.rest, XENBUS_QUIET);
	ck_assert_int_lt(v.x.rest_error.code, 0);
	ck_assert(v.unsynced);
	ck_assert_uint_eq(kept.unsynced, 1);
	blk_pool_free(v.pool);
	loop_fini(&d.loop);
	teardown();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("flush");
	TCase *t = tcase_create("flush");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, flushes, 0, 2);
	tcase_add_loop_test(t, write_through, 0, 2);
	tcase_add_loop_test(t, released, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
