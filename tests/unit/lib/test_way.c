/* SPDX-License-Identifier: MIT */
/* Ways to a directory that somebody else could lay. */
#include "util/paths.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 61236

static char base[64];
static struct pvctl_error err;

static const char *in(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void dir(const char *name, mode_t mode)
{
	ck_assert_int_eq(mkdir(in(name), 0700), 0);
	ck_assert_int_eq(chmod(in(name), mode), 0);
}

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/pvctl-way-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(who_may_write)
{
	dir("own", 0700);
	dir("own/x", 0755);
	ck_assert_int_eq(paths_check_way(in("own/x"), &err), 0);
	ck_assert_int_eq(paths_check_way(in("own/x/none/of/that"), &err), 0);
	dir("open", 0777);
	dir("open/x", 0700);
	ck_assert_int_eq(paths_check_way(in("open/x"), &err), -EPERM);
	ck_assert(strstr(err.msg, "open can be written by other users") != NULL);
	ck_assert_int_eq(paths_check_way(in("open"), &err), -EPERM);
	ck_assert_int_eq(chmod(in("open"), 01777), 0);
	ck_assert_int_eq(paths_check_way(in("open/x"), &err), 0);
	ck_assert_int_eq(paths_check_way("relative", &err), -EINVAL);
}
END_TEST

START_TEST(links)
{
	dir("real", 0700);
	dir("real/x", 0700);
	ck_assert_int_eq(symlink("real", in("to")), 0);
	ck_assert_int_eq(paths_check_way(in("to/x"), &err), 0);
	ck_assert_int_eq(symlink("../open", in("real/out")), 0);
	dir("open", 0777);
	ck_assert_int_eq(paths_check_way(in("to/out"), &err), -EPERM);
	ck_assert_int_eq(symlink("round", in("round")), 0);
	ck_assert_int_eq(paths_check_way(in("round"), &err), -EINVAL);
	ck_assert_int_eq(symlink("/", in("root")), 0);
	ck_assert_int_eq(paths_check_way(in("root/usr"), &err), 0);
}
END_TEST

START_TEST(others)
{
	if (geteuid())
		return;
	dir("his", 0755);
	ck_assert_int_eq(chown(in("his"), SOMEBODY, SOMEBODY), 0);
	dir("his/x", 0700);
	ck_assert_int_eq(paths_check_way(in("his/x"), &err), -EPERM);
	ck_assert(strstr(err.msg, "his belongs to another user") != NULL);
	dir("mine", 0700);
	ck_assert_int_eq(symlink("mine", in("link")), 0);
	ck_assert_int_eq(lchown(in("link"), SOMEBODY, SOMEBODY), 0);
	ck_assert_int_eq(paths_check_way(in("link"), &err), -EPERM);
	dir("group", 0770);
	ck_assert_int_eq(chown(in("group"), 0, SOMEBODY), 0);
	ck_assert_int_eq(paths_check_way(in("group"), &err), -EPERM);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("way");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, who_may_write);
	tcase_add_test(c, links);
	tcase_add_test(c, others);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
