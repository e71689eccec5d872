/* SPDX-License-Identifier: MIT */
/* A template that is deleted while something is made of it. */
#include "template/private.h"
#include "util/fd.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pvctl_error err;
static char base[64], dir[TEMPLATE_PATH];

static void make(void)
{
	static const char text[] = "{\"template\": 1, \"name\": \"t\"}";
	struct iovec v = { (void *)(uintptr_t)text, sizeof(text) - 1 };

	ck_assert_int_eq(template_dir("t", dir, &err), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(fd_write_atomic(dir, TEMPLATE_MANIFEST, &v, 1), 0);
}

static void setup(void)
{
	strcpy(base, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	setenv("PVCTL_DATA_DIR", base, 1);
	make();
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(not_while_it_is_used)
{
	int one, two, alone;

	ck_assert_int_eq(template_hold("t", false, &one, &err), 0);
	ck_assert_int_eq(template_hold("t", false, &two, &err), 0);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.msg, "being made of it"));
	close(one);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	close(two);
	ck_assert_int_eq(template_hold("t", true, &alone, &err), 0);
	ck_assert_int_eq(access(dir, F_OK), 0);
	close(alone);
}
END_TEST

/* Who waited for one that deletes finds that it is gone, or has the one that took its name. */
START_TEST(gone_meanwhile)
{
	int alone, fd = -1, status = 0, ready[2];
	struct stat held, there;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(template_hold("t", true, &alone, &err), 0);
	pid = fork();
	if (!pid) {
		int rc;

		close(alone);
		(void)!write(ready[1], "x", 1);
		rc = template_hold("t", false, &fd, &err);
		if (!_i)
			_exit(rc == -ENOENT ? 0 : 1);
		_exit(rc || fstat(fd, &held) || stat(dir, &there) || held.st_ino != there.st_ino ? 2 : 0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	usleep(100000);
	ck_assert_int_eq(template_remove_dir(dir), 0);
	if (_i)
		make();
	close(alone);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("template");
	TCase *t = tcase_create("delete");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, not_while_it_is_used);
	tcase_add_loop_test(t, gone_meanwhile, 0, 2);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
