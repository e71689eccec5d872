/* SPDX-License-Identifier: MIT */
/* Which images may become how large. */
#include "disk/image.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1ull << 20)

static struct pvctl_error err;

START_TEST(sizes)
{
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 16 * MIB, false, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 8 * MIB, false, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 0, true, &err), -EINVAL);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 16 * MIB + 1, false, &err), -EINVAL);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, ~511ull, false, &err), -EINVAL);
}
END_TEST

START_TEST(smaller)
{
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 4 * MIB, false, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "--shrink"));
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 4 * MIB, true, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_QCOW2, 8 * MIB, 4 * MIB, true, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_QED, 8 * MIB, 4 * MIB, true, &err), -EINVAL);
}
END_TEST

START_TEST(formats)
{
	enum disk_format f;

	ck_assert_int_eq(image_may_resize(DISK_VHD, 8 * MIB, 16 * MIB, false, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "pvctl disk convert"));
	ck_assert_int_eq(image_may_resize(DISK_QCOW, 8 * MIB, 16 * MIB, false, &err), -EINVAL);
	ck_assert_int_eq(image_format(NULL, &f, &err), 0);
	ck_assert_int_eq(f, DISK_RAW);
	ck_assert_int_eq(image_format("vhd", &f, &err), 0);
	ck_assert_int_eq(f, DISK_VHD);
	ck_assert_int_eq(image_format("vmdk", &f, &err), -EINVAL);
}
END_TEST

/* Somebody who has the image, and ends after so many milliseconds, as the qemu-nbd of a domain does that is gone. */
static pid_t holder(const char *path, int ms)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		int fd = -1;

		if (image_open_locked(path, true, &fd, NULL) || write(ready[1], "x", 1) != 1)
			_exit(1);
		poll(NULL, 0, ms);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

START_TEST(who_ends_is_waited_for)
{
	struct pvctl_disk_image_resize_opts o = { .size = sizeof(o), .bytes = 2 * MIB };
	char path[] = "/tmp/pvctl-disk-XXXXXX";
	int fd = mkstemp(path), status;
	pid_t pid;

	ck_assert_int_eq(ftruncate(fd, MIB), 0);
	close(fd);
	pid = holder(path, 400);
	ck_assert_msg(!pvctl_disk_image_resize(path, &o, &err), "%s", err.msg);
	waitpid(pid, &status, 0);
	/* Who does not is told of, and goes on. */
	pid = holder(path, 60000);
	o.bytes = 3 * MIB;
	ck_assert_int_eq(pvctl_disk_image_resize(path, &o, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.msg, "in use"));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk sizes");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, sizes);
	tcase_add_test(c, smaller);
	tcase_add_test(c, formats);
	tcase_add_test(c, who_ends_is_waited_for);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
