/* SPDX-License-Identifier: MIT */
/* Files by io_uring and by threads: the same bytes, the same errors. */
#include "pvctld/block/pool.h"
#include "pvctld/base/loop.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (1u << 20)
#define JOBS 600u

static struct loop loop;
static struct blk_pool *pool;
static char name[] = "/tmp/pvctl-pool.XXXXXX";
static int fd;
static unsigned int nr_done;
static bool uring;

static void start(void)
{
	strcpy(name + sizeof(name) - 7, "XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	ck_assert_int_eq(loop_init(&loop), 0);
	pool = blk_pool_new(&loop, uring);
	ck_assert_ptr_nonnull(pool);
	nr_done = 0;
}

static void finish(void)
{
	blk_pool_free(pool);
	loop_fini(&loop);
	close(fd);
	unlink(name);
}

static void with_uring(void)
{
	uring = true;
	start();
}

static void with_threads(void)
{
	uring = false;
	start();
	ck_assert_str_eq(blk_pool_engine(pool), "threads");
}

static unsigned int expected;
static void on_done(struct blk_job *j)
{
	if (++nr_done == expected)
		loop.quit = true;
}

static void wait_for(unsigned int n)
{
	expected = n;
	loop.quit = nr_done >= n;
	if (!loop.quit)
		loop_run(&loop);
	ck_assert_uint_eq(nr_done, n);
}

static struct blk_job job(enum blk_job_kind kind, uint64_t offset, struct iovec *iov, int niov)
{
	struct blk_job j = { .kind = kind, .fd = fd, .data_fd = fd, .offset = offset, .iov = iov, .niov = niov, .done = on_done };

	for (int i = 0; i < niov; i++)
		j.len += iov[i].iov_len;
	return j;
}

START_TEST(write_and_read)
{
	static struct blk_job jobs[JOBS];
	static struct iovec iov[JOBS][2];
	static uint8_t out[JOBS][1024], in[JOBS][1024];

	for (unsigned int i = 0; i < JOBS; i++) {
		memset(out[i], (int)(i + 1), 1024);
		iov[i][0] = (struct iovec){ out[i], 300 };
		iov[i][1] = (struct iovec){ out[i] + 300, 724 };
		jobs[i] = job(BLK_JOB_WRITE, i * 1024u, iov[i], 2);
		jobs[i].flush = i % 50 == 0;
		blk_pool_submit(pool, &jobs[i]);
	}
	wait_for(JOBS);
	for (unsigned int i = 0; i < JOBS; i++) {
		ck_assert_int_eq(jobs[i].result, 0);
		iov[i][0] = (struct iovec){ in[i], 1000 };
		iov[i][1] = (struct iovec){ in[i] + 1000, 24 };
		jobs[i] = job(BLK_JOB_READ, i * 1024u, iov[i], 2);
		blk_pool_submit(pool, &jobs[i]);
	}
	wait_for(2 * JOBS);
	for (unsigned int i = 0; i < JOBS; i++) {
		ck_assert_int_eq(jobs[i].result, 0);
		ck_assert_mem_eq(in[i], out[i], 1024);
	}
}
END_TEST

START_TEST(past_the_end)
{
	uint8_t data[2048];
	struct iovec v = { data, sizeof(data) };
	struct blk_job j = job(BLK_JOB_READ, SIZE - 1024, &v, 1);

	/* The file became shorter than it was: half of it is there. */
	blk_pool_submit(pool, &j);
	wait_for(1);
	ck_assert_int_eq(j.result, -EIO);
}
END_TEST

START_TEST(errors)
{
	uint8_t data[512] = { 0 };
	struct iovec v = { data, sizeof(data) };
	struct blk_job j = job(BLK_JOB_WRITE, 0, &v, 1);
	int ro = open(name, O_RDONLY | O_CLOEXEC);

	j.fd = j.data_fd = ro;
	blk_pool_submit(pool, &j);
	wait_for(1);
	ck_assert_int_eq(j.result, -EBADF);
	close(ro);
}
END_TEST

START_TEST(flush_and_discard)
{
	static uint8_t data[65536];
	struct iovec v = { data, sizeof(data) };
	struct blk_job w = job(BLK_JOB_WRITE, 0, &v, 1), f = job(BLK_JOB_FLUSH, 0, NULL, 0), d = job(BLK_JOB_DISCARD, 0, NULL, 0);
	struct stat before, after;
	uint8_t byte = 1;

	memset(data, 7, sizeof(data));
	w.flush = f.flush = true;
	blk_pool_submit(pool, &w);
	wait_for(1);
	blk_pool_submit(pool, &f);
	wait_for(2);
	ck_assert_int_eq(w.result, 0);
	ck_assert_int_eq(f.result, 0);
	ck_assert_int_eq(fstat(fd, &before), 0);
	d.len = sizeof(data);
	blk_pool_submit(pool, &d);
	wait_for(3);
	if (d.result == -EOPNOTSUPP)
		return; /* a file system without holes */
	ck_assert_int_eq(d.result, 0);
	ck_assert_int_eq(fstat(fd, &after), 0);
	ck_assert_int_lt(after.st_blocks, before.st_blocks);
	ck_assert_int_eq(pread(fd, &byte, 1, 100), 1);
	ck_assert_uint_eq(byte, 0);
}
END_TEST

/* Direct I/O that the file refuses goes on through the page cache. */
START_TEST(not_aligned)
{
	static uint8_t data[1024] __attribute__((aligned(4096)));
	struct iovec v = { data + 1, 600 };
	struct blk_job j = job(BLK_JOB_WRITE, 3, &v, 1);
	int direct = open(name, O_RDWR | O_CLOEXEC | O_DIRECT);

	if (direct < 0 || !uring) /* the threads are given what is aligned */
		return;
	memset(data, 5, sizeof(data));
	j.data_fd = direct;
	blk_pool_submit(pool, &j);
	wait_for(1);
	ck_assert_int_eq(j.result, 0);
	ck_assert_int_eq(pread(fd, data, 1, 602), 1);
	ck_assert_uint_eq(data[0], 5);
	close(direct);
}
END_TEST

/* The end waits for what is under way. */
START_TEST(ends_with_jobs)
{
	static struct blk_job jobs[64];
	static struct iovec v[64];
	static uint8_t data[64][4096];

	expected = ~0u;
	for (unsigned int i = 0; i < 64; i++) {
		v[i] = (struct iovec){ data[i], 4096 };
		jobs[i] = job(BLK_JOB_WRITE, i * 4096u, &v[i], 1);
		jobs[i].flush = true;
		blk_pool_submit(pool, &jobs[i]);
	}
	blk_pool_free(pool);
	pool = NULL;
	ck_assert_uint_eq(nr_done, 64);
}
END_TEST

static TCase *add(Suite *s, const char *title, void (*setup)(void))
{
	TCase *c = tcase_create(title);

	tcase_add_checked_fixture(c, setup, finish);
	tcase_add_test(c, write_and_read);
	tcase_add_test(c, past_the_end);
	tcase_add_test(c, errors);
	tcase_add_test(c, flush_and_discard);
	tcase_add_test(c, not_aligned);
	tcase_add_test(c, ends_with_jobs);
	suite_add_tcase(s, c);
	return c;
}

int main(void)
{
	Suite *s = suite_create("pool");
	SRunner *r;
	int failed;

	(void)add(s, "threads", with_threads);
	(void)add(s, "io_uring", with_uring);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
