/* SPDX-License-Identifier: MIT */
/* The disks' ring in a daemon that is sealed: it reads and writes what is open, and is no way around the filter. */
#include "pvctld/core/seal.h"
#include <check.h>
#include <stdio.h>
#include <sys/wait.h>

#include "pvctld/block/uring.c"

static struct loop loop;
static struct blk_uring *u;
static int file;

static void finished(struct blk_job *job)
{
	loop.quit = true;
}

static void no_threads(void *data, struct blk_job *job)
{
	job->result = -ENOTSUP;
	finished(job);
}

static int run(enum blk_job_kind kind, bool flush)
{
	static char data[4096];
	struct iovec v = { data, sizeof(data) };
	struct blk_job j = { .kind = kind, .fd = file, .data_fd = file, .iov = &v, .niov = 1, .len = 4096, .flush = flush, .done = finished };

	loop.quit = false;
	blk_uring_submit(u, &j);
	loop_run(&loop);
	return j.result;
}

/* Something else in the same ring: what the kernel says. */
static int other(void (*prepare_it)(struct io_uring_sqe *sqe))
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	struct io_uring_cqe *cqe;
	int rc;

	prepare_it(sqe);
	if (io_uring_submit(&u->ring) < 0 || io_uring_wait_cqe(&u->ring, &cqe))
		return 1;
	rc = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return rc;
}

static void an_open(struct io_uring_sqe *sqe) { io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0); }
static void a_socket(struct io_uring_sqe *sqe) { io_uring_prep_socket(sqe, 1, 1, 0, 0); }
static void an_unlink(struct io_uring_sqe *sqe) { io_uring_prep_unlink(sqe, "/nothing", 0); }

static int in_daemon(void)
{
	char name[] = "/tmp/test-uring.XXXXXX";
	struct io_uring another;
	int fd = eventfd(0, 0);

	file = mkstemp(name);
	if (file < 0 || unlink(name) || ftruncate(file, 8192) || loop_init(&loop))
		return 1;
	blk_uring_prepare();
	if (!prepared.is_there)
		return 77;
	if (seal_filter(2))
		return 2;
	u = blk_uring_new(&loop, no_threads, NULL);
	if (!u)
		return 3;
	if (run(BLK_JOB_WRITE, true) || run(BLK_JOB_READ, false) || run(BLK_JOB_FLUSH, true) || run(BLK_JOB_DISCARD, false))
		return 4;
	if (other(an_open) != -EACCES || other(a_socket) != -EACCES || other(an_unlink) != -EACCES)
		return 5;
	/* No other ring, and no more for this one. */
	if (!io_uring_queue_init(8, &another, 0) || !io_uring_register_eventfd(&u->ring, fd))
		return 6;
	blk_uring_free(u);
	return blk_uring_new(&loop, no_threads, NULL) ? 7 : 0;
}

START_TEST(sealed)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(in_daemon());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("# skipped: this kernel has no ring for us\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("uring");
	TCase *t = tcase_create("sealed");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, sealed);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
