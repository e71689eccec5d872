/* SPDX-License-Identifier: MIT */
/* A channel's end on the host: pty and socket. */
#include "pvctld/channel/channel.h"
#include "pvctld/base/loop.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop loop;
static struct channel_host host;
static struct channel_spec spec;
static unsigned int told, calls;
static char dir[64];

static void ready(void *data, unsigned int what)
{
	told |= what;
	calls++;
	loop.quit = true;
}

static void give_up(void *data)
{
	loop.quit = true;
}

/* Until something happens, or 100 ms. */
static void turn(void)
{
	struct loop_timer t;

	loop_timer_init(&t, give_up, NULL);
	loop_timer_set(&loop, &t, 100000000);
	loop.quit = false;
	loop_run(&loop);
	loop_timer_cancel(&t);
}

static void setup(void)
{
	strcpy(dir, "/tmp/test-channel.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(loop_init(&loop), 0);
	memset(&spec, 0, sizeof(spec));
	strcpy(spec.name, "x");
	snprintf(spec.path, sizeof(spec.path), "%s/sock", dir);
	told = calls = 0;
}

static void teardown(void)
{
	loop_fini(&loop);
	unlink(spec.path);
	rmdir(dir);
}

static int open_host(bool sock, struct pvctl_error *err)
{
	int rc;

	spec.socket = sock;
	rc = channel_host_open(&host, &loop, &spec, err);
	host.ready = ready;
	return rc;
}

static int client(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(sa.sun_path, spec.path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

START_TEST(pty)
{
	char buf[64];
	struct stat st;
	int fd;

	ck_assert_int_eq(open_host(false, NULL), 0);
	ck_assert_int_eq(stat(host.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	fd = open(host.path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(channel_host_write(&host, "a\n\3b", 4), 4);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 4);
	ck_assert_mem_eq(buf, "a\n\3b", 4); /* raw */
	ck_assert_int_eq(write(fd, "xyz", 3), 3);
	channel_host_want(&host, true, false);
	turn();
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(channel_host_read(&host, buf, 2), 2);
	close(fd);
	/* Nobody has it open: it does not hang up. */
	ck_assert_uint_eq(channel_host_read(&host, buf, 2), 1);
	ck_assert_uint_eq(channel_host_read(&host, buf, 2), 0);
	ck_assert_int_ge(host.peer.fd, 0);
	channel_host_close(&host);
}
END_TEST

START_TEST(one_client_at_a_time)
{
	char buf[64];
	int a, b;

	ck_assert_int_eq(open_host(true, NULL), 0);
	ck_assert_uint_eq(channel_host_write(&host, "lost", 4), 0);
	a = client();
	turn();
	ck_assert_uint_eq(told, CHANNEL_NEW_CLIENT);
	b = client();
	turn();
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(channel_host_write(&host, "for a", 5), 5);
	ck_assert_int_eq(read(a, buf, sizeof(buf)), 5);
	ck_assert_int_eq(read(b, buf, sizeof(buf)), -1);
	ck_assert_int_eq(write(a, "last", 4), 4);
	close(a);
	/* What it sent before it went counts. */
	ck_assert_uint_eq(channel_host_read(&host, buf, sizeof(buf)), 4);
	ck_assert_uint_eq(channel_host_read(&host, buf, sizeof(buf)), 0);
	ck_assert_int_eq(host.peer.fd, -1);
	turn();
	ck_assert_uint_eq(calls, 2);
	ck_assert_uint_eq(channel_host_write(&host, "for b", 5), 5);
	ck_assert_int_eq(read(b, buf, sizeof(buf)), 5);
	close(b);
	channel_host_close(&host);
	ck_assert_int_eq(access(spec.path, F_OK), -1);
}
END_TEST

START_TEST(a_client_that_hangs_up_does_not_ring_for_ever)
{
	int a;

	ck_assert_int_eq(open_host(true, NULL), 0);
	a = client();
	turn();
	close(a);
	/* Nobody wants to read now. */
	turn();
	ck_assert_int_eq(host.peer.fd, -1);
	ck_assert_uint_eq(calls, 1);
	channel_host_close(&host);
}
END_TEST

START_TEST(a_reader_that_does_not_read)
{
	static char big[1 << 20];
	size_t n, all = 0;
	int a;

	ck_assert_int_eq(open_host(true, NULL), 0);
	a = client();
	turn();
	while ((n = channel_host_write(&host, big, sizeof(big))))
		all += n;
	ck_assert_uint_lt(all, 64u << 20);
	told = 0;
	channel_host_want(&host, false, true);
	turn();
	ck_assert_uint_eq(told, 0);
	while (read(a, big, sizeof(big)) > 0)
		;
	turn();
	ck_assert_uint_eq(told, CHANNEL_WRITABLE);
	close(a);
	channel_host_close(&host);
}
END_TEST

START_TEST(paths)
{
	struct channel_host other;
	struct pvctl_error err = { 0 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	/* A file stays. */
	fd = open(spec.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(open_host(true, &err), -EEXIST);
	ck_assert_int_eq(unlink(spec.path), 0);
	/* One that is listened at stays, too. */
	ck_assert_int_eq(open_host(true, &err), 0);
	ck_assert_int_eq(channel_host_open(&other, &loop, &spec, &err), -EBUSY);
	/* Another's in its place is not removed. */
	ck_assert_int_eq(unlink(spec.path), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(sa.sun_path, spec.path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	channel_host_close(&host);
	ck_assert_int_eq(access(spec.path, F_OK), 0);
	close(fd);
	/* A stale one is replaced. */
	ck_assert_int_eq(open_host(true, &err), 0);
	channel_host_close(&host);
	ck_assert_int_eq(access(spec.path, F_OK), -1);
	snprintf(spec.path, sizeof(spec.path), "%s/none/sock", dir);
	ck_assert_int_eq(open_host(true, &err), -ENOENT);
	snprintf(spec.path, sizeof(spec.path), "%s/sock", dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("channel");
	TCase *t = tcase_create("channel");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, pty);
	tcase_add_test(t, one_client_at_a_time);
	tcase_add_test(t, a_client_that_hangs_up_does_not_ring_for_ever);
	tcase_add_test(t, a_reader_that_does_not_read);
	tcase_add_test(t, paths);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
