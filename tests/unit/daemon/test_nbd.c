/* SPDX-License-Identifier: MIT */
/* What a qemu-nbd says at its end: an image is in use, or not. */
#include <check.h>
#include <stdlib.h>
#undef fail /* the daemon has its own */

#include "pvctld/block/nbd.c"

#define OPEN(path) "qemu-nbd: Failed to blk_new_open '" path "': "

START_TEST(in_use)
{
	ck_assert(err_qemu_locked(OPEN("/srv/a.qcow2") "Failed to get \"write\" lock  Is another process using the image [/srv/a.qcow2]?"));
	ck_assert(err_qemu_locked(OPEN("/srv/a.qcow2") "Failed to get shared \"write\" lock"));
	ck_assert(err_qemu_locked(OPEN("/srv/a.qcow2") "Failed to lock byte 100"));
	ck_assert(!err_qemu_locked(OPEN("/srv/block/clock.qcow2") "Image is not in qcow2 format"));
	ck_assert(!err_qemu_locked(OPEN("/srv/a.qcow2") "Could not read from the block device"));
}
END_TEST

/* With a name as long as one may be, which is said twice. */
START_TEST(long_names)
{
	struct blk_nbd n = { .log.fd = -1 };
	struct daemon d = { 0 };
	char name[1001], text[2200];
	int p[2];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), OPEN("%s") "Failed to get \"write\" lock\nIs another process using the image [%s]?\n", name, name);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	ck_assert_int_eq(pipe2(p, O_NONBLOCK), 0);
	n.d = &d;
	ck_assert_int_eq(loop_fd_add(&d.loop, &n.log, p[0], EPOLLIN, on_log, &n), 0);
	ck_assert_int_eq(write(p[1], text, strlen(text)), (ssize_t)strlen(text));
	read_log(&n);
	ck_assert(err_qemu_locked(n.said));
	drop_fd(&n, &n.log);
	close(p[1]);
	loop_fini(&d.loop);
}
END_TEST

/* qemu-nbd waits for another client, if the first one goes before they are agreed. */
START_TEST(closed_while_it_starts)
{
	struct blk_nbd n = { .state = NBD_STARTING, .log.fd = -1, .sock.fd = -1, .process.fd = -1 };
	struct daemon d = { 0 };
	int status = 0;

	ck_assert_int_eq(loop_init(&d.loop), 0);
	n.d = &d;
	loop_timer_init(&n.timer, on_timer, &n);
	n.pid = fork();
	if (!n.pid)
		for (;;)
			pause();
	blk_nbd_close(&n);
	ck_assert_int_eq(waitpid(n.pid, &status, 0), n.pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(n.state, NBD_CLOSED);
	loop_timer_cancel(&n.timer);
	loop_fini(&d.loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, in_use);
	tcase_add_test(t, long_names);
	tcase_add_test(t, closed_while_it_starts);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
